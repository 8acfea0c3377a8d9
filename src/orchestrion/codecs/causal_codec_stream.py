"""A causal codec with a quantiser as a stream, without delay."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from orchestrion.errors import OptionError
from orchestrion.nn.causal_stream import CausalStream


class CausalCodecStream:
    """Sound to codes and back, as `codecs.codec.Stream` says.

    Args:
        encoder, decoder: networks for `nn.causal_stream`.
        hop_length: samples a frame, the shortest block.
        channels: of the sound, coded together.
        quantize: encoder output to codes.
        restore: codes to decoder input.
    """

    delay = 0

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        *,
        hop_length: int,
        channels: int,
        quantize: Callable[[Tensor], Tensor],
        restore: Callable[[Tensor], Tensor],
    ) -> None:
        self._encoder, self._decoder = CausalStream(encoder), CausalStream(decoder)
        self.block, self.channels = hop_length, channels
        self.quantize, self.restore = quantize, restore

    @torch.no_grad()
    def encode(self, block: Float[np.ndarray, "channels samples"]) -> Shaped[np.ndarray, "rows books frames"]:
        """Codes of a block whose length is a multiple of `block`.

        Raises:
            OptionError: it is not, or it has another number of channels.
        """
        channels, samples = block.shape
        if channels != self.channels or not samples or samples % self.block:
            raise OptionError(
                f"A block of {channels} channels and {samples} samples cannot be coded; give {self.channels} channels "
                f"and a multiple of {self.block} samples."
            )
        return self.quantize(self._encoder(torch.from_numpy(np.ascontiguousarray(block, np.float32))[None])).numpy()

    @torch.no_grad()
    def decode(self, values: Shaped[np.ndarray, "rows books frames"]) -> Float[np.ndarray, "channels samples"]:
        """Sound of a block of codes."""
        return self._decoder(self.restore(torch.from_numpy(np.ascontiguousarray(values)))).flatten(0, 1).numpy()
