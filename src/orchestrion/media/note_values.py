"""From ticks to what can be written on a staff: a grid, voices, and notes of one value each.

Lengths and positions are whole units of a twelfth of a quarter: sixteenths and triplets down to the thirty-second.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

UNITS = 12  # a quarter
STRAIGHT = {"whole": 48, "half": 24, "quarter": 12, "eighth": 6, "16th": 3}
TRIPLET = {"whole": 32, "half": 16, "quarter": 8, "eighth": 4, "16th": 2, "32nd": 1}  # three in the time of two
ON_GRID = 0.98  # share of notes on the grid from which a score counts as written, not played


@dataclass(frozen=True, slots=True)
class Value:
    """A written value: name, dots, and whether it is a triplet."""

    units: int
    type: str
    dots: int
    triplet: bool


VALUES = tuple(
    sorted(
        [Value(units, name, 0, False) for name, units in STRAIGHT.items()]
        + [Value(units * 3 // 2, name, 1, False) for name, units in STRAIGHT.items() if units % 2 == 0]
        + [Value(units, name, 0, True) for name, units in TRIPLET.items()],
        key=lambda value: -value.units,
    )
)


@dataclass(frozen=True, slots=True)
class Sounding:
    """Notes that begin and end together; `pitches` from the lowest."""

    start: int
    stop: int
    pitches: tuple[int, ...]


def written_values(start: int, length: int) -> list[Value]:
    """The values, tied together, that fill `length` units from the position `start` in the bar, the fewest that read
    well: straight values on sixteenths, triplets on their own grid."""
    for value in VALUES:
        if value.units == length and (not value.triplet or start % 2 == 0):
            return [value]
    found = []
    while length:
        value = next(v for v in VALUES if v.units <= length and (v.units == 1 or start % (2 if v.triplet else 3) == 0))
        found.append(value)
        start += value.units
        length -= value.units
    return found


def to_units(tracks: Sequence[Any], tpq: int) -> list[tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]]:
    """Starts and stops of the notes of each track in units.

    A score that lies on the grid keeps every length; one that was played is drawn, quarter by quarter, to sixteenths or
    to triplets, whichever its onsets are nearer to. No note is shorter than a unit.
    """
    notes = [track.notes.numpy() for track in tracks]
    starts = [note["time"].astype(np.float64) * UNITS / tpq for note in notes]
    stops = [(note["time"].astype(np.float64) + note["duration"]) * UNITS / tpq for note in notes]
    every = np.concatenate([*starts, np.zeros(1)])
    written = np.mean(np.abs(every - np.rint(every)) < 0.02) >= ON_GRID
    triplets = _triplet_quarters(every) if not written else frozenset()
    result = []
    for start, stop in zip(starts, stops, strict=True):
        begin, end = (np.rint(x).astype(np.int64) if written else _snap(x, triplets) for x in (start, stop))
        result.append((begin, np.maximum(end, begin + 1)))
    return result


def _triplet_quarters(onsets: Any) -> frozenset[int]:
    """Quarters whose onsets are nearer to a grid of triplets than to sixteenths."""
    quarters = np.floor(onsets / UNITS + 1 / UNITS).astype(np.int64)
    balance: dict[int, float] = defaultdict(float)
    for quarter, straight, triplet in zip(quarters.tolist(), _error(onsets, 3), _error(onsets, 4), strict=True):
        balance[quarter] += triplet - straight
    return frozenset(quarter for quarter, value in balance.items() if value < 0)


def _error(onsets: Any, step: int) -> list[float]:
    return np.square(onsets - step * np.rint(onsets / step)).tolist()


def _snap(positions: Any, triplets: frozenset[int]) -> Any:
    quarters = np.floor(positions / UNITS + 1 / UNITS).astype(np.int64)
    steps = np.array([4 if quarter in triplets else 3 for quarter in quarters.tolist()], dtype=np.int64)
    return (np.rint(positions / steps) * steps).astype(np.int64) if len(positions) else quarters


def voices(starts: Any, stops: Any, pitches: Any) -> list[list[Sounding]]:
    """Notes as voices in which no two overlap; notes that begin and end together are one chord.

    A pitch that is struck again while it sounds stays in the voice that is free for it.
    """
    chords: dict[tuple[int, int], set[int]] = defaultdict(set)
    for start, stop, pitch in zip(starts.tolist(), stops.tolist(), pitches.tolist(), strict=True):
        chords[start, stop].add(pitch)
    ordered = sorted(chords.items(), key=lambda item: (item[0][0], -max(item[1]), item[0][1]))
    lines: list[list[Sounding]] = []
    for (start, stop), together in ordered:
        chord = Sounding(start, stop, tuple(sorted(together)))
        free = next((line for line in lines if line[-1].stop <= start), None)
        if free is None:
            lines.append([chord])
        else:
            free.append(chord)
    return lines
