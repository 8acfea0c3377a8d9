"""Crop, polarity, gain, noise and the like: a few operations on each sample."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from orchestrion.data.augment.chain import Sound, check_range, decibels, integers, uniform
from orchestrion.errors import OptionError


class Crop:
    """A span of `samples`, its start uniform over all places; items that are shorter are filled up with silence."""

    def __init__(self, samples: int) -> None:
        if samples < 1:
            raise OptionError(f"A crop of {samples} samples is empty; give 1 or more.")
        self.samples = samples

    def __call__(self, audio: Sound, generator: torch.Generator) -> Float[Tensor, "batch channels crop"]:
        """The crops."""
        length = audio.shape[2]
        if length <= self.samples:
            return torch.nn.functional.pad(audio, (0, self.samples - length))
        starts = integers(0, length - self.samples, len(audio), generator).tolist()
        return torch.stack([item[:, at : at + self.samples] for item, at in zip(audio, starts, strict=True)])


class Polarity:
    """x → −x."""

    def __call__(self, audio: Sound, generator: torch.Generator) -> Sound:
        """The same upside down."""
        return -audio


class Gain:
    """A gain drawn from a range in dB, uniform there.

    Args:
        integer: whole decibels only.
        clamp: cut the result at ±1.
    """

    def __init__(self, low: float = -20.0, high: float = -1.0, *, integer: bool = False, clamp: bool = True) -> None:
        check_range("gain", (low, high), -120, 120)
        self.low, self.high, self.integer, self.clamp = low, high, integer, clamp

    def __call__(self, audio: Sound, generator: torch.Generator) -> Sound:
        """Louder or softer."""
        if self.integer:
            drawn = integers(round(self.low), round(self.high), len(audio), generator).float()
        else:
            drawn = uniform(self.low, self.high, len(audio), generator)
        return self.apply(audio, drawn)

    def apply(self, audio: Sound, gains_db: Tensor) -> Sound:
        """With the gain [batch] of each item in dB."""
        louder = audio * decibels(gains_db)[:, None, None].to(audio)
        return louder.clamp_(-1, 1) if self.clamp else louder


class Noise:
    """Gaussian noise.

    Args:
        ratio: range of the noise's amplitude in units of the sound's; 1e-2 is −40 dB.
        reference: "std" measures the sound by its standard deviation (unbiased, over all channels), "rms" by its root
            mean square.
        clamp: cut the result at ±1.
    """

    def __init__(
        self,
        ratio: tuple[float, float] = (1e-4, 1e-2),
        *,
        reference: Literal["std", "rms"] = "std",
        clamp: bool = False,
    ) -> None:
        if reference not in ("std", "rms"):
            raise OptionError(f"Noise cannot be measured by {reference!r}; choose std or rms.")
        self.ratio, self.reference, self.clamp = check_range("noise ratio", ratio, 0, 10), reference, clamp

    def __call__(self, audio: Sound, generator: torch.Generator) -> Sound:
        """With noise."""
        ratios = uniform(*self.ratio, len(audio), generator)
        return self.apply(audio, ratios, torch.randn(audio.shape, generator=generator).to(audio.device))

    def apply(self, audio: Sound, ratios: Tensor, normal: Sound) -> Sound:
        """With the ratio [batch] of each item and its standard normal noise."""
        flat = audio.flatten(1)
        size = flat.std(dim=1) if self.reference == "std" else flat.square().mean(dim=1).sqrt()
        noisy = torch.addcmul(audio, normal, (ratios.to(audio) * size)[:, None, None])
        return noisy.clamp_(-1, 1) if self.clamp else noisy


class Dequantise:
    """Uniform noise of one step of `bits`-bit integers: what rounding had taken (RAVE)."""

    def __init__(self, bits: int = 16) -> None:
        if not 2 <= bits <= 24:
            raise OptionError(f"There are no integers of {bits} bits here; choose from 2 to 24.")
        self.bits = bits

    def __call__(self, audio: Sound, generator: torch.Generator) -> Sound:
        """With noise in [0, 2^-bits)."""
        return torch.rand(audio.shape, generator=generator).to(audio.device).mul_(2.0**-self.bits).add_(audio)


class Mute:
    """Silence."""

    def __call__(self, audio: Sound, generator: torch.Generator) -> Sound:
        """Zeros."""
        return torch.zeros_like(audio)


class Clip:
    """Cuts at ±1."""

    def __call__(self, audio: Sound, generator: torch.Generator) -> Sound:
        """In [-1, 1]."""
        return audio.clamp(-1, 1)


class RandomChannel:
    """One channel of each item, drawn at random rather than mixed (Music2Latent): [batch, 1, samples]."""

    def __call__(self, audio: Sound, generator: torch.Generator) -> Float[Tensor, "batch 1 samples"]:
        """Mono."""
        chosen = integers(0, audio.shape[1] - 1, len(audio), generator).to(audio.device)
        return audio[torch.arange(len(audio), device=audio.device), chosen][:, None].clone()
