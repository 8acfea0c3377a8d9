"""Where a step stands in its sequence: sinusoids that are added, rotations that are multiplied."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn import functional


def sinusoidal_table(
    length: int, width: int, base: float = 10000.0, *, start: float = 0.0
) -> Float[Tensor, "length width"]:
    """Sines in the even and cosines in the odd channels (Vaswani et al. 2017, section 3.5), from step `start` on."""
    steps = start + torch.arange(length, dtype=torch.float32)[:, None]
    rates = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(base) / width))
    table = torch.empty(length, width)
    table[:, 0::2] = torch.sin(steps * rates)
    table[:, 1::2] = torch.cos(steps * rates[: width // 2])
    return table


def rotary_table(length: int, head_dim: int, base: float = 10000.0) -> Float[Tensor, "2 length half"]:
    """Sines, then cosines, of RoFormer's rotation angles (Su et al. 2021, equation 15)."""
    steps = torch.arange(length, dtype=torch.float32)[:, None]
    rates = base ** (-torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim)
    return torch.stack([torch.sin(steps * rates), torch.cos(steps * rates)])


def apply_rotary(
    x: Float[Tensor, "batch heads time head_dim"], table: Float[Tensor, "2 time half"]
) -> Float[Tensor, "batch heads time head_dim"]:
    """Rotates neighbouring channel pairs (2i, 2i + 1) by the angles of `table` (Su et al. 2021, equation 34)."""
    sin, cos = table[0], table[1]
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, odd * cos + even * sin], dim=-1).flatten(-2)


def timestep_features(
    t: Shaped[Tensor, " batch"], width: int, max_period: float = 10000.0
) -> Float[Tensor, "batch width"]:
    """Cosines, then sines, of a diffusion step at geometrically spaced rates (Dhariwal & Nichol 2021)."""
    half = width // 2
    rates = torch.exp(torch.arange(half, dtype=torch.float32, device=t.device) * (-math.log(max_period) / half))
    angles = t[:, None].float() * rates
    return functional.pad(torch.cat([torch.cos(angles), torch.sin(angles)], dim=-1), (0, width % 2))
