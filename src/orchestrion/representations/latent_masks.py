"""Which part of a latent picture of sound is known while the rest is made: masks are 1 where it is kept.

Latents are [batch, channels, time, bands]. The presets are those of MusicLDM (arXiv 2308.01546).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from orchestrion.errors import OptionError

MODES = ("continuation", "inpainting", "inpainting_half", "super_resolution")


@dataclass(frozen=True, slots=True)
class Masked:
    """What is known and where: both go to a sampler as `known` and `mask`."""

    known: Float[Tensor, "batch channels time bands"]
    mask: Float[Tensor, "batch 1 time bands"]


def mask_for(mode: str, latent: Float[Tensor, "batch channels time bands"]) -> Masked:
    """A preset.

    Args:
        mode: "continuation" doubles the time, its second half free; "inpainting" frees the middle half;
            "inpainting_half" keeps the first 32.5 %; "super_resolution" frees the upper quarter of the bands. A quarter
            is rounded down before it is multiplied.

    Raises:
        OptionError: there is no such mode.
    """
    time, bands = latent.shape[2:]
    if mode == "continuation":
        return free_time(torch.cat([latent, torch.zeros_like(latent)], 2), time, 2 * time)
    if mode == "inpainting":
        return free_time(latent, time // 4, 3 * (time // 4))
    if mode == "inpainting_half":
        return free_time(latent, int(0.325 * time), time)
    if mode == "super_resolution":
        return free_bands(latent, 3 * (bands // 4), bands)
    raise OptionError(f"There is no mask {mode!r}; choose one of {', '.join(MODES)}.")


def free_time(latent: Float[Tensor, "batch channels time bands"], start: int, end: int) -> Masked:
    """All is known but the time [start, end)."""
    mask = latent.new_ones(len(latent), 1, *latent.shape[2:])
    mask[:, :, start:end] = 0
    return Masked(latent, mask)


def free_bands(latent: Float[Tensor, "batch channels time bands"], start: int, end: int) -> Masked:
    """All is known but the bands [start, end)."""
    mask = latent.new_ones(len(latent), 1, *latent.shape[2:])
    mask[..., start:end] = 0
    return Masked(latent, mask)


def next_window(latent: Float[Tensor, "batch channels time bands"], *, kept: int | None = None) -> Masked:
    """The window that follows: the last part of a latent comes first and is known, the rest is free.

    Args:
        kept: time steps of it. By default as MusicLDM's long form: the latent is rolled by a quarter of its time, of
            which the first 3/16 are known.
    """
    time = latent.shape[2]
    known = latent.roll(time // 4 if kept is None else kept, 2)
    return free_time(known, 3 * (time // 16) if kept is None else kept, time)
