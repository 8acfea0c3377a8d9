"""Adaptive instance normalisation: the style of one sound, as statistics of features, put on the content of another
(Huang & Belongie 2017, arXiv 1703.06868, eq. 8)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn


class AdaptiveInstanceNorm(nn.Module):
    """Nothing in training; at inference the mean and deviation over time of each channel can be collected from a source
    and a target, and those of the target put in the place of the source's.

    Attributes:
        learning: "source", "target" or None: whose statistics are collected, as running means over calls.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.learning: str | None = None
        self.forget()

    def forget(self) -> None:
        """Drops what was collected."""
        self.statistics: dict[str, tuple[Tensor, Tensor]] = {}
        self.calls: dict[str, int] = {"source": 0, "target": 0}

    def collect(self, whose: str, x: Float[Tensor, "batch channels time"]) -> None:
        """Takes the statistics of `x` into the running means."""
        found = (x.mean(-1, keepdim=True), x.std(-1, keepdim=True))
        count = self.calls[whose]
        old = self.statistics.get(whose, (torch.zeros_like(found[0]), torch.ones_like(found[1])))
        mean, deviation = (before + (now - before) / (count + 1) for before, now in zip(old, found, strict=True))
        self.statistics[whose] = (mean, deviation)
        self.calls[whose] = count + 1

    def forward(self, x: Float[Tensor, "batch channels time"]) -> Float[Tensor, "batch channels time"]:
        if self.training:
            return x
        if self.learning is not None:
            self.collect(self.learning, x)
            if self.learning == "target":
                return x
        if len(self.statistics) < 2:
            return x
        (mean, deviation), (new_mean, new_deviation) = self.statistics["source"], self.statistics["target"]
        return (x - mean) / (deviation + 1e-5) * new_deviation + new_mean

    @property
    def pointwise(self) -> bool:
        """For `streaming.Plan`: with fixed statistics every frame is treated alike."""
        return True


def adaptive_norms(*modules: nn.Module) -> list[AdaptiveInstanceNorm]:
    """All such layers in modules."""
    return [part for module in modules for part in module.modules() if isinstance(part, AdaptiveInstanceNorm)]


@contextmanager
def collecting(whose: str, *modules: nn.Module) -> Iterator[None]:
    """Statistics of whatever goes through the modules inside the block are collected as those of "source" or
    "target"."""
    layers = adaptive_norms(*modules)
    for layer in layers:
        layer.learning = whose
    try:
        yield
    finally:
        for layer in layers:
            layer.learning = None


def forget_styles(*modules: nn.Module) -> None:
    """Drops all that was collected, so that sounds go through unchanged."""
    for layer in adaptive_norms(*modules):
        layer.forget()
