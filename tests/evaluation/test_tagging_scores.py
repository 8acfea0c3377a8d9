"""Areas under curves against answers by hand, and the means over windows and tags."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrion.evaluation.tagging import accuracy, pooled, tagging_scores


def test_known_answer():
    labels = np.array([[1, 0, 0], [0, 0, 1], [1, 0, 1], [0, 0, 1]])
    scores = np.array([[0.9, 0.1, 0.1], [0.8, 0.2, 0.9], [0.7, 0.3, 0.8], [0.1, 0.4, 0.7]])
    found = tagging_scores(labels, scores)
    # first tag: ranks of positives 1 and 3; precision 1 and 2/3; pairs in order 3 of 4
    assert found.roc_aucs[0] == pytest.approx(0.75) and found.pr_aucs[0] == pytest.approx(5 / 6)
    assert found.roc_aucs[2] == 1 and found.pr_aucs[2] == 1
    assert found.skipped == (1,) and math.isnan(found.pr_aucs[1])  # skipped, not counted as 0
    assert found.roc_auc == pytest.approx(0.875) and found.pr_auc == pytest.approx(11 / 12)
    assert found.positives == (2, 0, 3)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 12), st.integers(1, 4), st.integers(0, 2**31))
def test_naive_areas(pieces, tags, seed):
    rng = np.random.default_rng(seed)
    labels = (rng.random((pieces, tags)) < 0.5).astype(int)
    scores = rng.integers(0, 5, (pieces, tags)).astype(float)  # with ties
    found = tagging_scores(labels, scores)
    for tag in range(tags):
        yes, no = scores[labels[:, tag] == 1, tag], scores[labels[:, tag] == 0, tag]
        if not len(yes) or not len(no):
            assert tag in found.skipped
            continue
        pairs = [(a > b) + 0.5 * (a == b) for a in yes for b in no]
        assert found.roc_aucs[tag] == pytest.approx(np.mean(pairs))
        recall, area = 0.0, 0.0
        for threshold in sorted(set(scores[:, tag]), reverse=True):
            chosen = scores[:, tag] >= threshold
            new = (labels[chosen, tag].sum()) / len(yes)
            area += (new - recall) * labels[chosen, tag].mean()
            recall = new
        assert found.pr_aucs[tag] == pytest.approx(area)


def test_nothing_to_measure_and_bad_input():
    found = tagging_scores(np.ones((3, 2)), np.zeros((3, 2)))
    assert math.isnan(found.roc_auc) and found.skipped == (0, 1)
    for labels, scores, said in (
        (np.ones((3, 2)), np.ones((3, 1)), "alike"),
        (np.ones((2, 1)), np.array([[np.nan], [0]]), "not numbers"),
        (np.full((2, 1), 2), np.ones((2, 1)), "0 or 1"),
    ):
        with pytest.raises(ValueError, match=said):
            tagging_scores(labels, scores)


def test_pooling_and_accuracy():
    values = np.array([[1.0, 0], [3, 2], [5, 5]], np.float32)
    assert pooled(values, [0, 0, 1], 2).tolist() == [[2, 1], [5, 5]]
    with pytest.raises(ValueError, match="piece 1 has no window"):
        pooled(values, [0, 0, 2], 3)
    assert accuracy([0, 1, 1], np.array([[2, 1], [0, 1], [3, 1]])) == pytest.approx(2 / 3)
