"""The exponential average of weights, which samples better than the last weights do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from orchestrion.training.sharding import is_split


class Average:
    """Average of named parameters: a ← d·a + (1 − d)·w, begun at the weights as they are.

    In the n-th update d is at most (1 + n) / (10 + n), so that the first weights are soon forgotten in short trainings.

    Args:
        parameters: what is averaged, by name.
        decay: d, between 0 and 1.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], *, decay: float) -> None:
        self.parameters = dict(parameters)
        self.decay = decay
        self.updates = 0
        self.values = {name: parameter.detach().clone() for name, parameter in self.parameters.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Takes in the weights as they are now."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        current: list[Tensor] = list(self.parameters.values())
        get_ema_multi_avg_fn(decay)(list(self.values.values()), current, self.updates)

    def swap(self) -> None:
        """Exchanges weights and average, without a copy where weights are not split over processes."""
        for name, parameter in self.parameters.items():
            if is_split(parameter):
                weights = parameter.detach().clone()
                parameter.detach().copy_(self.values[name])
                self.values[name] = weights
            else:
                parameter.data, self.values[name] = self.values[name], parameter.data

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The network has the averaged weights inside the block."""
        self.swap()
        try:
            yield
        finally:
            self.swap()

    def load(self, values: Mapping[str, Tensor], updates: int) -> None:
        """Goes on from an average that was kept."""
        for name, value in self.values.items():
            value.copy_(values[name])
        self.updates = updates
