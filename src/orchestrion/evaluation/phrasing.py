"""Metrics of phrases in a tune: boundaries, rhythm that comes again, long last notes, five tones; skeletons kept."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from orchestrion.analysis.skeleton import Phrases
from orchestrion.analysis.skyline import Line


def boundary_scores(found: Sequence[Phrases], truth: Sequence[Phrases]) -> tuple[float, float, float]:
    """Precision, recall and F of the notes that begin phrases, the first note of each tune left out, over all tunes."""
    hits = made = real = 0
    for one, other in zip(found, truth, strict=True):
        ours, theirs = set(one.starts[1:]), set(other.starts[1:])
        hits, made, real = hits + len(ours & theirs), made + len(ours), real + len(theirs)
    precision, recall = (hits / count if count else float("nan") for count in (made, real))
    return precision, recall, 2 * hits / (made + real) if made + real else float("nan")


def phrase_rhythm_similarity(line: Line, phrases: Phrases) -> float:
    """Mean over pairs of phrases of the onsets they share by those that either has, on sixteenths from their
    beginnings; NaN with one phrase."""
    grids = [set((line.start[a:b] - line.start[a]).tolist()) for a, b in phrases.spans]
    values = [len(a & b) / len(a | b) for a, b in combinations(grids, 2)]
    return float(np.mean(values)) if values else float("nan")


def phrase_final_lengthening(line: Line, phrases: Phrases) -> float:
    """Share of phrases whose last note is longer than their mean note; NaN without phrases."""
    length = line.stop - line.start
    values = [length[b - 1] > length[a:b].mean() for a, b in phrases.spans]
    return float(np.mean(values)) if values else float("nan")


def pentatonic_consistency(line: Line) -> float:
    """Share of sounding time on the five commonest pitch classes; NaN without notes."""
    if not len(line):
        return float("nan")
    weight = np.sort(np.bincount(line.pitch % 12, line.stop - line.start, minlength=12))
    return float(weight[-5:].sum() / weight.sum())


def skeleton_recall(line: Line, skeleton: Line) -> float:
    """Share of the skeleton's notes that a tune has at the same time and pitch; NaN without a skeleton."""
    notes = set(zip(line.start.tolist(), line.pitch.tolist(), strict=True))
    wanted = list(zip(skeleton.start.tolist(), skeleton.pitch.tolist(), strict=True))
    return sum(note in notes for note in wanted) / len(wanted) if wanted else float("nan")
