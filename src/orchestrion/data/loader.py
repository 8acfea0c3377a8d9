"""Batches by step: sequences of like lengths together, every item once an epoch, the same for the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

POOL = 64  # batches' worth of items that are sorted by length together: little padding, yet batches stay mixed


class LengthBatches:
    """Which items make up the batch of a step.

    Args:
        lengths: of all items.
        budget: most tokens of a batch with its padding; an item that is longer is a batch of its own.
        seed: of the order.
    """

    def __init__(self, lengths: Sequence[int], *, budget: int, seed: int = 0) -> None:
        if not len(lengths):
            raise ValueError("there are no items to make batches of")
        self.lengths, self.budget, self.seed = np.asarray(lengths), budget, seed
        self._epoch = lru_cache(maxsize=2)(self._make_epoch)
        self.steps_per_epoch = len(self._epoch(0))

    def _make_epoch(self, epoch: int) -> list[np.ndarray]:
        rng = np.random.default_rng((self.seed, epoch))
        order = rng.permutation(len(self.lengths))
        size = max(int(POOL * self.budget / self.lengths.mean()), 1)
        batches: list[np.ndarray] = []
        for start in range(0, len(order), size):
            pool = order[start : start + size]
            pool = pool[np.argsort(self.lengths[pool], kind="stable")]
            first = 0
            for end in range(1, len(pool) + 1):
                longest = self.lengths[pool[min(end, len(pool) - 1)]]
                if end == len(pool) or (end + 1 - first) * longest > self.budget:
                    batches.append(pool[first:end])
                    first = end
        rng.shuffle(batches)  # type: ignore[arg-type]
        return batches

    def __call__(self, step: int) -> np.ndarray:
        """Indices of the items of step `step`, counted from 0 over all epochs."""
        epoch, place = 0, step
        while place >= (count := len(self._epoch(epoch))):
            epoch, place = epoch + 1, place - count
        return self._epoch(epoch)[place]
