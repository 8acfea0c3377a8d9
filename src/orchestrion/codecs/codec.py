"""One interface of everything that turns sound into latents or tokens and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Shaped

from orchestrion.media.audio import Audio


@dataclass(frozen=True, slots=True)
class Latents:
    """What a codec makes of a sound.

    Attributes:
        values: float32 vectors, or integer codes of so many codebooks, frame by frame, for each channel of the sound
            that was coded on its own (one row where all were coded together).
        rate: frames a second.
        sample_rate: of the sound, in Hz.
        samples: length of the sound, so that decoding can give it back to the sample.
        codec: names the codec and its weights; only it can decode them.
    """

    values: Shaped[np.ndarray, "channels dim frames"]
    rate: float
    sample_rate: int
    samples: int
    codec: str


@runtime_checkable
class Stream(Protocol):
    """Codes sound block by block in constant memory. Each call takes what comes next."""

    delay: int
    """Samples by which the decoded sound is late."""

    def encode(self, block: Shaped[np.ndarray, "channels samples"]) -> Shaped[np.ndarray, "channels dim frames"]:
        """Latents of a block whose length is a multiple of the codec's block."""
        ...

    def decode(self, values: Shaped[np.ndarray, "channels dim frames"]) -> Shaped[np.ndarray, "channels samples"]:
        """Sound of a block of latents."""
        ...


@runtime_checkable
class Codec(Protocol):
    """Sound ↔ latents."""

    def encode(self, audio: Audio) -> Latents:
        """Latents of a sound of any length, rate and number of channels."""
        ...

    def decode(self, latents: Latents) -> Audio:
        """The sound that latents stand for."""
        ...

    def stream(self) -> Stream:
        """A fresh stream, where the codec can work block by block.

        Raises:
            OptionError: it cannot.
        """
        ...
