"""Solvers over noise levels that forget each step when it is done: Euler, Heun and the midpoint rule, with churn.

They follow dx/dσ = (x − D(x, σ))/σ from large σ to small (Karras et al. 2022, algorithms 1 and 2). With churn each step
first goes a little back up by adding noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from orchestrion.paradigms.denoisers import Denoiser
from orchestrion.paradigms.noise import NoiseSource, noise_from
from orchestrion.paradigms.samplers import Constrain, Watch
from orchestrion.paradigms.solving import Step, walk


@dataclass(frozen=True, slots=True)
class Churn:
    """Noise added before a step.

    Attributes:
        amount: S_churn, spread over the steps.
        low, high: S_tmin and S_tmax, the levels between which it is added.
        scale: S_noise, a little above 1 to make up for detail that is lost.
    """

    amount: float = 0.0
    low: float = 0.0
    high: float = math.inf
    scale: float = 1.0

    def raised(self, sigma: float, steps: int) -> float:
        """The level to go back up to."""
        within = self.low <= sigma <= self.high
        return sigma * (1 + (min(self.amount / steps, math.sqrt(2) - 1) if within else 0.0))


NO_CHURN = Churn()


def _solve(
    slide: Callable[[Tensor, Tensor, float, float], Tensor],
    denoiser: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    churn: Churn,
    noise: NoiseSource,
    constrain: Constrain | None,
    watch: Watch | None,
) -> Tensor:
    draw = noise_from(noise)

    def begin(x: Tensor, sigma: float) -> tuple[Tensor, float]:
        extra, level = churn.scale * draw(x), churn.raised(sigma, len(sigmas) - 1)
        return x + extra * math.sqrt(max(level**2 - sigma**2, 0.0)), level

    def advance(step: Step, x: Tensor, clean: Tensor) -> Tensor:
        return slide(x, (x - clean) / step.sigma, step.sigma, step.following)

    return walk(advance, denoiser, x, sigmas, constrain=constrain, watch=watch, begin=begin if churn.amount else None)


def euler(
    denoiser: Denoiser,
    x: Float[Tensor, "batch ..."],
    sigmas: Float[Tensor, " levels"],
    *,
    churn: Churn = NO_CHURN,
    noise: NoiseSource = None,
    constrain: Constrain | None = None,
    watch: Watch | None = None,
) -> Float[Tensor, "batch ..."]:
    """x ← x + (σ′ − σ)·dx/dσ: first order; with σ′ = 0 the step goes to the clean sample."""

    def slide(x: Tensor, slope: Tensor, sigma: float, following: float) -> Tensor:
        return x + slope * (following - sigma)

    return _solve(slide, denoiser, x, sigmas, churn, noise, constrain, watch)


def heun(
    denoiser: Denoiser,
    x: Float[Tensor, "batch ..."],
    sigmas: Float[Tensor, " levels"],
    *,
    churn: Churn = NO_CHURN,
    noise: NoiseSource = None,
    constrain: Constrain | None = None,
    watch: Watch | None = None,
) -> Float[Tensor, "batch ..."]:
    """The mean of the slopes at both ends of each step: second order, two calls a step but for the last."""

    def slide(x: Tensor, slope: Tensor, sigma: float, following: float) -> Tensor:
        ahead = x + slope * (following - sigma)
        if following == 0:
            return ahead
        slope_there = (ahead - denoiser(ahead, following)) / following
        return x + (slope + slope_there) / 2 * (following - sigma)

    return _solve(slide, denoiser, x, sigmas, churn, noise, constrain, watch)


def midpoint(
    denoiser: Denoiser,
    x: Float[Tensor, "batch ..."],
    sigmas: Float[Tensor, " levels"],
    *,
    churn: Churn = NO_CHURN,
    noise: NoiseSource = None,
    constrain: Constrain | None = None,
    watch: Watch | None = None,
) -> Float[Tensor, "batch ..."]:
    """The slope at the geometric middle of each step (DPM-Solver-2): second order, two calls a step but the last."""

    def slide(x: Tensor, slope: Tensor, sigma: float, following: float) -> Tensor:
        if following == 0:
            return x + slope * (following - sigma)
        middle = math.sqrt(sigma * following)
        between = x + slope * (middle - sigma)
        return x + (between - denoiser(between, middle)) / middle * (following - sigma)

    return _solve(slide, denoiser, x, sigmas, churn, noise, constrain, watch)
