"""Where normal draws come from: a generator, the global state, or draws that were written down."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

Noise = Callable[[Tensor], Tensor]
"""Gives standard normal draws of the shape, type and device of a tensor."""

NoiseSource = torch.Generator | Iterable[Tensor] | Noise | None
"""A generator; draws in the order of their use; what draws; or None for the global random state."""


def normal_like(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Standard normal draws like `x`, made where the generator lives, so that a seed gives the same on every device."""
    if generator is None:
        return torch.randn_like(x)
    return torch.randn(x.shape, generator=generator, device=generator.device, dtype=x.dtype).to(x.device)


def normal(
    shape: tuple[int, ...],
    *,
    generator: torch.Generator | None = None,
    device: torch.device | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Standard normal draws of a shape."""
    return normal_like(torch.empty(shape, device=device, dtype=dtype), generator)


def start_noise(
    shape: tuple[int, ...],
    *,
    start: Tensor | None = None,
    known: Tensor | None = None,
    generator: torch.Generator | None = None,
    device: torch.device | None = None,
) -> Tensor:
    """Unit noise to begin with: `start` where it is given, else drawn, on the device of `known` unless one is named.

    Raises:
        ValueError: `start` has another shape.
    """
    if start is None:
        where = device if device is not None else known.device if known is not None else None
        return normal(shape, generator=generator, device=where)
    if tuple(start.shape) != tuple(shape):
        raise ValueError(f"start has shape {list(start.shape)} instead of {list(shape)}")
    return start


def uniform(count: int, *, generator: torch.Generator | None = None, stratified: bool = False) -> Tensor:
    """`count` uniform draws in [0, 1) on the generator's device; stratified ones fall one into each of `count` equal
    intervals, which makes the mean of a batch less noisy (Kingma et al. 2021, VDM, appendix I.1)."""
    device = torch.device("cpu") if generator is None else generator.device
    draws = torch.rand(count, generator=generator, device=device)
    return (torch.arange(count, device=device) + draws) / count if stratified else draws


def noise_from(source: NoiseSource = None) -> Noise:
    """Draws from a source, one call after another.

    Raises:
        ValueError: the draws that were given are used up, or have another shape than is asked for.
    """
    if source is None or isinstance(source, torch.Generator):
        return lambda x: normal_like(x, source)
    if callable(source):
        return source
    draws = iter(source)

    def given(x: Tensor) -> Tensor:
        draw = next(draws, None)
        if draw is None:
            raise ValueError("the sampler asks for more noise than was given; give one draw a step")
        if draw.shape != x.shape:
            raise ValueError(
                f"noise has shape {list(draw.shape)}, but {list(x.shape)} is needed; draw it like the data"
            )
        return draw.to(device=x.device, dtype=x.dtype)

    return given
