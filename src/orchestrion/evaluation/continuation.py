"""Does what follows belong to what came before? A span of bars measured against the bars before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from orchestrion.evaluation.distances import overlap_area
from orchestrion.evaluation.notes import Notes, onset_grid
from orchestrion.evaluation.pitch import pitch_class_histogram
from orchestrion.theory.keys import ALL_KEYS, key_scores

POSITIONS = 16  # of a bar


@dataclass(frozen=True, slots=True)
class Figure:
    """A measure, what it says, and which values are better: those nearest to the music's own ("own") or the higher."""

    name: str
    meaning: str
    better: Literal["own", "higher"]


FIGURES = (
    Figure("in_key", "share of sounding time in the key of the bars before", "own"),
    Figure("pitch_classes", "overlap of the pitch classes with those of the bars before", "own"),
    Figure("register", "overlap of the pitches with those of the bars before", "own"),
    Figure("groove", "likeness of each bar's rhythm with the nearest before", "own"),
    Figure("density", "notes a bar against the bars before, as a binary logarithm", "own"),
    Figure("silent_bars", "share of bars without a note", "own"),
    Figure("repeated_bars", "share of bars that occur before, note for note", "own"),
    Figure("found_again", "notes shared with the music's own continuation (F1 of onset and pitch)", "higher"),
)


def continuation_figures(notes: Notes, own: Notes, *, known: int, bars: int) -> dict[str, float]:
    """Measures of the bars [known, known + bars) of a piece; NaN where there is nothing to measure.

    Args:
        notes: the piece as it was continued.
        own: the same piece as it goes on of itself, on the same grid.
    """
    before, after, truth = (
        _span(notes, 0, known),
        _span(notes, known, known + bars),
        _span(own, known, known + bars),
    )
    first = pitch_class_histogram(before, weight="duration")
    then = pitch_class_histogram(after, weight="duration")
    scale = sorted(ALL_KEYS[int(np.argmax(key_scores(first)))].scale) if not np.isnan(first).any() else []
    grid = onset_grid(notes, positions=POSITIONS)
    contents = _contents(notes)
    heard = {content for content in contents[:known] if content}
    played = [content for content in contents[known : known + bars] if content]
    return {
        "in_key": float(then[scale].sum()) if scale else float("nan"),
        "pitch_classes": float(np.minimum(first, then).sum()),
        "register": overlap_area(before.pitched.pitch.astype(float), after.pitched.pitch.astype(float))
        if len(before.pitched) > 1 and len(after.pitched) > 1
        else float("nan"),
        "groove": _groove(grid[:known], grid[known : known + bars]),
        "density": float(np.log2((len(after) / bars + 0.5) / (len(before) / known + 0.5))),
        "silent_bars": 1 - len(played) / bars,
        "repeated_bars": float(np.mean([content in heard for content in played])) if played else float("nan"),
        "found_again": _f1(after, truth),
    }


def _span(notes: Notes, first: int, last: int) -> Notes:
    bar = notes.bar
    return notes.select((bar >= first) & (bar < last))


def _groove(before: np.ndarray, after: np.ndarray) -> float:
    """Mean over the bars that play of the likeness of onsets with the most similar bar before."""
    before, after = before[before.any(1)], after[after.any(1)]
    if not len(before) or not len(after):
        return float("nan")
    return float((before[None] == after[:, None]).mean(2).max(1).mean())


def _contents(notes: Notes) -> list[frozenset[tuple[int, int, int]]]:
    """What each bar plays: step in the bar, pitch and program of its notes."""
    found: list[set[tuple[int, int, int]]] = [set() for _ in range(notes.n_bars)]
    for bar, start, pitch, program in zip(notes.bar, notes.start, notes.pitch, notes.program, strict=True):
        found[bar].add((int(start - notes.bars[bar]), int(pitch), int(program)))
    return [frozenset(content) for content in found]


def _f1(found: Notes, truth: Notes) -> float:
    made, meant = (set(zip(one.start.tolist(), one.pitch.tolist(), strict=True)) for one in (found, truth))
    return 2 * len(made & meant) / (len(made) + len(meant)) if made or meant else float("nan")
