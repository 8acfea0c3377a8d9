"""Accompaniments from small patterns: the textures of `texture_table` turned into notes.

A pattern is a string over one bar, each sign a step of equal length (bar length ÷ signs). For pitched parts: `R` root,
`5` fifth, `3` third, `8` octave of the root, `L` leading step to the next root, `x` the whole chord, digits `1`–`6`
with part kind "broken" the notes of the voicing from below, `-` hold, `.` rest. For drums each row is a drum key and
`x` a stroke, `X` an accent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from orchestrion.data.factory.accompany import STEPS, Line, chord_at
from orchestrion.theory.chords import Chord, ChordSpan


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a texture.

    Attributes:
        name: role and name of the track.
        programs: General MIDI programs to choose from.
        kind: "bass" (single notes from the root), "chord", "broken", "voice" (one inner voice, led smoothly), "drums".
        patterns: per metre, alternatives; for drums, rows "key:pattern" joined by spaces.
        centre: MIDI pitch around which it plays.
        level: velocity.
    """

    name: str
    programs: tuple[int, ...]
    kind: str
    patterns: Mapping[tuple[int, int], tuple[str, ...]]
    centre: int
    level: int = 64


@dataclass(frozen=True, slots=True)
class Texture:
    """A style made of parts. `leads` are the programs that may carry the tune."""

    label: str
    genre: str
    tempo: dict[tuple[int, int], tuple[int, int]]
    leads: tuple[int, ...]
    parts: tuple[Part, ...]
    colour: float = 0.0
    swing: bool = False


