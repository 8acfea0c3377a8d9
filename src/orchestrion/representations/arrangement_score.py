"""Scores to arrangements and back: which track plays which role, the grid, accents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import symusic
from symusic.core import ScoreTick

from orchestrion.representations.arrangement import (
    DRUMS,
    DURATIONS,
    GRID,
    LEVELS,
    MAX_NOTES,
    METRES,
    PITCHES,
    ROLES,
    Arrangement,
    Bar,
    Event,
    Part,
    bar_length,
    nearest,
    normalising_shift,
    reduce_quality,
)
from orchestrion.theory.chords import Chord, ChordSpan
from orchestrion.theory.keys import Key

TPQ = 480  # ticks a quarter in scores that are written: the usual resolution of sequencers
LEGATO = 0.6  # a note that fills this share of the time to the next onset is written as filling all of it


def arrange_roles(score: ScoreTick, melody: int | None) -> dict[str, int]:
    """Role → track index. `melody` is the index of the track that carries the tune, if there is one.

    Bass is told by name or by the lowest register; accompaniment by its texture: several notes at once are `chords`
    (the longer-held track is the `pad`), single notes are a `line`, a second one a `counter`. A track for which no
    role is left is left out.
    """
    roles: dict[str, int] = {}
    texture: dict[int, tuple[float, float, float]] = {}
    for index, track in enumerate(score.tracks):
        if not len(track.notes):
            continue
        if track.is_drum:
            roles.setdefault("drums", index)
        elif index == melody:
            roles["melody"] = index
        else:
            notes = track.notes.numpy()
            onsets = len(np.unique(notes["time"]))
            texture[index] = (
                float(np.mean(notes["pitch"])),
                len(notes["time"]) / onsets,
                float(np.mean(notes["duration"])),
            )
    named = [i for i in texture if any(w in score.tracks[i].name.lower() for w in ("bass", "walk", "cello", "left"))]
    low = [i for i in texture if texture[i][0] < 50 and texture[i][1] < 1.5]
    bass = min(named or low, key=lambda i: texture[i][0], default=None)
    if bass is not None:
        roles["bass"] = bass
        del texture[bass]
    for index in sorted(texture, key=lambda i: texture[i][2]):
        single = texture[index][1] < 1.4
        for role in ("line", "counter", "chords", "pad") if single else ("chords", "pad", "line", "counter"):
            if role not in roles:
                roles[role] = index
                break
    return {role: roles[role] for role in ROLES if role in roles}


def from_score(
    score: ScoreTick,
    *,
    key: Key,
    metre: tuple[int, int],
    tempo: float,
    chords: Sequence[ChordSpan],
    melody: int | None,
    genre: str,
    bars: tuple[int, int] | None = None,
) -> Arrangement:
    """The arrangement of a score in one metre whose first bar begins at tick 0. `bars` cuts out [first, last).

    Raises:
        ValueError: the metre is not one of `METRES`.
    """
    if metre not in METRES:
        raise ValueError(f"metre {metre[0]}/{metre[1]} is not in the vocabulary")
    length = bar_length(metre)
    shift = normalising_shift(key)
    end = max((t.notes.numpy()["time"].max() for t in score.tracks if len(t.notes)), default=0)
    n_bars = int(round(end * GRID / score.tpq) // length) + 1
    first, last = bars or (0, n_bars)
    last = min(last, n_bars)
    parts, by_role = [], {}
    for role, index in arrange_roles(score, melody).items():
        track = score.tracks[index]
        notes = track.notes.numpy()
        program = 128 if track.is_drum else int(track.program)
        parts.append(Part(role, program, LEVELS[nearest(LEVELS, float(np.mean(notes["velocity"])))]))
        events = _events(notes, score.tpq, 0 if track.is_drum else shift, role, last * length, 2 * length)
        by_role[role] = _by_bar(events, length)
    content = []
    for bar in range(first, last):
        content.append(
            Bar(
                _bar_chords(chords, bar, length, shift),
                {part.role: tuple(by_role[part.role].get(bar, ())) for part in parts},
            )
        )
    return Arrangement(genre, metre, tempo, key, tuple(parts), content)


def _events(notes: dict, tpq: int, shift: int, role: str, end: int, longest: int) -> list[Event]:
    """Events with absolute grid positions, in time order; none lasts past `end` or longer than `longest` steps."""
    drums = role == "drums"
    onsets = np.rint(notes["time"] * GRID / tpq).astype(int)
    lengths = np.maximum(np.rint(notes["duration"] * GRID / tpq).astype(int), 1)
    legal = DRUMS if drums else PITCHES
    groups: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for onset, length, pitch in zip(onsets.tolist(), lengths.tolist(), notes["pitch"].tolist(), strict=True):
        pitch = pitch + shift
        if onset < end and pitch in legal:
            groups[onset].append((pitch, min(length, end - onset)))
    times = sorted(groups)
    events = []
    for time, following in zip(times, [*times[1:], None], strict=True):
        pitches = _thin(sorted({p for p, _ in groups[time]}), MAX_NOTES[role], role)
        length = 1 if drums else max(d for _, d in groups[time])
        if not drums and following is not None and LEGATO * (following - time) <= length < following - time:
            length = following - time
        if not drums:
            fits = [d for d in DURATIONS if d <= min(end - time, longest)]
            length = fits[nearest(tuple(fits), length)]
        events.append(Event(time, pitches, length))
    return events


def _thin(pitches: list[int], limit: int, role: str) -> tuple[int, ...]:
    """At most `limit` of the ascending pitches: a melody keeps its top, other roles their outer voices."""
    if len(pitches) <= limit:
        return tuple(pitches)
    if role in ("melody", "counter", "line"):
        return tuple(pitches[-limit:])
    return (pitches[0], *pitches[len(pitches) - limit + 1 :])


def _by_bar(events: list[Event], length: int) -> dict[int, list[Event]]:
    bars: dict[int, list[Event]] = defaultdict(list)
    for event in events:
        bars[event.position // length].append(Event(event.position % length, event.pitches, event.duration))
    return bars


def _bar_chords(chords: Sequence[ChordSpan], bar: int, length: int, shift: int) -> tuple[tuple[int, Chord], ...]:
    start, end = bar * length, (bar + 1) * length
    found: list[tuple[int, Chord]] = []
    for span in chords:
        begin, stop = round(span.start * GRID), round(span.end * GRID)
        if stop <= start or begin >= end:
            continue
        chord = span.chord
        if chord.root is not None:
            chord = Chord((chord.root + shift) % 12, reduce_quality(chord.quality))
        position = max(begin - start, 0)
        if found and found[-1][0] == position:
            found.pop()
        if not found or found[-1][1] != chord:
            found.append((position, chord))
    return tuple(found)


def accent(position: int, metre: tuple[int, int]) -> int:
    """Velocity added at a grid position: bar line, then beats, then the rest, as players stress them."""
    beat = GRID * 3 // 2 if metre[1] == 8 and metre[0] % 3 == 0 else GRID * 4 // metre[1]
    if position == 0:
        return 7
    return 2 if position % beat == 0 else -4


def to_score(arrangement: Arrangement, *, tempo: float | None = None) -> ScoreTick:
    """The arrangement as a score in its key, with one track a part, tempo, metre and key signature.

    Notes are held to their full length but never past the last bar line. `tempo` (quarter notes a minute) replaces the
    arrangement's own.
    """
    score: Any = symusic.Score(TPQ)
    numerator, denominator = arrangement.metre
    score.tempos.append(symusic.Tempo(0, tempo or arrangement.tempo))
    score.time_signatures.append(symusic.TimeSignature(0, numerator, denominator))
    score.key_signatures.append(_key_signature(arrangement.key))
    step, length = TPQ // GRID, arrangement.bar_length
    end = len(arrangement.bars) * length
    shift = -normalising_shift(arrangement.key)
    for part in arrangement.parts:
        drums = part.role == "drums"
        track: Any = symusic.Track(part.role, 0 if drums else part.program, drums)
        for index, bar in enumerate(arrangement.bars):
            for event in bar.events.get(part.role, ()):
                onset = index * length + event.position
                velocity = int(np.clip(part.level + accent(event.position, arrangement.metre), 1, 127))
                for pitch in event.pitches:
                    if pitch + (0 if drums else shift) in range(128) and onset < end:
                        track.notes.append(
                            symusic.Note(
                                onset * step,
                                min(event.duration, end - onset) * step,
                                pitch + (0 if drums else shift),
                                velocity,
                            )
                        )
        score.tracks.append(track)
    return score


def _key_signature(key: Key) -> Any:
    major = key.tonic if key.mode == "major" else (key.tonic + 3) % 12
    fifths = (major * 7 + 5) % 12 - 5  # −5 (D♭) to 6 (F♯)
    return symusic.KeySignature(0, fifths, 0 if key.mode == "major" else 1)
