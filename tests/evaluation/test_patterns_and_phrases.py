"""Patterns against a naive version and known answers; metrics of phrases with known answers."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrion.analysis.skeleton import Phrases
from orchestrion.analysis.skyline import Line
from orchestrion.evaluation.patterns import PatternClass, cosiatec, pattern_compression, pattern_counts
from orchestrion.evaluation.phrasing import (
    boundary_scores,
    pentatonic_consistency,
    phrase_final_lengthening,
    phrase_rhythm_similarity,
    skeleton_recall,
)

MOTIF = [(0, 60), (1, 67), (3, 61), (4, 70)]


def moved(pattern, dx, dy):
    return [(x + dx, y + dy) for x, y in pattern]


def test_a_motif_three_times():
    points = [*MOTIF, *moved(MOTIF, 10, 5), *moved(MOTIF, 25, -3)]
    classes = cosiatec(points)
    assert len(classes) == 1 and classes[0].ratio == 12 / 6
    assert {tuple(sorted(c.translators)) for c in classes} == {((0, 0), (10, 5), (25, -3))} and classes[0].span == 4
    assert pattern_compression(points) == 2.0
    assert pattern_counts(points) == (0, 3) and pattern_counts(points, long=4) == (3, 0)


def test_nothing_comes_again():
    assert pattern_compression([(0, 60)]) == 1.0
    assert math.isnan(pattern_compression([]))
    assert pattern_compression([(n, 60) for n in range(8)]) == 1.0  # k notes, 9 − k times: k + 9 − k − 1 = 8


def naive(points):
    left = sorted(set(points))
    total = 0
    while left:
        candidates = []
        for a in left:
            for b in left:
                v = (b[0] - a[0], b[1] - a[1])
                pattern = [p for p in left if (p[0] + v[0], p[1] + v[1]) in left]
                origin = pattern[0]
                shifts = [(q[0] - origin[0], q[1] - origin[1]) for q in left]
                kept = [s for s in shifts if all((p[0] + s[0], p[1] + s[1]) in left for p in pattern)]
                candidates.append(PatternClass(tuple(pattern), tuple(kept)))
        candidates.append(PatternClass((left[0],), tuple((q[0] - left[0][0], q[1] - left[0][1]) for q in left)))
        best = max(candidates, key=lambda one: (one.ratio, len(one.covered)))
        total += best.cost
        left = [p for p in left if p not in best.covered]
        yield best.ratio


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(60, 66)), min_size=1, max_size=12))
@settings(max_examples=25, deadline=None)
def test_the_first_class_is_the_best_there_is(points):
    found = cosiatec(points)
    assert set().union(*(one.covered for one in found)) == set(points)
    assert sum(len(one.covered) for one in found) == len(set(points))
    assert found[0].ratio == pytest.approx(next(naive(points)))


def line(lengths, pitches, metre=(2, 4)):
    stop = np.cumsum(lengths)
    return Line(stop - lengths, stop, np.array(pitches), metre)


def test_phrases():
    tune = line([2, 2, 4, 2, 2, 4, 1, 1, 2, 4], [60, 62, 64, 67, 69, 60, 60, 62, 65, 66])
    phrases = Phrases.at([3, 6], 10)
    assert phrases.spans == [(0, 3), (3, 6), (6, 10)]
    assert phrase_rhythm_similarity(tune, phrases) == pytest.approx((1 + 3 / 4 + 3 / 4) / 3)
    assert phrase_final_lengthening(tune, phrases) == 1.0
    assert phrase_final_lengthening(line([4, 2], [60, 62]), Phrases.at([], 2)) == 0.0
    weights = {0: 7, 2: 3, 4: 4, 7: 2, 9: 2, 5: 2, 6: 4}
    assert pentatonic_consistency(tune) == pytest.approx((7 + 3 + 4 + 4 + 2) / sum(weights.values()))
    assert math.isnan(phrase_rhythm_similarity(tune, Phrases.at([], 10)))
    assert skeleton_recall(tune, tune.select(np.array([0, 3]))) == 1.0
    assert skeleton_recall(tune, line([2, 2], [60, 63])) == 0.5
    assert math.isnan(skeleton_recall(tune, tune.select(np.zeros(0, int))))


def test_boundaries():
    truth, found = Phrases.at([3, 6, 9], 12), Phrases.at([3, 7], 12)
    assert boundary_scores([found], [truth]) == (0.5, pytest.approx(1 / 3), pytest.approx(0.4))
    assert all(math.isnan(value) for value in boundary_scores([Phrases.at([], 4)], [Phrases.at([], 4)]))
