"""How noise levels σ are drawn for training: each distribution turns uniform draws u in [0, 1) into levels."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

Draws = Float[Tensor, " batch"]


def log_normal(u: Draws, *, loc: float = -1.2, scale: float = 1.2) -> Draws:
    """log σ is normal (Karras et al. 2022, table 1)."""
    return (torch.special.ndtri(u.double()) * scale + loc).exp().to(u.dtype)


def log_uniform(u: Draws, *, min_value: float, max_value: float) -> Draws:
    """log σ is uniform between both ends."""
    return (u * math.log(max_value / min_value) + math.log(min_value)).exp()


def log_logistic(
    u: Draws, *, loc: float = 0.0, scale: float = 1.0, min_value: float = 0.0, max_value: float = math.inf
) -> Draws:
    """log σ is logistic, cut to the range."""

    def share(value: float) -> float:
        if value in (0.0, math.inf):
            return float(value > 0)
        return 1 / (1 + math.exp((loc - math.log(value)) / scale))

    low, high = share(min_value), share(max_value)
    return (torch.logit(u.double() * (high - low) + low) * scale + loc).exp().to(u.dtype)


def v_diffusion(u: Draws, *, sigma_data: float = 1.0, min_value: float = 0.0, max_value: float = math.inf) -> Draws:
    """The angle arctan(σ/σ_data) is uniform, as time is with a cosine schedule and v (Salimans & Ho 2022)."""
    low, high = math.atan(min_value / sigma_data), math.atan(max_value / sigma_data)
    return (u.double() * (high - low) + low).tan().mul(sigma_data).to(u.dtype)


def split_log_normal(u: Draws, *, loc: float, scale_1: float, scale_2: float) -> Draws:
    """log σ falls off normally on both sides of `loc`, with another width on each."""
    share = scale_1 / (scale_1 + scale_2)
    u = u.double()
    low, high = (u / share / 2).clamp(0, 0.5), ((u - share) / (1 - share) / 2 + 0.5).clamp(0.5, 1)
    normal = torch.where(u < share, torch.special.ndtri(low) * scale_1, torch.special.ndtri(high) * scale_2)
    return (normal + loc).exp().float()


def cosine_interpolated(
    u: Draws,
    *,
    image_d: int,
    noise_d_low: int,
    noise_d_high: int,
    sigma_data: float = 1.0,
    min_value: float = 1e-3,
    max_value: float = 1e3,
) -> Draws:
    """Between two cosine schedules shifted for other sizes, from large σ at u = 0 to small (Hoogeboom et al. 2023,
    simple diffusion, equation 7).

    Args:
        image_d: side of the data; `noise_d_low` and `noise_d_high` are the sides whose noise is matched.
    """
    lowest, highest = -2 * math.log(max_value / sigma_data), -2 * math.log(min_value / sigma_data)

    def shifted(noise_d: int) -> Tensor:
        shift = 2 * math.log(noise_d / image_d)
        start, end = math.atan(math.exp((shift - lowest) / 2)), math.atan(math.exp((shift - highest) / 2))
        return shift - 2 * (start + (end - start) * u.double()).tan().log()

    log_snr = torch.lerp(shifted(noise_d_low), shifted(noise_d_high), u.double())
    return ((-log_snr / 2).exp() * sigma_data).to(u.dtype)
