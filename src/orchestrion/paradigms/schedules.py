"""Noise schedules: how much of the data is left at each step, which steps a sampler visits, and noise levels σ.

Two ways to write the same thing: variance preserving, x_t = √ᾱ_t·x_0 + √(1 − ᾱ_t)·ε for steps t = 0 … T − 1 (Ho et al.
2020), and variance exploding, x_σ = x_0 + σ·ε, where σ = √((1 − ᾱ)/ᾱ) (Karras et al. 2022). Tables are float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

SPACINGS = ("leading", "trailing", "linspace", "strided")


@dataclass(frozen=True, slots=True, eq=False)
class NoiseSchedule:
    """ᾱ for every step.

    Attributes:
        alphas_cumprod: ᾱ_t, the share of the data's variance that is left at step t; falls from near 1 to near 0.
    """

    alphas_cumprod: Float[Tensor, " steps"]

    @classmethod
    def from_betas(cls, betas: Float[Tensor, " steps"]) -> NoiseSchedule:
        """ᾱ_t = Π (1 − β_s), s ≤ t.

        Raises:
            ValueError: a β is not in (0, 1].
        """
        if not bool(((betas > 0) & (betas <= 1)).all()):
            raise ValueError("every beta of a noise schedule must lie above 0 and not above 1")
        return cls((1 - betas.double()).cumprod(0))

    @classmethod
    def linear(cls, *, steps: int = 1000, start: float = 1e-4, end: float = 0.02) -> NoiseSchedule:
        """β grows linearly (Ho et al. 2020); "sqrt_linear" in the code of latent diffusion."""
        return cls.from_betas(torch.linspace(start, end, steps, dtype=torch.float64))

    @classmethod
    def scaled_linear(cls, *, steps: int = 1000, start: float = 0.00085, end: float = 0.012) -> NoiseSchedule:
        """√β grows linearly; called "linear" in the code of latent diffusion (Rombach et al. 2022)."""
        return cls.from_betas(torch.linspace(math.sqrt(start), math.sqrt(end), steps, dtype=torch.float64) ** 2)

    @classmethod
    def root(cls, *, steps: int = 1000, start: float = 1e-4, end: float = 0.02) -> NoiseSchedule:
        """β is the root of a linear ramp; "sqrt" in the code of latent diffusion."""
        return cls.from_betas(torch.linspace(start, end, steps, dtype=torch.float64) ** 0.5)

    @classmethod
    def cosine(cls, *, steps: int = 1000, shift: float = 0.008, max_beta: float = 0.999) -> NoiseSchedule:
        """ᾱ follows cos²((t/T + s)/(1 + s)·π/2) with β cut at `max_beta` (Nichol & Dhariwal 2021, equation 17)."""
        angle = (torch.arange(steps + 1, dtype=torch.float64) / steps + shift) / (1 + shift) * math.pi / 2
        kept = torch.cos(angle) ** 2
        return cls.from_betas((1 - kept[1:] / kept[:-1]).clamp(max=max_beta))

    def zero_terminal(self) -> NoiseSchedule:
        """The same with √ᾱ shifted and scaled so that nothing is left at the last step (Lin et al. 2024, algorithm 1).

        A network must then predict v or the clean sample: from pure noise, the noise says nothing.
        """
        root = self.alphas_cumprod.sqrt()
        return NoiseSchedule(((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2)

    @property
    def steps(self) -> int:
        """T."""
        return self.alphas_cumprod.shape[0]

    @property
    def betas(self) -> Float[Tensor, " steps"]:
        """β_t = 1 − ᾱ_t / ᾱ_{t−1}."""
        return 1 - self.alphas_cumprod / self.before

    @property
    def before(self) -> Float[Tensor, " steps"]:
        """ᾱ_{t−1}; 1 before the first step."""
        return torch.cat([self.alphas_cumprod.new_ones(1), self.alphas_cumprod[:-1]])

    @property
    def sigmas(self) -> Float[Tensor, " steps"]:
        """σ_t = √((1 − ᾱ_t)/ᾱ_t); infinite where nothing of the data is left."""
        return ((1 - self.alphas_cumprod) / self.alphas_cumprod).sqrt()

    @property
    def snr(self) -> Float[Tensor, " steps"]:
        """Signal to noise, ᾱ_t/(1 − ᾱ_t)."""
        return self.alphas_cumprod / (1 - self.alphas_cumprod)

    @property
    def posterior_variance(self) -> Float[Tensor, " steps"]:
        """β̃_t = (1 − ᾱ_{t−1})/(1 − ᾱ_t)·β_t (Ho et al. 2020, equation 7)."""
        return (1 - self.before) / (1 - self.alphas_cumprod) * self.betas

    def scales(self, t: Int[Tensor, " batch"], like: Tensor) -> tuple[Tensor, Tensor]:
        """√ᾱ_t and √(1 − ᾱ_t), shaped so that they multiply `like` item by item."""
        kept = self.alphas_cumprod[t.to(self.alphas_cumprod.device)].view(-1, *(1,) * (like.ndim - 1))
        return kept.sqrt().to(like), (1 - kept).sqrt().to(like)

    def add_noise(
        self, x: Float[Tensor, "batch ..."], noise: Float[Tensor, "batch ..."], t: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch ..."]:
        """q(x_t | x_0) = √ᾱ_t·x_0 + √(1 − ᾱ_t)·ε."""
        kept, spread = self.scales(t, x)
        return kept * x + spread * noise

    def sigmas_at(self, t: Shaped[Tensor, " levels"], *, interpolation: str = "linear") -> Float[Tensor, " levels"]:
        """σ at steps, also between two: σ itself is interpolated (linear), or its logarithm (log)."""
        _check_interpolation(interpolation)
        table, steps = self.sigmas.cpu().numpy(), np.arange(self.steps)
        at = t.detach().cpu().double().numpy()
        found = np.exp(np.interp(at, steps, np.log(table))) if interpolation == "log" else np.interp(at, steps, table)
        return torch.from_numpy(found).to(t.device)

    def steps_of(
        self, sigmas: Float[Tensor, " levels"], *, rounded: bool = False, interpolation: str = "log"
    ) -> Float[Tensor, " levels"]:
        """The steps, whole or between two, that have these σ; the logarithm of σ is interpolated (log) or σ itself
        (linear), and the ends are kept."""
        _check_interpolation(interpolation)
        at, table = sigmas.detach().cpu().double().clamp(min=1e-10).numpy(), self.sigmas.cpu().numpy()
        at, table = (at, table) if interpolation == "linear" else (np.log(at), np.log(table))
        found = np.interp(at, table, np.arange(self.steps))
        return torch.from_numpy(found.round() if rounded else found).to(sigmas.device)


def _check_interpolation(interpolation: str) -> None:
    if interpolation not in ("linear", "log"):
        raise ValueError(f"unknown interpolation {interpolation!r} of noise levels; take linear or log")


def timesteps(
    total: int,
    steps: int,
    *,
    spacing: str = "leading",
    offset: int = 0,
    without_last: bool = False,
    rounded: bool = True,
) -> list[float]:
    """The steps, falling, that a sampler of `steps` steps visits among `total` (Lin et al. 2024, table 2).

    Args:
        spacing: leading: multiples of total // steps, from 0; linspace: evenly from 0 to total − 1; trailing: evenly,
            ending at total − 1; strided: every (total // steps)-th, as the code of latent diffusion has it, which
            are more than `steps` where `steps` does not divide `total` (those beyond the table are left out).
        offset: added to leading and strided steps; latent diffusion takes 1.
        without_last: lays one more step and leaves the lowest out, as solvers do that end with a step to σ = 0.
        rounded: to whole steps; for linspace only.

    Raises:
        ValueError: there are fewer than one or more than `total` steps, or the spacing is unknown.
    """
    if not 1 <= steps <= total:
        raise ValueError(f"a schedule of {total} steps can be sampled in 1 to {total} steps, not in {steps}")
    count = steps + without_last
    if spacing == "leading":
        found = np.arange(count) * (total // count) + offset
    elif spacing == "strided":
        found = np.arange(0, total, total // steps) + offset
    elif spacing == "linspace":
        found = np.linspace(0, total - 1, count)
    elif spacing == "trailing":
        found = (total - np.arange(steps)[::-1] * (total / steps)).round() - 1  # a range by floats may have one more
    else:
        raise ValueError(f"unknown spacing {spacing!r}; take one of {', '.join(SPACINGS)}")
    if rounded:
        found = found.round()
    if without_last and spacing in ("leading", "linspace"):
        found = found[1:]
    return [float(t) for t in found[::-1] if t <= total - 1]


def karras_sigmas(
    steps: int, *, sigma_min: float, sigma_max: float, rho: float = 7.0, final_zero: bool = True
) -> Float[Tensor, " levels"]:
    """Levels evenly spaced in σ^(1/ρ), falling (Karras et al. 2022, equation 5); then 0."""
    ramp = np.linspace(sigma_max ** (1 / rho), sigma_min ** (1 / rho), steps)
    return _levels(ramp**rho, final_zero)


def exponential_sigmas(
    steps: int, *, sigma_min: float, sigma_max: float, final_zero: bool = True
) -> Float[Tensor, " levels"]:
    """Levels evenly spaced in log σ, falling; then 0."""
    return polyexponential_sigmas(steps, sigma_min=sigma_min, sigma_max=sigma_max, final_zero=final_zero)


def polyexponential_sigmas(
    steps: int, *, sigma_min: float, sigma_max: float, rho: float = 1.0, final_zero: bool = True
) -> Float[Tensor, " levels"]:
    """Levels whose logarithm falls as a power ρ of a line; then 0."""
    ramp = np.linspace(1, 0, steps) ** rho
    return _levels(np.exp(ramp * math.log(sigma_max / sigma_min) + math.log(sigma_min)), final_zero)


def vp_sigmas(
    steps: int, *, beta_d: float = 19.9, beta_min: float = 0.1, last_time: float = 1e-3, final_zero: bool = True
) -> Float[Tensor, " levels"]:
    """Levels of the continuous variance-preserving process, σ = √(exp(β_d t²/2 + β_min t) − 1) for t from 1 to
    `last_time` (Song et al. 2021; Karras et al. 2022, table 1); then 0."""
    t = np.linspace(1, last_time, steps)
    return _levels(np.sqrt(np.expm1(beta_d * t**2 / 2 + beta_min * t)), final_zero)


def _levels(values: np.ndarray, final_zero: bool) -> Float[Tensor, " levels"]:
    return torch.from_numpy(np.append(values, 0.0) if final_zero else values)
