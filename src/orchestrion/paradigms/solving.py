"""The walk that all solvers over noise levels share: at each level the denoiser is asked, then x goes to the next."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from orchestrion.paradigms.denoisers import Denoiser
from orchestrion.paradigms.samplers import Constrain, SamplerStep, Watch


@dataclass(frozen=True, slots=True)
class Step:
    """A step: its number, and the noise levels that it leads from and to."""

    number: int
    sigma: float
    following: float


Advance = Callable[[Step, Tensor, Tensor], Tensor]
"""Step, x and the clean sample that the denoiser sees in it → the next x."""

Raise = Callable[[Tensor, float], tuple[Tensor, float]]
"""x and σ → those that a step really begins with."""


def walk(
    advance: Advance,
    denoiser: Denoiser,
    x: Float[Tensor, "batch ..."],
    sigmas: Float[Tensor, " levels"],
    *,
    constrain: Constrain | None = None,
    watch: Watch | None = None,
    begin: Raise | None = None,
) -> Float[Tensor, "batch ..."]:
    """Takes x from the first level to the last."""
    for number, (sigma, following) in enumerate(itertools.pairwise(sigmas.tolist())):
        x = x if constrain is None else constrain(x, sigma)
        if begin is not None:
            x, sigma = begin(x, sigma)
        clean = denoiser(x, sigma)
        if watch is not None:
            watch(SamplerStep(number, sigma, x, clean))
        x = advance(Step(number, sigma, following), x, clean)
    return x
