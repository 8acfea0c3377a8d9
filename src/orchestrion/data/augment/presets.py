"""Chains of published systems."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from orchestrion.data.augment.chain import Chain, Sound, Transform
from orchestrion.data.augment.codecs import CodecRoundTrip
from orchestrion.data.augment.dynamics import Compand
from orchestrion.data.augment.filters import AllPass
from orchestrion.data.augment.simple import Crop, Dequantise, Gain, Mute
from orchestrion.data.augment.stretch import Resample


def rave_chain(
    rate: int,
    *,
    samples: int | None = None,
    mute: float = 0.0,
    compress: float = 0.0,
    gain: float = 0.0,
    pitch: float = 0.0,
    quirks: str | None = None,
) -> Chain:
    """RAVE's: phases turned with probability 0.8, noise below the steps of 16 bits; the rest on request (officially 0.1
    for mute).

    Args:
        mute, compress, gain, pitch: probabilities.
        quirks: "official" leaves out the gain, which the official code does not apply.
    """
    loud: Transform = Gain(-6, 3, clamp=False)
    steps: list[tuple[float, Transform]] = [
        (pitch, Resample()),
        (compress, Compand(rate)),
        (0.0 if quirks == "official" else gain, loud),
        (mute, Mute()),
        (0.8, AllPass(rate)),
        (1.0, Dequantise(16)),
    ]
    crop: list[tuple[float, Transform]] = [(1.0, Crop(samples))] if samples is not None else []
    return Chain([step for step in [*crop, *steps] if step[0] > 0])


class ApolloDamage:
    """Apollo's damage: MP3 at a bit-rate drawn anew for every item, then both sounds divided by their common peak.

    Args:
        rate: Hz.
        kbps: of the paper, less 24, which libsndfile does not write at 44.1 kHz.
    """

    def __init__(self, rate: int = 44100, *, kbps: Sequence[float] = (32, 48, 64, 96, 128)) -> None:
        self.codec = CodecRoundTrip(rate, kbps=kbps)

    def __call__(self, clean: Sound, generator: torch.Generator) -> tuple[Sound, Sound]:
        """Clean and damaged sound, both with a largest peak of 1."""
        coded = self.codec(clean, generator)
        peak = torch.maximum(clean.abs().amax(dim=(1, 2)), coded.abs().amax(dim=(1, 2))).clamp(min=1e-8)
        return clean / peak[:, None, None], coded / peak[:, None, None]
