"""Joining stretches of sound that overlap."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def overlap_add(
    stretches: Sequence[Float[Tensor, "batch channels time"]], stride: int
) -> Float[Tensor, "batch channels total"]:
    """A weighted mean of stretches, each of which begins `stride` samples after the one before; the last may be short.

    The weight of a sample falls linearly from the middle of a stretch to its ends, where the length of the first counts
    for all (Défossez et al. 2022, arXiv 2210.13438, section 3.1).
    """
    length = stretches[0].shape[-1]
    total = stride * (len(stretches) - 1) + stretches[-1].shape[-1]
    place = torch.arange(1, length + 1, device=stretches[0].device, dtype=stretches[0].dtype) / (length + 1)
    weight = 0.5 - (place - 0.5).abs()
    made = stretches[0].new_zeros(*stretches[0].shape[:-1], total)
    weights = stretches[0].new_zeros(total)
    for number, stretch in enumerate(stretches):
        start, count = number * stride, stretch.shape[-1]
        made[..., start : start + count] += weight[:count] * stretch
        weights[start : start + count] += weight[:count]
    return made / weights
