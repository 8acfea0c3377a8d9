"""How well each segment of a piece stands for the rest: fitness scape plots (Müller, Jiang & Grohganz 2014).

The best family of paths over a segment is found by dynamic programming over the rows of the self-similarity matrix. All
segments of one length are done at once, and one integer carries all that is needed of a family: its score, the number
of its cells and the rows it covers, so that nothing is traced back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

_ROWS = 1 << 12  # longer matrices would overflow the fields below
_CELL = 1 << 13  # low 13 bits: covered rows, offset by _ROWS; then 12 bits: cells
_CHOICE = 1 << 25  # two bits to prefer, of equal paths, the diagonal step, then the tall, then the wide one
_SCORE = 1 << 27  # the rest: score in units of 2⁻²⁴
_UNIT = 1 << 24
_KEPT = ~(3 * _CHOICE)
_NEVER = -(1 << 60)
_COUNTS = _CHOICE - 1


@dataclass(frozen=True, slots=True, eq=False)
class Fitness:
    """Figures of the segments of one length, by first frame.

    Attributes:
        score: of the best path family.
        cells: number of its cells.
        coverage: frames that its paths cover.
        fitness: harmonic mean of normalised score and normalised coverage; 0 for a segment that only explains itself.
    """

    score: Float[np.ndarray, " segments"]
    cells: Float[np.ndarray, " segments"]
    coverage: Float[np.ndarray, " segments"]
    fitness: Float[np.ndarray, " segments"]


def segment_fitness(
    matrix: Float[np.ndarray, "frames frames"], *, length: int, starts: Int[np.ndarray, " segments"] | None = None
) -> Fitness:
    """Fitness of segments of `length` frames.

    Args:
        matrix: `self_similarity.keep_strongest`: at most 1, 1 on the diagonal, negative where there is no similarity.
        starts: first frames of the segments; by default all.

    Raises:
        ValueError: the matrix has 4,096 frames or more, or the length is not between 1 and its frames.
    """
    frames = len(matrix)
    if frames >= _ROWS or not 1 <= length <= frames:
        raise ValueError(f"segments of {length} frames cannot be measured in a matrix of {frames}")
    starts = np.arange(frames - length + 1) if starts is None else starts
    whole = np.rint(matrix * _UNIT).astype(np.int64) * _SCORE + _CELL
    columns = np.arange(length)[:, None] + starts
    before = np.full((length + 1, len(starts)), _NEVER)
    last, now = before.copy(), before.copy()
    scratch = np.empty((max(length - 1, 0), len(starts)), np.int64)
    last[0] = _ROWS
    last[1] = _ROWS + whole[0, starts]
    for row in range(1, frames):
        cells = whole[row][columns]
        # up the elevator, or into it from a path that ends in the last column; covered rows are counted when it ends
        np.maximum(last[0] + _CHOICE, last[length] + row, out=now[0])
        now[0] &= _KEPT
        np.add(now[0] - row, cells[0], out=now[1])
        if length > 1:
            rest = now[2:]
            np.add(last[1:length], 2 * _CHOICE, out=rest)
            np.add(before[1:length], _CHOICE, out=scratch)
            # published: a path may enter the second column from the elevator, but is counted as if from the first, and
            # not with a tall step in the first three rows
            counted = np.maximum(rest[0], scratch[0]) if row > 2 else rest[0].copy()
            np.maximum(rest, scratch, out=rest)
            np.maximum(rest, last[: length - 1], out=rest)
            rest[0] = (rest[0] & ~_COUNTS) | (counted & _COUNTS)
            rest &= _KEPT
            rest += cells[1:]
        before, last, now = last, now, before
    packed = np.maximum(last[0], last[length] + frames + _CHOICE) & _KEPT
    score = (packed // _SCORE) / _UNIT
    count = (packed % _CHOICE // _CELL).astype(float)
    coverage = (packed % _CELL - _ROWS).astype(float)
    fitness = _harmonic((score - length) / np.maximum(count, 1), (coverage - length) / frames)
    return Fitness(score, count, coverage, fitness)


def segment_scores(matrix: Float[np.ndarray, "frames frames"], *, length: int) -> Float[np.ndarray, " segments"]:
    """Only the scores of `segment_fitness`, many times as fast, in float32."""
    frames = len(matrix)
    whole = np.ascontiguousarray(matrix, np.float32)
    before = np.full((length + 1, frames - length + 1), -np.inf, np.float32)
    last, now = before.copy(), before.copy()
    last[0], last[1] = 0, whole[0, : frames - length + 1]
    for row in range(1, frames):
        cells = np.lib.stride_tricks.sliding_window_view(whole[row], frames - length + 1)
        np.maximum(last[0], last[length], out=now[0])
        np.maximum(last[1:length], last[: length - 1], out=now[2:])
        np.maximum(now[2:], before[1:length], out=now[2:])
        now[1] = now[0]
        now[1:] += cells
        before, last, now = last, now, before
    return np.maximum(last[0], last[length])


def most_fitness(matrix: Float[np.ndarray, "frames frames"], *, shortest: int, longest: int) -> float:
    """The greatest fitness of all segments of `shortest` to `longest` frames; 0 where the piece is shorter.

    Segments longer than two thirds of the piece explain nothing but themselves (a second path covers at least half of
    theirs) and are not tried. Of the others only those are measured whose score allows for more than the best so far:
    no cell is worth more than 1, and no path covers more than two rows a cell.
    """
    frames, best = len(matrix), 0.0
    bounds: list[tuple[float, int, np.ndarray]] = []
    for length in range(max(shortest, 1), min(longest, 2 * frames // 3) + 1):
        score = segment_scores(matrix, length=length).astype(float) + 1e-3
        bound = _harmonic((score - length) / score, (np.minimum(2 * score, frames) - length) / frames)
        bounds.append((float(bound.max()), length, bound))
    for most, length, bound in sorted(bounds, key=lambda entry: -entry[0]):
        if most <= best:
            break
        starts = np.flatnonzero(bound > best)
        leaders = starts[np.argsort(-bound[starts])[:8]]
        best = max(best, float(segment_fitness(matrix, length=length, starts=leaders).fitness.max()))
        rest = np.setdiff1d(np.flatnonzero(bound > best), leaders)
        if len(rest):
            best = max(best, float(segment_fitness(matrix, length=length, starts=rest).fitness.max()))
    return best


def _harmonic(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Harmonic mean; 0 where one of the two is not positive."""
    both = (first > 0) & (second > 0)
    return np.where(both, 2 * first * second / np.where(both, first + second, 1.0), 0.0)
