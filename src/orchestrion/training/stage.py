"""A training as a list of stages, each with its objectives, written down without a loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Loss:
    """The loss of one share of a batch.

    Attributes:
        value: mean over what is counted; what is minimised.
        weight: how many things were counted (tokens, items), so that shares of one batch average rightly.
        parts: other figures for the log.
    """

    value: Tensor
    weight: float = 1.0
    parts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Share:
    """Which share of a global batch is wanted: number `part` of `parts` equal ones (processes × accumulation steps)."""

    part: int = 0
    parts: int = 1

    def of(self, items: Sequence[Any]) -> Sequence[Any]:
        """The items of this share: every `parts`-th from `part` on."""
        return items[self.part :: self.parts]


Data = Callable[[int, Share], Any]
"""Step → this share of the step's batch. It depends on nothing else, so that a resumed run sees the same batches. What
it draws from the global generators of torch and `random` is the same at each visit of a step, too."""


@dataclass(slots=True)
class Objective:
    """Something to minimise.

    Attributes:
        name: in the log.
        loss: takes this share of a batch.
        parameters: what it trains; all others stay frozen while it runs.
        optimiser: makes the optimiser, e.g. ``lambda p: torch.optim.AdamW(p, lr=1e-3)``.
        schedule: step → factor of the learning rate.
        every: runs in one step of so many (GANs alternate).
        clip: largest norm of the gradient; None: not clipped.
    """

    name: str
    loss: Callable[[Any], Loss]
    parameters: Iterable[nn.Parameter]
    optimiser: Callable[[list[nn.Parameter]], torch.optim.Optimizer]
    schedule: Callable[[int], float] = lambda step: 1.0
    every: int = 1
    clip: float | None = 1.0

    def __post_init__(self) -> None:
        self.parameters = list(self.parameters)


@dataclass(slots=True)
class Stage:
    """One phase of a training.

    Attributes:
        name: in the log and in checkpoints.
        steps: how many.
        data: batches by step.
        objectives: run in this order in every step.
        validate: figures to log, measured on the averaged weights where there are any.
        validate_every: steps between.
        ema: decay of the average of weights, which replaces them at the end of the stage; None: no average.
        ema_every: steps between updates of the average.
        precision: "float32" or "bfloat16" (matrix products only).
        helpers: modules that are trained or used along but are no part of the system, such as discriminators; they are
            kept in checkpoints, not in its weights.
    """

    name: str
    steps: int
    data: Data
    objectives: Sequence[Objective]
    validate: Callable[[], Mapping[str, float]] | None = None
    validate_every: int = 1000
    ema: float | None = None
    ema_every: int = 1
    precision: str = "float32"
    helpers: Mapping[str, nn.Module] = field(default_factory=dict)


def warmup_cosine(warmup: int, steps: int, floor: float = 0.05) -> Callable[[int], float]:
    """Learning-rate factor: linear from 0 over `warmup` steps, then half a cosine down to `floor` at `steps`."""
    import math

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        progress = min((step - warmup) / max(steps - warmup, 1), 1.0)
        return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))

    return factor
