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
from orchestrion.paradigms.noise import Noise, NoiseSource, noise_from
from orchestrion.paradigms.one_step_solvers import level_pairs
from orchestrion.paradigms.samplers import Constrain, SamplerStep, Watch


def ancestral_step(sigma: float, following: float, *, eta: float = 1.0) -> tuple[float, float]:
    """The level to go down to, and the standard deviation of the noise that leads back up to `following`."""
    if not eta:
        return following, 0.0
    up = min(following, eta * math.sqrt(following**2 * (sigma**2 - following**2) / sigma**2))
    return math.sqrt(following**2 - up**2), up


Advance = Callable[[Tensor, Tensor, float, float, Noise], Tensor]
"""x, clean sample, σ, next σ (above 0), noise → the next x."""


def _solve(
    advance: Advance,
    denoiser: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: NoiseSource,
    constrain: Constrain | None,
    watch: Watch | None,
) -> Tensor:
    draw = noise_from(noise)
    for number, sigma, following in level_pairs(sigmas):
        x = x if constrain is None else constrain(x, sigma)
        clean = denoiser(x, sigma)
        if watch is not None:
            watch(SamplerStep(number, sigma, x, clean))
        x = clean if following == 0 else advance(x, clean, sigma, following, draw)
    return x


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

    def advance(x: Tensor, clean: Tensor, sigma: float, following: float, draw: Noise) -> Tensor:
        down, up = ancestral_step(sigma, following, eta=eta)
        x = _towards(x, clean, sigma, down)
        return x + draw(x) * (noise_scale * up) if eta else x

    return _solve(advance, denoiser, x, sigmas, noise, constrain, watch)


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

    def advance(x: Tensor, clean: Tensor, sigma: float, following: float, draw: Noise) -> Tensor:
        down, up = ancestral_step(sigma, following, eta=eta)
        if down == 0:
            x = clean
        else:
            middle = math.sqrt(sigma * down)
            between = _towards(x, clean, sigma, middle)
            x = x + (between - denoiser(between, middle)) / middle * (down - sigma)
        return x + draw(x) * (noise_scale * up) if eta else x

    return _solve(advance, denoiser, x, sigmas, noise, constrain, watch)


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

    def advance(x: Tensor, clean: Tensor, sigma: float, following: float, draw: Noise) -> Tensor:
        down, up = ancestral_step(sigma, following, eta=eta)
        if down == 0:
            x = clean
        else:
            middle = math.sqrt(sigma * down)
            x = _towards(x, denoiser(_towards(x, clean, sigma, middle), middle), sigma, down)
        return x + draw(x) * (noise_scale * up) if eta else x

    return _solve(advance, denoiser, x, sigmas, noise, constrain, watch)


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
    share = 1 / (2 * middle_at)

    def descend(x: Tensor, clean: Tensor, sigma: float, following: float, draw: Noise) -> Tensor:
        down, up = ancestral_step(sigma, following, eta=eta)
        x = _towards(x, clean, sigma, down)
        return x + draw(x) * (noise_scale * up) if eta else x

    def advance(x: Tensor, clean: Tensor, sigma: float, following: float, draw: Noise) -> Tensor:
        middle = sigma ** (1 - middle_at) * following**middle_at
        there = denoiser(descend(x, clean, sigma, middle, draw), middle)
        return descend(x, (1 - share) * clean + share * there, sigma, following, draw)

    return _solve(advance, denoiser, x, sigmas, noise, constrain, watch)
