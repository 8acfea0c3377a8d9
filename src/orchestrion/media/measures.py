"""What a measure of a written part holds: notes of one value each with ties, tuplets, beams, names and accidentals.

Positions are units of `note_values`, counted from the start of the piece in voices and from the bar line in measures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrion.media.note_values import UNITS, Sounding, Value, written_values
from orchestrion.media.timeline import Timeline, beat_quarters

if TYPE_CHECKING:
    from symusic.core import ScoreTick

_LETTERS = "FCGDAEB"  # by fifths
_CLASSES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure: its borders in units, and what changes in it.

    Attributes:
        metre: numerator and denominator, where they are written.
        key: fifths and 0 for major, 1 for minor, where it is written.
        tempos: positions from the bar line, and quarters a minute.
        implicit: whether it is shorter than its metre asks, as a pick-up is.
        beat: units of a beat, for the beams.
    """

    start: int
    stop: int
    metre: tuple[int, int] | None
    key: tuple[int, int] | None
    tempos: tuple[tuple[int, float], ...]
    implicit: bool
    beat: float


@dataclass(frozen=True, slots=True)
class Written:
    """A note, chord or rest (no pitches) of one value; `start` counts from the bar line."""

    start: int
    value: Value
    pitches: tuple[int, ...]
    tied_back: bool = False
    tied_on: bool = False


def measures(score: ScoreTick, end: int) -> list[Measure]:
    """The measures of a score up to the unit `end`, at least one. Keys and metres count from the bar they stand in."""
    tpq = score.ticks_per_quarter
    timeline = Timeline.from_score(score)
    last = max(float(end) * tpq / UNITS, 1.0)
    count = max(int(np.ceil(timeline.tick_to_bar(last) - 1e-6)), 1)
    ticks = timeline.bar_to_tick(np.arange(count + 1, dtype=np.float64))
    lines = np.maximum.accumulate(np.rint(ticks * UNITS / tpq).astype(np.int64)).tolist()
    keys = {int(timeline.tick_to_bar(float(k.time))): (k.key, k.tonality) for k in _sorted(score.key_signatures)}
    tempos: dict[int, dict[int, float]] = {0: {0: timeline.tempo_at(0)}}
    for event in _sorted(score.tempos):
        bar = int(timeline.tick_to_bar(float(event.time)))
        if event.mspq > 0 and bar < count:
            position = max(round(event.time * UNITS / tpq) - lines[bar], 0)
            tempos.setdefault(bar, {})[position] = 6e7 / event.mspq
    found = []
    before: tuple[int, int] | None = None
    for index in range(count):
        if lines[index + 1] == lines[index]:
            continue  # shorter than a unit
        metre = timeline.metre_at(float(ticks[index]) + 1e-6)
        key = keys.get(index, (0, 0) if index == 0 else None)
        asked = metre[0] * 4 * UNITS / metre[1]
        changes = tuple(sorted(tempos.get(index, {}).items()))
        beat = beat_quarters(*metre) * UNITS
        short = lines[index + 1] - lines[index] < asked - 0.5
        found.append(
            Measure(lines[index], lines[index + 1], metre if metre != before else None, key, changes, short, beat)
        )
        before = metre
    return found


def _sorted(events: Any) -> list[Any]:
    return sorted(events, key=lambda event: event.time)


def write_voice(line: Sequence[Sounding], bars: Sequence[Measure]) -> list[list[Written]]:
    """A voice bar by bar: notes cut at bar lines and into written values, with rests between them."""
    written: list[list[Written]] = [[] for _ in bars]
    waiting = list(reversed(line))
    for index, bar in enumerate(bars):
        position = bar.start
        while position < bar.stop:
            chord = waiting[-1] if waiting else None
            if chord is None or chord.start >= bar.stop:
                stop, pitches, ends = bar.stop, (), True
            elif chord.start > position:
                stop, pitches, ends = chord.start, (), True
            else:
                stop, pitches, ends = min(chord.stop, bar.stop), chord.pitches, chord.stop <= bar.stop
                if ends:
                    waiting.pop()
            began = chord is not None and chord.start < position
            values = written_values(position - bar.start, stop - position)
            for number, value in enumerate(values):
                tied_back = bool(pitches) and (began or number > 0)
                tied_on = bool(pitches) and (not ends or number < len(values) - 1)
                written[index].append(Written(position - bar.start, value, pitches, tied_back, tied_on))
                position += value.units
    return written


def tuplets(line: Sequence[Written]) -> dict[int, tuple[str, ...]]:
    """Where brackets of triplets start and stop, by the index of the note: a bracket fills whole sixteenths."""
    marks: dict[int, tuple[str, ...]] = {}
    first: int | None = None
    for index, written in enumerate(line):
        if not written.value.triplet:
            continue
        first = index if first is None else first
        filled = written.start + written.value.units - line[first].start
        last = index + 1 == len(line) or not line[index + 1].value.triplet
        if filled % 3 == 0 or last:
            marks[index] = ("start", "stop") if first == index else ("stop",)
            if first != index:
                marks[first] = ("start",)
            first = None
    return marks


def beams(line: Sequence[Written], bar: Measure) -> dict[int, str]:
    """The state of the first beam of each note that has one: notes shorter than a quarter within a beat. No beam
    crosses a bracket of triplets, which readers would take for a wider bracket."""
    brackets = tuplets(line)
    groups: list[list[int]] = []
    before: tuple[int, int] | None = None
    bracket = 0
    for index, written in enumerate(line):
        if "start" in brackets.get(index, ()):
            bracket += 1
        place = (int(written.start // bar.beat), bracket)
        if not written.pitches or written.value.type in ("whole", "half", "quarter"):
            before = None
        elif before == place:
            groups[-1].append(index)
        else:
            groups.append([index])
            before = place
        if "stop" in brackets.get(index, ()):
            bracket += 1
    states: dict[int, str] = {}
    for group in groups:
        if len(group) > 1:
            states |= dict.fromkeys(group[1:-1], "continue") | {group[0]: "begin", group[-1]: "end"}
    return states


def spell(pitch: int, fifths: int) -> tuple[str, int, int]:
    """Letter, alteration and octave of a MIDI pitch as a key with so many sharps (flats if negative) names it: the
    seven notes of the key and the five nearest on the line of fifths, two flat and three sharp."""
    position = pitch * 7 % 12  # on the line of fifths from C = 0
    low = fifths - 3  # the scale reaches from fifths - 1 to fifths + 5
    position = low + (position - low) % 12
    letter = _LETTERS[(position + 1) % 7]
    alter = (position + 1) // 7
    octave = (pitch - alter - _CLASSES[letter]) // 12 - 1
    return letter, alter, octave


def accidentals(notes: Sequence[Written], fifths: int) -> set[tuple[int, int]]:
    """The notes of one measure, as start and pitch, that need a sign before them."""
    state: dict[tuple[str, int], int] = {}
    signs = set()
    for written in sorted(notes, key=lambda written: written.start):
        for pitch in written.pitches:
            letter, alter, octave = spell(pitch, fifths)
            usual = (fifths - 1 - _LETTERS.index(letter) + 7) // 7
            if state.get((letter, octave), usual) != alter and not written.tied_back:
                signs.add((written.start, pitch))
                state[letter, octave] = alter
    return signs
