"""Solvers over noise levels that go down further than the next level and come up to it with fresh noise.

How much is fresh is η: 0 draws nothing and 1 forgets most. None is added in a last step to σ = 0. In the formulas λ =
−log σ and h is a step in λ.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from orchestrion.paradigms.denoisers import Denoiser
from orchestrion.paradigms.noise import NoiseSource, noise_from
from orchestrion.paradigms.samplers import Constrain, Watch
from orchestrion.paradigms.solving import Step, walk


def ancestral_step(sigma: float, following: float, *, eta: float = 1.0) -> tuple[float, float]:
    """The level to go down to, and the standard deviation of the noise that leads back up to `following`."""
    if not eta:
        return following, 0.0
    up = min(following, eta * math.sqrt(following**2 * (sigma**2 - following**2) / sigma**2))
    return math.sqrt(following**2 - up**2), up


Descend = Callable[[Tensor, Tensor, float, float], Tensor]
"""x, clean sample, σ, lower σ (above 0) → x there."""


def _ancestral(
    descend: Descend,
    denoiser: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    eta: float,
    noise_scale: float,
    noise: NoiseSource,
    constrain: Constrain | None,
    watch: Watch | None,
) -> Tensor:
    draw = noise_from(noise)

    def advance(step: Step, x: Tensor, clean: Tensor) -> Tensor:
        if step.following == 0:
            return clean
        down, up = ancestral_step(step.sigma, step.following, eta=eta)
        x = clean if down == 0 else descend(x, clean, step.sigma, down)
        return x + draw(x) * (noise_scale * up) if eta else x

    return walk(advance, denoiser, x, sigmas, constrain=constrain, watch=watch)


def _towards(x: Tensor, clean: Tensor, sigma: float, lower: float) -> Tensor:
    """The exact way to a lower level if the clean sample does not change: (σ′/σ)·x + (1 − σ′/σ)·D."""
    return lower / sigma * x + (1 - lower / sigma) * clean


def euler_ancestral(
    denoiser: Denoiser,
    x: Float[Tensor, "batch ..."],
    sigmas: Float[Tensor, " levels"],
    *,
    eta: float = 1.0,
    noise_scale: float = 1.0,
    noise: NoiseSource = None,
    constrain: Constrain | None = None,
    watch: Watch | None = None,
) -> Float[Tensor, "batch ..."]:
    """Euler's rule with fresh noise in each step."""
    return _ancestral(_towards, denoiser, x, sigmas, eta, noise_scale, noise, constrain, watch)


def midpoint_ancestral(
    denoiser: Denoiser,
    x: Float[Tensor, "batch ..."],
    sigmas: Float[Tensor, " levels"],
    *,
    eta: float = 1.0,
    noise_scale: float = 1.0,
    noise: NoiseSource = None,
    constrain: Constrain | None = None,
    watch: Watch | None = None,
) -> Float[Tensor, "batch ..."]:
    """The midpoint rule (DPM-Solver-2) with fresh noise in each step."""

    def descend(x: Tensor, clean: Tensor, sigma: float, down: float) -> Tensor:
        middle = math.sqrt(sigma * down)
        between = _towards(x, clean, sigma, middle)
        return x + (between - denoiser(between, middle)) / middle * (down - sigma)

    return _ancestral(descend, denoiser, x, sigmas, eta, noise_scale, noise, constrain, watch)


def dpmpp_2s_ancestral(
    denoiser: Denoiser,
    x: Float[Tensor, "batch ..."],
    sigmas: Float[Tensor, " levels"],
    *,
    eta: float = 1.0,
    noise_scale: float = 1.0,
    noise: NoiseSource = None,
    constrain: Constrain | None = None,
    watch: Watch | None = None,
) -> Float[Tensor, "batch ..."]:
    """DPM-Solver++(2S) (Lu et al. 2022, algorithm 1, r = ½) with fresh noise; η = 0 is the solver itself."""

    def descend(x: Tensor, clean: Tensor, sigma: float, down: float) -> Tensor:
        middle = math.sqrt(sigma * down)
        return _towards(x, denoiser(_towards(x, clean, sigma, middle), middle), sigma, down)

    return _ancestral(descend, denoiser, x, sigmas, eta, noise_scale, noise, constrain, watch)


def dpmpp_sde(
    denoiser: Denoiser,
    x: Float[Tensor, "batch ..."],
    sigmas: Float[Tensor, " levels"],
    *,
    eta: float = 1.0,
    noise_scale: float = 1.0,
    middle_at: float = 0.5,
    noise: NoiseSource = None,
    constrain: Constrain | None = None,
    watch: Watch | None = None,
) -> Float[Tensor, "batch ..."]:
    """DPM-Solver++ for the stochastic equation, single step: two calls and two draws a step.

    Args:
        middle_at: r, where between both ends (in λ) the second call is made.
    """
    share, draw = 1 / (2 * middle_at), noise_from(noise)

    def descend(x: Tensor, clean: Tensor, sigma: float, following: float) -> Tensor:
        down, up = ancestral_step(sigma, following, eta=eta)
        x = _towards(x, clean, sigma, down)
        return x + draw(x) * (noise_scale * up) if eta else x

    def advance(step: Step, x: Tensor, clean: Tensor) -> Tensor:
        if step.following == 0:
            return clean
        middle = step.sigma ** (1 - middle_at) * step.following**middle_at
        there = denoiser(descend(x, clean, step.sigma, middle), middle)
        return descend(x, (1 - share) * clean + share * there, step.sigma, step.following)

    return walk(advance, denoiser, x, sigmas, constrain=constrain, watch=watch)
