"""Runs a streaming network over sound of any length: block by block, in memory that does not grow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from orchestrion.errors import OptionError
from orchestrion.nn.streaming import Gate, Place, Plan


@dataclass(frozen=True, slots=True)
class StreamingNetwork:
    """A streaming module with the places of its input and its output.

    Attributes:
        module: called with a block, the state and what is present, as `nn.streaming` says.
        plan: of its state.
        before, after: frames a step, and how late they come, of input and output.
    """

    module: nn.Module
    plan: Plan
    before: Place
    after: Place

    @property
    def settles(self) -> int:
        """Steps of sound after which nothing before the start is left anywhere."""
        gates = [part for part in self.module.modules() if isinstance(part, Gate)]
        return max((-(gate.late // -gate.rate) for gate in gates), default=0)

    def run(self, batch: int) -> Running:
        """A fresh run over so many signals side by side."""
        return Running(self, batch)


class Running:
    """A run of a streaming network over one sound (or several side by side).

    Blocks may have any whole number of steps. The output of a block has the length of the block, in frames of the
    output, and is `network.after.late` frames late.
    """

    def __init__(self, network: StreamingNetwork, batch: int) -> None:
        self.network = network
        weight = next(iter(network.module.parameters()), torch.zeros(0))
        self.batch, self._like = batch, weight
        self.state = network.plan.state(batch, like=weight)
        self.steps = 0
        self._settles = network.settles

    @torch.inference_mode()
    def __call__(self, block: Tensor, *, present: bool = True) -> Tensor:
        """The next block of output.

        Args:
            block: [batch, channels, frames], a multiple of `network.before.rate` frames.
            present: whether the block is part of the sound; after its end, blocks of zeros that are not bring out what
                is still on its way.

        Raises:
            OptionError: the block has another length.
        """
        rate = self.network.before.rate
        if block.shape[-1] % rate or not block.shape[-1]:
            raise OptionError(f"A block has {block.shape[-1]} frames; give a multiple of {rate}.")
        steps = block.shape[-1] // rate
        inside = present and self.steps >= self._settles
        here = block.new_full((1, 1, 0 if inside else steps), 1.0 if present else 0.0)
        made = self.network.module(block, self.state, here)
        self.steps += steps if present else 0
        return made

    def whole(self, blocks: Iterable[Tensor], *, flush: int = 16) -> Iterator[Tensor]:
        """What the network makes of a whole sound, from its first frame to its last, in time.

        Args:
            blocks: the sound.
            flush: steps at once after its end.
        """
        before, after = self.network.before, self.network.after
        drop, total, given, channels = after.late, 0, 0, 1
        for block in blocks:
            channels = block.shape[1]
            total += block.shape[-1] // before.rate * after.rate
            made = self(block)[..., drop:]
            drop = max(drop - block.shape[-1] // before.rate * after.rate, 0)
            given += made.shape[-1]
            if made.shape[-1]:
                yield made
        while total and given < total:
            zeros = torch.zeros(self.batch, channels, flush * before.rate, device=self._like.device)
            made = self(zeros, present=False)[..., drop:]
            drop = max(drop - flush * after.rate, 0)
            made = made[..., : total - given]
            given += made.shape[-1]
            if made.shape[-1]:
                yield made


class CodecStream:
    """Sound to latents and latents to sound, as `codecs.codec.Stream` says.

    Args:
        encoder, decoder: the decoder expects latents as late as the encoder gives them.
        rows, channels: signals that are coded side by side, each of so many channels.
    """

    def __init__(self, encoder: StreamingNetwork, decoder: StreamingNetwork, *, rows: int, channels: int) -> None:
        self._encoder, self._decoder = encoder.run(rows), decoder.run(rows)
        self.rows, self.channels = rows, channels
        self.block = encoder.before.rate
        self.delay = decoder.after.late

    def encode(self, block: Float[np.ndarray, "channels samples"]) -> Float[np.ndarray, "rows dim frames"]:
        """Latents of a block whose length is a multiple of `block`."""
        samples = torch.from_numpy(np.ascontiguousarray(block, np.float32)).view(self.rows, self.channels, -1)
        return self._encoder(samples).float().numpy()

    def decode(self, values: Float[np.ndarray, "rows dim frames"]) -> Float[np.ndarray, "channels samples"]:
        """Sound of a block of latents."""
        made = self._decoder(torch.from_numpy(np.ascontiguousarray(values, np.float32)))
        return made.float().flatten(0, 1).numpy()
