"""From what a network says to the clean sample D(x, σ) that samplers over noise levels ask for.

x_σ = x_0 + σ·ε. Every network is a special case of D = c_skip·x + c_out·F(c_in·x, c_time) (Karras et al. 2022, equation
7), and its loss is the distance of F from (x_0 − c_skip·x_σ)/c_out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from orchestrion.paradigms.guidance import Network
from orchestrion.paradigms.parametrisation import check_parametrisation
from orchestrion.paradigms.schedules import NoiseSchedule

Denoiser = Callable[[Tensor, float], Tensor]
"""D(x, σ): the clean sample as seen from noise level σ."""


@dataclass(frozen=True, slots=True)
class Scales:
    """c_skip, c_out, c_in and c_time, one number an item."""

    skip: Float[Tensor, " batch"]
    out: Float[Tensor, " batch"]
    into: Float[Tensor, " batch"]
    time: Float[Tensor, " batch"]


Scaling = Callable[[Tensor], Scales]
"""σ [batch] → scales."""


def schedule_scaling(
    schedule: NoiseSchedule, parametrisation: str, *, rounded: bool = False, interpolation: str = "log"
) -> Scaling:
    """Of a network trained on the steps of a schedule; c_time is the step that has this σ.

    Args:
        rounded: to whole steps, for a network that knows no others.
        interpolation: between two steps; that of `NoiseSchedule.sigmas_at` leads back to its steps.
    """
    check_parametrisation(parametrisation)

    def scales(sigma: Tensor) -> Scales:
        into = (sigma.square() + 1).rsqrt()
        if parametrisation == "epsilon":
            skip, out = torch.ones_like(sigma), -sigma
        elif parametrisation == "sample":
            skip, out = torch.zeros_like(sigma), torch.ones_like(sigma)
        else:
            skip, out = into.square(), -sigma * into
        times = schedule.steps_of(sigma, rounded=rounded, interpolation=interpolation)
        return Scales(skip, out, into, times.to(sigma))

    return scales


def edm_scaling(*, sigma_data: float = 0.5, time: str = "quarter_log") -> Scaling:
    """Of Karras et al. 2022, table 1, where inputs and targets have variance 1 at every level.

    Args:
        sigma_data: standard deviation of the data.
        time: the network gets log(σ)/4 (quarter_log), or σ itself (sigma).
    """
    if time not in ("quarter_log", "sigma"):
        raise ValueError(f"unknown time {time!r} of a network over noise levels; take quarter_log or sigma")

    def scales(sigma: Tensor) -> Scales:
        total = sigma.square() + sigma_data**2
        return Scales(
            skip=sigma_data**2 / total,
            out=sigma * sigma_data * total.rsqrt(),
            into=total.rsqrt(),
            time=sigma if time == "sigma" else sigma.log() / 4,
        )

    return scales


def continuous_v_scaling() -> Scaling:
    """Of a network of v in continuous time, t = 2/π·arctan σ from 0 (clean) to 1 (noise)."""

    def scales(sigma: Tensor) -> Scales:
        into = (sigma.square() + 1).rsqrt()
        return Scales(into.square(), -sigma * into, into, sigma.atan() * 2 / math.pi)

    return scales


def continuous_v_sigma(t: Float[Tensor, " batch"]) -> Float[Tensor, " batch"]:
    """σ of that time, tan(π·t/2)."""
    return (t * math.pi / 2).tan()


def denoiser(network: Network, condition: Any, scaling: Scaling, *, clip: float | None = None) -> Denoiser:
    """D(x, σ) of a network.

    Args:
        clip: bounds the clean sample to ± this.
    """

    def denoise(x: Tensor, sigma: float) -> Tensor:
        scales = scaling(torch.full((x.shape[0],), sigma, dtype=torch.float64, device=x.device))
        time = scales.time
        time = time.long() if bool((time == time.round()).all()) else time.to(x.dtype)
        output = network(x * _wide(scales.into, x), time, condition)
        clean = _wide(scales.skip, x) * x + _wide(scales.out, x) * output
        return clean if clip is None else clean.clamp(-clip, clip)

    return denoise


def mean_square(error: Float[Tensor, "batch ..."]) -> Float[Tensor, " batch"]:
    """Mean over each item of the squares."""
    return error.square().flatten(1).mean(1)


def multiscale_square(error: Float[Tensor, "batch channels ..."], *, scales: float) -> Float[Tensor, " batch"]:
    """The same of the cosine transform along all axes of space, each square times −log₂ of the highest of its
    frequencies (in cycles a sample), at most `scales` (Crowson et al. 2024, HDiT, section 4.5)."""
    weight = error.new_full((), math.inf)
    for axis in range(2, error.ndim):
        side = error.shape[axis]
        place = torch.arange(side, dtype=torch.float64, device=error.device)
        basis = torch.cos(math.pi / side * (place + 0.5) * place[:, None]) * math.sqrt(2 / side)
        basis[0] /= math.sqrt(2)
        error = (error.movedim(axis, -1) @ basis.to(error).T).movedim(-1, axis)
        ramp = torch.linspace(0.5 / side, 0.5, side, device=error.device)
        weight = torch.minimum(weight, (-ramp.log2()).clamp(max=scales).view(-1, *(1,) * (error.ndim - axis - 1)))
    return (error.square() * weight).flatten(1).mean(1)


def scaled_loss(
    network: Network,
    condition: Any,
    scaling: Scaling,
    x: Float[Tensor, "batch ..."],
    noise: Float[Tensor, "batch ..."],
    sigma: Float[Tensor, " batch"],
    *,
    measure: Callable[[Tensor], Tensor] = mean_square,
) -> Float[Tensor, " batch"]:
    """Mean over each item of (F − (x_0 − c_skip·x_σ)/c_out)²: the unweighted loss, of unit size at every level.

    Args:
        measure: of the errors, in place of the mean of squares.
    """
    scales = scaling(sigma)
    noised = x + noise * _wide(sigma, x)
    output = network(noised * _wide(scales.into, x), scales.time.to(x.dtype), condition)
    wanted = (x - _wide(scales.skip, x) * noised) / _wide(scales.out, x)
    return measure(output - wanted)


def _wide(values: Tensor, like: Tensor) -> Tensor:
    return values.to(like.dtype).view(-1, *(1,) * (like.ndim - 1))
