"""Sums of several sounds."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from orchestrion.data.augment.chain import Sound, decibels, integers
from orchestrion.errors import InputError


class MixItems:
    """Adds to each item another item of the batch, the next one in a random round (Music2Latent2: half of the items).

    A batch of one is left as it is.

    Args:
        halve: take the mean rather than the sum.
    """

    def __init__(self, *, halve: bool = False) -> None:
        self.halve = halve

    def __call__(self, audio: Sound, generator: torch.Generator) -> Sound:
        """Two at once."""
        if len(audio) < 2:
            return audio.clone()
        order = torch.randperm(len(audio), generator=generator)
        partner = torch.empty_like(order)
        partner[order] = order.roll(1)
        mixed = audio + audio[partner.to(audio.device)]
        return mixed.mul_(0.5) if self.halve else mixed


def mix_stems(
    stems: Sequence[Float[Tensor, "channels samples"]],
    generator: torch.Generator,
    *,
    most: int = 8,
    gain_db: tuple[int, int] = (-10, 10),
) -> Float[Tensor, "channels samples"]:
    """One to `most` stems, drawn with replacement, each at a gain of whole decibels, summed (Apollo).

    Raises:
        InputError: there are no stems.
    """
    if not stems:
        raise InputError("There are no stems to mix; give at least one.")
    count = int(integers(1, most, 1, generator))
    chosen = torch.randint(len(stems), (count,), generator=generator).tolist()
    gains = decibels(integers(*gain_db, count, generator).float())
    return torch.stack([stems[i] * gain for i, gain in zip(chosen, gains, strict=True)]).sum(dim=0)