def play(
    texture: Texture, chords: Sequence[ChordSpan], bars: int, metre: tuple[int, int], rng: np.random.Generator
) -> list[Line]:
    """The texture's lines for a chord sequence; every part chooses a pattern and a program and keeps them, with a
    second pattern for every other section of eight bars where it has one."""
    lines = []
    voices = [part for part in texture.parts if part.kind == "voice"]
    first_voice = int(rng.integers(0, 1000))
    for part in texture.parts:
        options = part.patterns.get(metre)
        if not options:
            continue
        first, second = (options[int(i)] for i in rng.integers(0, len(options), 2))
        if part.kind == "voice":  # inner voices move together
            first = second = options[first_voice % len(options)]
        program = int(part.programs[int(rng.integers(0, len(part.programs)))])
        line = Line(part.name, program, part.kind == "drums")
        length = STEPS * 4 * metre[0] // metre[1]
        memory: list[int] = []
        for bar in range(bars):
            pattern = second if (bar // 8) % 2 else first
            if part.kind == "drums":
                _drum_bar(line, pattern, bar * length, length, part.level, bar % 8 == 7)
            else:
                index = voices.index(part) if part in voices else 0
                memory = _pitched_bar(line, part, pattern, chords, bar * length, length, memory, index)
        lines.append(line)
    return lines


def _drum_bar(line: Line, rows: str, start: int, length: int, level: int, last_of_section: bool) -> None:
    hits = []
    for row in rows.split():
        key, _, pattern = row.partition(":")
        step = length / len(pattern)
        for index, sign in enumerate(pattern):
            if sign != ".":
                strong = sign == "X" or index == 0
                hits.append((start + round(index * step), 1, int(key), min(level + (10 if strong else 0), 127)))
    line.notes += sorted(hits)


def _pitched_bar(
    line: Line,
    part: Part,
    pattern: str,
    chords: Sequence[ChordSpan],
    start: int,
    length: int,
    memory: list[int],
    voice: int,
) -> list[int]:
    step = length / len(pattern)
    index = 0
    while index < len(pattern):
        sign = pattern[index]
        end = index + 1
        while end < len(pattern) and pattern[end] == "-":
            end += 1
        if sign not in ".-":
            onset, stop = start + round(index * step), start + round(end * step)
            # a held sign is struck again where the chord changes under it
            for begin, finish, chord in _pieces(chords, onset, stop):
                pitches, memory = _pitches(part, sign, chord, memory, voice, chords, finish)
                accent = 6 if begin == start else 0
                line.notes += [(begin, max(finish - begin, 1), p, part.level + accent) for p in pitches]
        index = end
    return memory


def _pieces(chords: Sequence[ChordSpan], onset: int, stop: int) -> list[tuple[int, int, Chord]]:
    found = []
    for span in chords:
        begin, finish = max(onset, round(span.start * STEPS)), min(stop, round(span.end * STEPS))
        if begin < finish:
            found.append((begin, finish, span.chord))
    return found


def near(pitch_class: int, centre: float) -> int:
    """The pitch of a class nearest to a centre."""
    return int(pitch_class + 12 * round((centre - pitch_class) / 12))


def voicing(chord: Chord, centre: float, memory: Sequence[int], size: int = 3) -> list[int]:
    """Close position around a centre: of the inversions, the one that moves least from the last voicing."""
    if chord.root is None:
        return []
    classes = _ordered(chord)[:4]
    if len(classes) > size and size == 3:
        classes.remove(classes[2]) if chord.quality not in ("dim", "hdim7", "aug") else classes.pop()
    best: list[int] = []
    cost = 1e9
    for rotation in range(len(classes)):
        order = classes[rotation:] + classes[:rotation]
        base = near(order[0], centre - 4)
        pitches = [base]
        for p in order[1:]:
            pitches.append(pitches[-1] + (p - pitches[-1]) % 12)
        while len(pitches) < size:
            pitches.append(pitches[len(pitches) - len(classes)] + 12)
        middle = sum(pitches) / len(pitches)
        move = sum(min(abs(p - q) for q in memory) for p in pitches) if memory else 0.0
        total = move + 0.5 * abs(middle - centre)
        if total < cost:
            best, cost = pitches, total
    return best


def _ordered(chord: Chord) -> list[int]:
    from orchestrion.theory.chords import INTERVALS

    assert chord.root is not None
    return [(chord.root + i) % 12 for i in INTERVALS[chord.quality]]


def _pitches(
    part: Part, sign: str, chord: Chord, memory: list[int], voice: int, chords: Sequence[ChordSpan], finish: int
) -> tuple[list[int], list[int]]:
    if chord.root is None:
        return [], memory
    tones = _ordered(chord)
    if part.kind == "drone":
        tonic = chords[-1].chord.root or 0
        return [near(tonic, part.centre), near((tonic + 7) % 12, part.centre + 7)], memory
    if part.kind == "power":
        root = near(chord.root, part.centre)
        return [root, root + 7, root + 12], memory
    if part.kind == "voice":
        target = memory[-1] if memory else part.centre
        centre = 0.7 * target + 0.3 * part.centre
        options = sorted(tones[:3] if voice else tones[-2:] + tones[:2], key=lambda p: abs(near(p, centre) - centre))
        pitch = near(options[0], centre)
        return [pitch], [pitch]
    if part.kind == "chord" or (sign == "x" and part.kind == "bass"):
        centre = part.centre if part.kind == "chord" else part.centre + 14
        voiced = voicing(chord, centre, memory, 4 if len(tones) > 3 and part.kind == "chord" else 3)
        return voiced, voiced
    if part.kind == "broken":
        voiced = voicing(chord, part.centre, memory, 4)
        low = sorted(voiced)
        return [low[min(int(sign), 6) - 1]] if int(sign) <= len(low) else [low[int(sign) - len(low) - 1] + 12], voiced
    root = near(chord.bass if chord.bass is not None else chord.root, part.centre)
    if sign == "L":
        following = chord_at(chords, finish / STEPS + 1e-3)
        target = near(following.root if following.root is not None else chord.root, part.centre)
        return [target - 1 if target > root or target == root else target + 2], memory
    offset = {"R": 0, "5": tones[2 if len(tones) > 2 else -1], "3": tones[1], "8": 12}[sign]
    if sign in "35":
        offset = (offset - chord.root) % 12
        if sign == "5" and root + offset > part.centre + 7:
            offset -= 12
    return [root + offset], memory
