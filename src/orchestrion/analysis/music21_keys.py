"""Keys of MIDI notes exactly as music21 10 finds them, which the pipelines of MidiCaps and Music FaderNets ask.

It reads notes that begin and end together as one chord, rounds lengths to sixteenths or eighth triplets, and compares
the lengths of the pitch classes with the Aarden profiles.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Float

from orchestrion.theory.keys import ALL_KEYS, PROFILES

MARKS = ("set_tempo", "time_signature", "key_signature", "track_name", "instrument_name", "program_change")
_GRID = (4, 3)  # parts of a quarter


@dataclass(frozen=True, slots=True)
class TickNote:
    """A note of a MIDI track in ticks, in the order of the file; drums lend chords their length but no pitch."""

    start: int
    end: int
    pitch: int
    drum: bool = False


@dataclass(frozen=True, slots=True)
class _Heard:
    """A note or chord: where it begins and how long it is in quarters, and its pitches."""

    start: float
    length: float
    pitches: tuple[int, ...]
    ignored: bool  # one drum alone


def music21_histogram(
    tracks: Sequence[Sequence[TickNote]], ticks_per_quarter: int, *, marks: Sequence[Collection[int]] = ()
) -> Float[np.ndarray, " 12"] | None:
    """Quarters of each pitch class. Chords of drums count as music, without a pitch; None where there is none.

    Args:
        marks: of each track, the ticks of other events that notes are made to reach: `MARKS`.
    """
    totals, empty = [Fraction(0)] * 12, True
    for track, others in zip(tracks, marks or [()] * len(tracks), strict=True):
        starts = [_nearest(tick / ticks_per_quarter) for tick in others]
        for one, length in _rounded(_chords(track, ticks_per_quarter), starts):
            empty = empty and one.ignored
            for pitch in one.pitches:
                totals[pitch % 12] += Fraction(length).limit_denominator(12)
    return None if empty else np.array([float(total) for total in totals])


def _chords(notes: Sequence[TickNote], ticks: int) -> list[_Heard]:
    tolerance = ticks / max(_GRID)
    gathered = [False] * len(notes)
    found = []
    for i, note in enumerate(notes):
        if gathered[i]:
            continue
        chord = [note]
        for j in range(i + 1, len(notes)):
            if abs(notes[j].start - note.start) >= tolerance:
                break
            if abs(notes[j].end - note.end) <= tolerance:
                chord.append(notes[j])
                gathered[j] = True
        length = (chord[-1].end - chord[-1].start) / ticks  # of the last one, whichever is longest
        pitches = () if any(one.drum for one in chord) else tuple(one.pitch for one in chord)
        found.append(_Heard(note.start / ticks, length, pitches, ignored=chord == [note] and note.drum))
    return sorted(found, key=lambda one: one.start)


def _rounded(heard: Sequence[_Heard], others: Sequence[float]) -> Iterable[tuple[_Heard, float]]:
    """Lengths on the grid. Of its two units the one is taken that leaves no gap before what comes next."""
    starts = [_nearest(one.start) for one in heard]
    order = sorted({*starts, *others})
    for one, start in zip(heard, starts, strict=True):
        after = bisect_right(order, start)
        gap = float(Fraction(order[after] - start).limit_denominator(65535)) if after < len(order) else 0.0
        yield one, _nearest(one.length, gap, positive=True) if one.length else 0.0


def _nearest(value: float, gap: float = 0.0, *, positive: bool = False) -> float:
    found = []
    for parts in _GRID:
        unit = 1 / parts
        low = unit * math.floor(value / unit)
        match = low if value <= low + unit / 2 else unit * (math.floor(value / unit) + 1)
        if positive and not match:
            match = unit
        left = 0.0 if gap % unit == 0 else max(gap - match, 0.0)
        found.append((left, round(abs(value - match), 7), unit, match))
    return min(found)[3]


def music21_scores(histogram: Float[np.ndarray, " 12"]) -> Float[np.ndarray, " 24"]:
    """Correlations in the order of `ALL_KEYS`, summed as music21 sums, so that ties break alike; 0 for a flat one."""
    values = [float(value) for value in histogram]
    mean = sum(values) / 12
    found = []
    for profile in PROFILES["aarden_essen"]:
        middle = sum(profile) / 12
        for tonic in range(12):
            top = square = spread = 0.0
            for j, value in enumerate(values):
                weight = profile[(j - tonic) % 12] - middle
                top += weight * (value - mean)
                square += weight**2
                spread += (value - mean) ** 2
            found.append(top / (square * spread) ** 0.5 if spread else 0.0)
    return np.array(found)


def music21_best(scores: Float[np.ndarray, " 24"]) -> int:
    """Place of the best key in `ALL_KEYS`; of equal ones the highest tonic, then the minor one."""
    return max(range(24), key=lambda place: (scores[place], ALL_KEYS[place].tonic, place))
