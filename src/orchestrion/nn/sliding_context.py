"""The context of a decoder that writes on and on: when it is full, its oldest tokens go."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from orchestrion.nn.cache import LayerCache, keep_rows


class SlidingContext:
    """What came so far in each row, and the keys and values of as much of it as is attended to.

    Positions count from the first token kept, so keys are computed anew whenever tokens have gone.

    Args:
        step: newest tokens, their labels, caches → logits after the last.
        start: memory and capacity → empty caches.
        memory: of each row.
        prefix: tokens of each row that stand before all others and never go; their labels are 0.
        size: tokens that are attended to, the prefix not counted.
        kept: of these, how many stay when there is no more room; the newest token among them.
    """

    def __init__(
        self,
        step: Callable[[Tensor, Tensor, list[LayerCache]], Tensor],
        start: Callable[..., list[LayerCache]],
        *,
        memory: Float[Tensor, "rows memory width"],
        prefix: Int[Tensor, "rows prefix"],
        size: int,
        kept: int,
    ) -> None:
        self._step, self._start = step, start
        self.memory, self.prefix, self.size, self.kept = memory, prefix, size, kept
        self.tokens = self.labels = prefix[:, :0]
        self.caches: list[LayerCache] | None = None

    def step(self, new: Int[Tensor, "rows new"], labels: Int[Tensor, "rows new"]) -> Float[Tensor, "rows classes"]:
        """Logits after the newest tokens."""
        count, prefix = new.shape[1], self.prefix.shape[1]
        self.tokens, self.labels = torch.cat([self.tokens, new], 1), torch.cat([self.labels, labels], 1)
        full = self.caches is not None and self.caches[0].own.length + count > self.size + prefix
        if self.caches is not None and not full:
            return self._step(new, labels, self.caches)
        kept = self.kept if full else self.size
        self.tokens, self.labels = self.tokens[:, -kept:], self.labels[:, -kept:]
        self.caches = self._start(self.memory, capacity=self.size + prefix)
        outside = torch.zeros_like(self.prefix)
        return self._step(torch.cat([self.prefix, self.tokens], 1), torch.cat([outside, self.labels], 1), self.caches)

    def drop(self, rows: Tensor) -> None:
        """Only the rows listed go on."""
        self.tokens, self.labels = self.tokens[rows], self.labels[rows]
        self.memory, self.prefix = self.memory[rows], self.prefix[rows]
        if self.caches is not None:
            keep_rows(self.caches, rows)
