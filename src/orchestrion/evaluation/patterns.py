"""Repeated patterns of a point set: COSIATEC (Meredith, Lemström & Wiggins 2002; Meredith 2013)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

Point = tuple[int, int]
"""Onset in steps, pitch."""


@dataclass(frozen=True, slots=True)
class PatternClass:
    """A pattern and where it comes: its points, and the translations (0, 0 among them) that carry it to others."""

    pattern: tuple[Point, ...]
    translators: tuple[Point, ...]

    @property
    def covered(self) -> set[Point]:
        """All points of all occurrences."""
        return {(x + dx, y + dy) for x, y in self.pattern for dx, dy in self.translators}

    @property
    def cost(self) -> int:
        """|P| + |T| − 1: what it takes to write the covered points down."""
        return len(self.pattern) + len(self.translators) - 1

    @property
    def ratio(self) -> float:
        """Covered points by cost."""
        return len(self.covered) / self.cost

    @property
    def span(self) -> int:
        """Steps from the first onset of the pattern to its last."""
        onsets = [x for x, _ in self.pattern]
        return max(onsets) - min(onsets)


def cosiatec(points: Iterable[Point]) -> list[PatternClass]:
    """Classes of patterns that together cover every point once: again and again the one with the best ratio among those
    of maximal translatable patterns (ties: more points covered, then the earlier), whose points are taken away."""
    left = sorted(set(points))
    found = []
    while left:
        best = _best(left)
        covered = best.covered
        found.append(best)
        left = [point for point in left if point not in covered]
    return found


def _best(points: list[Point]) -> PatternClass:
    """The best class; patterns are tried from the largest down, since no ratio exceeds the size of its pattern."""
    array = np.array(points, np.int64)
    low = array.min(0)
    span = array.max(0) - low + 1
    grid = np.zeros(2 * span + 1, bool)  # room for what falls outside
    grid[tuple((array - low).T)] = True
    patterns: dict[tuple, np.ndarray] = {}
    for dx, dy in {(x2 - x1, y2 - y1) for i, (x1, y1) in enumerate(points) for x2, y2 in points[i + 1 :]}:
        moved = array - low + (dx, dy)
        inside = ((moved >= 0) & (moved < span)).all(1)
        inside[inside] = grid[tuple(moved[inside].T)]
        if inside.sum() > 1:
            pattern = array[inside]
            patterns.setdefault(tuple(map(tuple, (pattern - pattern[0]).tolist())), pattern)
    best = PatternClass((points[0],), tuple((x - points[0][0], y - points[0][1]) for x, y in points))
    rank = (best.ratio, len(best.covered))
    for pattern in sorted(patterns.values(), key=lambda one: (-len(one), tuple(one[0]))):
        if len(pattern) < rank[0]:
            break
        shifts = array - pattern[0]
        places = pattern[:, None] - low + shifts[None]
        fits = ((places >= 0) & (places < span)).all(2)
        clipped = places.clip(0, span - 1)
        fits &= grid[clipped[..., 0], clipped[..., 1]]
        chosen = shifts[fits.all(0)]
        one = PatternClass(tuple(map(tuple, pattern.tolist())), tuple(map(tuple, chosen.tolist())))
        if (one.ratio, len(one.covered)) > rank:
            best, rank = one, (one.ratio, len(one.covered))
    return best


def pattern_compression(points: Iterable[Point]) -> float:
    """Points by the cost of all classes that COSIATEC finds: the more repetition, the greater; NaN without points."""
    chosen = set(points)
    return len(chosen) / sum(one.cost for one in cosiatec(chosen)) if chosen else float("nan")


def pattern_counts(points: Iterable[Point], *, long: int = 64) -> tuple[int, int]:
    """Occurrences of long and of short patterns that come more than once; long ones last `long` steps or more."""
    counts = [0, 0]
    for one in cosiatec(points):
        if len(one.translators) > 1:
            counts[one.span < long] += len(one.translators)
    return counts[0], counts[1]
