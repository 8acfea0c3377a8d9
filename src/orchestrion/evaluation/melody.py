"""Likeness of melodies: histograms, time warping, edits, bars, and themes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence, Set
from itertools import combinations, pairwise

import numpy as np
from jaxtyping import Float

from orchestrion.evaluation.notes import Notes


def histogram_overlap(first: Sequence[Hashable], second: Sequence[Hashable]) -> float:
    """Σ min(p, q) of the shares of values in two sequences: PD for pitches, DD for durations (SongMASS); 1 for equal
    ones, NaN where one is empty. Pitches are absolute: a transposed melody is another."""
    if not len(first) or not len(second):
        return float("nan")
    values = set(first) | set(second)
    a, b = list(first), list(second)
    return float(sum(min(a.count(v) / len(a), b.count(v) / len(b)) for v in values))


def pitch_contour(notes: Notes) -> Float[np.ndarray, " steps"]:
    """Pitch at each sixteenth from the first note to the end of the last; a rest continues the pitch before it."""
    if not len(notes):
        return np.zeros(0)
    step = notes.resolution / 4
    times = np.arange(int(np.ceil((notes.end - notes.start[0]) / step - 1e-9))) * step + notes.start[0]
    return notes.pitch[np.searchsorted(notes.start, times + 1e-9, side="right") - 1].astype(float)


def melody_distance(generated: Float[np.ndarray, " n"], reference: Float[np.ndarray, " m"], *, every: int = 2) -> float:
    """MD of SongMASS: cost of the best alignment (dynamic time warping, absolute difference) of two `pitch_contour`s,
    each `every`-th value of them less their mean, by the length of the generated one; NaN where one is empty."""
    a, b = np.asarray(generated, float)[::every], np.asarray(reference, float)[::every]
    if not len(a) or not len(b):
        return float("nan")
    return warping_cost(a - a.mean(), b - b.mean()) / len(a)


def warping_cost(first: Float[np.ndarray, " n"], second: Float[np.ndarray, " m"]) -> float:
    """Least sum of |a − b| over the pairs of a path from both beginnings to both ends, in steps of one in either or
    both."""
    row = np.full(len(second) + 1, np.inf)
    row[0] = 0.0
    for value in first:
        cost = np.abs(second - value)
        best = np.minimum(row[1:], row[:-1])
        row = np.full(len(second) + 1, np.inf)
        before = np.inf
        for j, (step, entered) in enumerate(zip(cost.tolist(), best.tolist(), strict=True)):
            before = step + min(entered, before)
            row[j + 1] = before
    return float(row[-1])


def edit_similarity(first: Sequence[Hashable], second: Sequence[Hashable]) -> float:
    """1 − Levenshtein distance by the longer length; 1 for two empty sequences."""
    longest = max(len(first), len(second))
    if not longest:
        return 1.0
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        previous, row = row, [i]
        for j, b in enumerate(second, 1):
            row.append(min(previous[j] + 1, row[-1] + 1, previous[j - 1] + (a != b)))
    return 1 - row[-1] / longest


def interval_edit_similarity(first: Notes, second: Notes) -> float:
    """`edit_similarity` of two lines as sequences of (interval from the last note, length in sixteenths, rounded)."""
    return edit_similarity(*(_interval_sequence(notes) for notes in (first, second)))


def _interval_sequence(notes: Notes) -> list[tuple[int, int]]:
    lengths = np.rint((notes.stop - notes.start) * 4 / notes.resolution).astype(int)
    intervals = np.diff(notes.pitch, prepend=notes.pitch[:1])
    return list(zip(intervals.tolist(), lengths.tolist(), strict=True))


def bar_sets(notes: Notes) -> list[frozenset[tuple[int, int, int]]]:
    """Of each bar, its notes as (onset from the bar line, pitch, length)."""
    bars: list[set[tuple[int, int, int]]] = [set() for _ in range(notes.n_bars)]
    begin = notes.start - notes.bars[notes.bar] if len(notes) else notes.start
    for bar, start, pitch, length in zip(notes.bar, begin, notes.pitch, notes.stop - notes.start, strict=True):
        bars[bar].add((int(start), int(pitch), int(length)))
    return [frozenset(bar) for bar in bars]


def jaccard(first: Set[Hashable], second: Set[Hashable]) -> float:
    """|A ∩ B| / |A ∪ B|; NaN for two empty sets."""
    union = len(first | second)
    return len(first & second) / union if union else float("nan")


def similarity_by_distance(bars: Sequence[Set[Hashable]], *, longest: int) -> Float[np.ndarray, " longest"]:
    """L_t for t = 1 … `longest`: mean Jaccard similarity of all pairs of bars t apart; NaN without such pairs."""
    result = np.full(longest, np.nan)
    for t in range(1, min(longest, len(bars) - 1) + 1):
        values = np.array([jaccard(a, b) for a, b in zip(bars, bars[t:], strict=False)])
        values = values[~np.isnan(values)]
        if len(values):
            result[t - 1] = values.mean()
    return result


def similarity_error(
    generated: Sequence[Float[np.ndarray, " t"]], reference: Sequence[Float[np.ndarray, " t"]]
) -> float:
    """SE of Museformer: mean over t of |L_t − L̂_t|, the means over two sets of pieces of `similarity_by_distance`.

    Distances that no piece of one of the sets has do not count.
    """
    made, known = (_column_means(np.stack(list(curves))) for curves in (generated, reference))
    gap = np.abs(made - known)
    gap = gap[~np.isnan(gap)]
    return float(gap.mean()) if len(gap) else float("nan")


def _column_means(table: np.ndarray) -> np.ndarray:
    some = ~np.isnan(table)
    count = some.sum(0)
    return np.where(count > 0, np.where(some, table, 0.0).sum(0) / np.maximum(count, 1), np.nan)


def beat_f1(found: Sequence[bool], truth: Sequence[bool]) -> float:
    """F1 of beats that are inside a theme or segment (Theme Transformer); NaN where neither has any.

    Raises:
        ValueError: the lengths differ.
    """
    if len(found) != len(truth):
        raise ValueError(f"{len(found)} beats cannot be compared with {len(truth)}")
    a, b = np.asarray(found, bool), np.asarray(truth, bool)
    return float(2 * (a & b).sum() / (a.sum() + b.sum())) if a.any() or b.any() else float("nan")


def cohens_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float:
    """κ = (p_o − p_e)/(1 − p_e): agreement of two annotators beyond chance; NaN where both give one and the same label
    to everything, or nothing.

    Raises:
        ValueError: the lengths differ.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} labels cannot be compared with {len(second)}")
    if not first:
        return float("nan")
    observed = np.mean([a == b for a, b in zip(first, second, strict=True)])
    labels = set(first) | set(second)
    chance = sum(list(first).count(v) * list(second).count(v) for v in labels) / len(first) ** 2
    return float((observed - chance) / (1 - chance)) if chance < 1 else float("nan")


