"""What a transform is, and a chain of them, each applied with a probability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from orchestrion.errors import OptionError

Sound = Float[Tensor, "batch channels samples"]


class Transform(Protocol):
    """Changes every item of a batch by draws of its own; all channels of an item alike."""

    def __call__(self, audio: Tensor, generator: torch.Generator) -> Tensor:
        """Float32 [batch, channels, samples] → a new tensor of the same shape, but for crops, which are shorter."""
        ...


class Chain:
    """Transforms one after the other, each decided for every item on its own.

    Args:
        steps: (probability, transform). What changes the length needs probability 1.
        quirks: "official" applies a transform of probability p where u ≤ p for u uniform in [0, 1), as
            torchaudio-augmentations does, so that one of probability 0 may come; otherwise where u < p.

    Raises:
        OptionError: a probability is outside of [0, 1], or the quirks are unknown.
    """

    def __init__(self, steps: Sequence[tuple[float, Transform]], *, quirks: str | None = None) -> None:
        for probability, _ in steps:
            if not 0 <= probability <= 1:
                raise OptionError(f"A transform has the probability {probability:g}; give one from 0 to 1.")
        if quirks not in (None, "official"):
            raise OptionError(f"There are no quirks {quirks!r} of a chain; choose official or none.")
        self.steps, self.quirks = tuple(steps), quirks

    def __call__(self, audio: Tensor, generator: torch.Generator) -> Tensor:
        """Applies the chain; the batch that was given stays as it is."""
        check_sound(audio)
        result = audio
        for probability, transform in self.steps:
            if probability == 1:
                result = transform(result, generator)
                continue
            draws = torch.rand(len(result), generator=generator)
            chosen = draws <= probability if self.quirks else draws < probability
            if chosen.all():
                result = transform(result, generator)
            elif chosen.any():
                rows = chosen.nonzero()[:, 0].to(result.device)
                result = result.clone() if result is audio else result
                result[rows] = transform(result[rows], generator)
        return result.clone() if result is audio else result


def check_sound(audio: Tensor) -> None:
    """Raises OptionError unless it is float32 [batch, channels, samples]."""
    if audio.ndim != 3 or audio.dtype != torch.float32:
        raise OptionError(f"Sound must be float32 [batch, channels, samples], not {audio.dtype} {list(audio.shape)}.")


def uniform(low: float, high: float, count: int, generator: torch.Generator) -> Float[Tensor, " count"]:
    """`count` draws from [low, high)."""
    return low + (high - low) * torch.rand(count, generator=generator)


def integers(low: int, high: int, count: int, generator: torch.Generator) -> Tensor:
    """`count` whole numbers from low to high, both included."""
    return torch.randint(low, high + 1, (count,), generator=generator)


def check_range(name: str, values: tuple[float, float], least: float, most: float) -> tuple[float, float]:
    """The range, if it rises within bounds.

    Raises:
        OptionError: it does not.
    """
    low, high = values
    if not least <= low <= high <= most:
        raise OptionError(f"The range {name} is ({low:g}, {high:g}); it must rise from {least:g} to {most:g}.")
    return values


def decibels(values: Tensor) -> Tensor:
    """Amplitudes."""
    return 10 ** (values / 20)
