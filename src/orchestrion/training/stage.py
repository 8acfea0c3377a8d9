"""A training as a list of stages, each with its objectives, written down without a loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from orchestrion.media.audio import Audio
from orchestrion.training.schedules import Schedule, warmup_cosine

__all__ = ["Data", "Loss", "Objective", "Sample", "Share", "Stage", "warmup_cosine"]


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
it draws from the global generators of torch and `random` is the same at each visit of a step, too. Where weights of a
loss move with the step, the step is put into the batch."""

Sample = Audio | Path | np.ndarray
"""Something to hear or see: a sound, the path of a picture, or a picture as uint8 [height, width, 3 or 4]."""


@dataclass(slots=True)
class Objective:
    """Something to minimise.

    Attributes:
        name: in the log.
        loss: takes this share of a batch; also what `Stage.shared` made of it, where there is that.
        parameters: what it trains; all others stay frozen while it runs.
        optimiser: makes the optimiser, e.g. ``lambda p: torch.optim.AdamW(p, lr=1e-3)``.
        schedule: step → factor of the learning rate.
        every: runs in one step of so many (GANs alternate), or in some of them; see `offset`.
        offset: in which of `every` steps, or in which ones: every=4, offset=(1, 2, 3) leaves out steps 0, 4, 8 …
        after: first step in which it may run.
        clip: largest norm of the gradient; None: not clipped.
        through: its gradient goes back through what `Stage.shared` made; the others get that detached.
    """

    name: str
    loss: Callable[..., Loss]
    parameters: Iterable[nn.Parameter]
    optimiser: Callable[[list[nn.Parameter]], torch.optim.Optimizer]
    schedule: Schedule = lambda step: 1.0
    every: int = 1
    clip: float | None = 1.0
    offset: int | Sequence[int] = 0
    after: int = 0
    through: bool = False

    def __post_init__(self) -> None:
        self.parameters = list(self.parameters)

    @property
    def offsets(self) -> tuple[int, ...]:
        """In which of `every` steps it runs."""
        return (self.offset,) if isinstance(self.offset, int) else tuple(self.offset)

    def due(self, step: int) -> bool:
        """Whether it runs in this step."""
        return step >= self.after and step % self.every in self.offsets


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
        precision: "float32" or "bfloat16" (matrix products and convolutions only).
        helpers: modules that are trained or used along but are no part of the system, such as discriminators; they are
            kept in checkpoints, not in its weights.
        shared: batch → what all objectives of a step need, such as the output of the generator: made once for each
            share, and given to each loss after the batch. With shares to accumulate, it is held for all of them.
        start: called before the first step, without gradients and in evaluation mode, to set what later steps rest on
            (the scale of latents); what it writes into buffers is kept in checkpoints.
        end: the same after the last step, on the averaged weights (the principal components of latents).
        samples: things to hear and see by name, made on the averaged weights like `validate`.
        samples_every: steps between; there are some at the end of the stage as well.
        compiled: modules that `Trainer(compile=True)` compiles; the largest that are called often, with few shapes.
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
    shared: Callable[[Any], Any] | None = None
    start: Callable[[], None] | None = None
    end: Callable[[], None] | None = None
    samples: Callable[[], Mapping[str, Sample]] | None = None
    samples_every: int = 5000
    compiled: Sequence[nn.Module] = ()