def theme_inconsistency(themes: Float[np.ndarray, "regions dimensions"]) -> float:
    """Mean distance of all pairs of embeddings of the theme regions of one piece (Theme Transformer); lower is
    better."""
    pairs = [float(np.linalg.norm(a - b)) for a, b in combinations(themes, 2)]
    return float(np.mean(pairs)) if pairs else float("nan")


def theme_uncontrollability(theme: Float[np.ndarray, " dimensions"], regions: Float[np.ndarray, "regions d"]) -> float:
    """Mean distance of the embedding of the given theme to those of the theme regions; lower is better."""
    return float(np.linalg.norm(regions - theme, axis=1).mean()) if len(regions) else float("nan")


def melody_inconsistency(segments: Float[np.ndarray, "segments dimensions"]) -> float:
    """Mean distance of the embeddings of neighbouring melody segments of two bars."""
    steps = [float(np.linalg.norm(a - b)) for a, b in pairwise(segments)]
    return float(np.mean(steps)) if steps else float("nan")


def theme_gap(regions: Sequence[tuple[float, float]]) -> float:
    """Mean number of bars from the end of a theme region to the beginning of the next; NaN with fewer than two."""
    gaps = [b[0] - a[1] for a, b in pairwise(sorted(regions))]
    return float(np.mean(gaps)) if gaps else float("nan")
