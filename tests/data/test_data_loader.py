"""Batches hold every item once an epoch, keep to their budget, and depend on the seed and the step alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrion.data.loader import LengthBatches

LENGTHS = st.lists(st.integers(1, 90), min_size=1, max_size=300)


@settings(deadline=None, max_examples=40)
@given(LENGTHS, st.integers(20, 400), st.integers(0, 5))
def test_every_item_once_an_epoch_within_the_budget(lengths, budget, seed):
    batches = LengthBatches(lengths, budget=budget, seed=seed)
    for epoch in range(2):
        first = sum(len(batches._epoch(e)) for e in range(epoch))
        seen = [batches(first + step) for step in range(len(batches._epoch(epoch)))]
        assert sorted(np.concatenate(seen).tolist()) == list(range(len(lengths)))
        for batch in seen:
            longest = max(lengths[i] for i in batch)
            assert len(batch) == 1 or len(batch) * longest <= budget


def test_the_same_step_has_the_same_items_whatever_came_before():
    lengths = np.random.default_rng(0).integers(1, 50, 500)
    one, two = (LengthBatches(lengths, budget=200, seed=3) for _ in range(2))
    steps = [0, 1, one.steps_per_epoch + 2, 3 * one.steps_per_epoch]
    assert [one(step).tolist() for step in steps] == [two(step).tolist() for step in reversed(steps)][::-1]
    assert one(0).tolist() != LengthBatches(lengths, budget=200, seed=4)(0).tolist()


def test_like_lengths_share_a_batch():
    lengths = np.random.default_rng(0).integers(1, 500, 5000)
    batches = LengthBatches(lengths, budget=4000)
    padded = total = 0
    for step in range(batches.steps_per_epoch):
        batch = lengths[batches(step)]
        padded, total = padded + batch.max() * len(batch), total + batch.sum()
    assert total / padded > 0.95


def test_no_items():
    with pytest.raises(ValueError, match="no items"):
        LengthBatches([], budget=10)
