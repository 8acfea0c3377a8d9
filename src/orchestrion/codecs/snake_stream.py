"""Codecs of convolutions as streams, with a quantiser between encoder and decoder."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from orchestrion.codecs.block_stream import CodecStream, StreamingNetwork
from orchestrion.nn.streaming import Place, Plan


class QuantizedStream(CodecStream):
    """Sound to codes (or latents) and back, block by block.

    Args:
        encoder, decoder: networks that can stream.
        hop_length: samples a frame.
        channels: of the sound, coded together.
        quantize: encoder output to what is stored.
        restore: what is stored to decoder input.
    """

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
        into, out = Plan(), Plan()
        coded, frames = into.build(encoder, Place(hop_length))
        played, sound = out.build(decoder, frames)
        super().__init__(
            StreamingNetwork(coded, into, Place(hop_length), frames),
            StreamingNetwork(played, out, frames, sound),
            rows=1,
            channels=channels,
        )
        self.quantize, self.restore = quantize, restore

    @torch.inference_mode()
    def encode(self, block: Float[np.ndarray, "channels samples"]) -> Shaped[np.ndarray, "rows dim frames"]:
        """Codes of a block whose length is a multiple of `block`."""
        return self.quantize(torch.from_numpy(super().encode(block))).numpy()

    @torch.inference_mode()
    def decode(self, values: Shaped[np.ndarray, "rows dim frames"]) -> Float[np.ndarray, "channels samples"]:
        """Sound of a block of codes."""
        restored = self.restore(torch.from_numpy(np.ascontiguousarray(values)))
        return super().decode(restored.float().numpy())
