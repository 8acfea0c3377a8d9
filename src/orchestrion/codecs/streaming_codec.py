"""A codec of convolutions: sound of any length, rate and number of channels to latents and back, block by block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from orchestrion.codecs.block_stream import CodecStream, Running, StreamingNetwork
from orchestrion.codecs.codec import Latents
from orchestrion.errors import InputError, OptionError
from orchestrion.media.audio import Audio
from orchestrion.media.resampling import resampled

if TYPE_CHECKING:
    from orchestrion.nn.latent_space import LatentSpace

Progress = Callable[[int, int], None]
BLOCK = 1 << 18  # samples, about as many as are worked on at once
Blocks = Iterator[Float[np.ndarray, "rows dim frames"]]


class StreamingCodec(ABC):
    """What a system gains that has a `streaming_encoder` and a `streaming_decoder`. All work is done block by block:
    what comes out is what the whole network would give for the whole sound, to rounding.

    Channels are coded each on its own by systems of one channel, with noise of its own when decoded; others code groups
    of as many channels as they have, the last channel repeated where they do not come out even.

    Attributes:
        rate: Hz of the sound that is coded.
        channels: of one group.
        ratio: samples of a latent frame.
        latent: most dimensions.
        identity: names the system and its weights.
    """

    rate: int
    channels: int
    ratio: int
    latent: int
    space: LatentSpace
    identity: Any
    device: Any

    @abstractmethod
    def streaming_encoder(
        self, *, latent_size: int | None = None, fidelity: float | None = None, exact: bool | None = None
    ) -> StreamingNetwork:
        """Waveforms to latents.

        Args:
            exact: whether it gives what the whole network gives for the whole sound, as `nn.streaming.Plan` says; None:
                as the system streams by itself.
        """

    @abstractmethod
    def streaming_decoder(
        self,
        *,
        latent_size: int | None = None,
        late: int = 0,
        seed: int | None = None,
        exact: bool | None = None,
    ) -> StreamingNetwork:
        """Latents to waveforms."""

    def stream(self, *, channels: int | None = None, seed: int = 0, latent_size: int | None = None) -> CodecStream:
        """Codes sound block by block, as `codecs.codec.Stream` says.

        Args:
            channels: of the sound, a multiple of the system's own, which is the default.
            latent_size: dimensions.

        Raises:
            OptionError: the network cannot stream, or the number of channels does not fit.
        """
        rows, rest = divmod(self.channels if channels is None else channels, self.channels)
        if rest or rows < 1:
            raise OptionError(f"A system of {self.channels} channels cannot stream {channels} channels.")
        encoder = self.streaming_encoder(latent_size=latent_size)
        decoder = self.streaming_decoder(latent_size=latent_size, late=encoder.after.late, seed=seed)
        return CodecStream(encoder, decoder, rows=rows, channels=self.channels)

    def encoding(
        self,
        blocks: Iterable[Audio],
        *,
        latent_size: int | None = None,
        fidelity: float | None = None,
    ) -> Encoding:
        """Latents of a sound that comes in blocks, as they come."""
        network = self.streaming_encoder(latent_size=latent_size, fidelity=fidelity, exact=True)
        return Encoding(self, network, blocks)

    @torch.inference_mode()  # around each step: a `with` in here would hold between steps too, for whoever takes them
    def decoding(
        self,
        blocks: Iterable[Float[np.ndarray, "rows dim frames"]],
        *,
        size: int,
        seed: int = 0,
    ) -> Iterator[Float[np.ndarray, "channels samples"]]:
        """The sound of latents that come in blocks, as it comes.

        Args:
            size: dimensions of the latents.
            seed: of the noise.
        """
        run: Running | None = None

        def tensors() -> Iterator[Tensor]:
            step = max(BLOCK // self.ratio, 1)
            for block in blocks:
                for start in range(0, block.shape[2], step):
                    part = np.ascontiguousarray(block[..., start : start + step], np.float32)
                    yield torch.from_numpy(part).to(self.device)

        parts = tensors()
        first = next(parts, None)
        if first is None:
            return
        run = self.streaming_decoder(latent_size=size, seed=seed, exact=True).run(len(first))
        for made in run.whole(_again(first, parts)):
            yield made.float().flatten(0, 1).cpu().numpy()

    def encode(
        self,
        audio: Audio,
        *,
        seed: int = 0,
        progress: Progress | None = None,
        latent_size: int | None = None,
        fidelity: float | None = None,
    ) -> Latents:
        """Latents of a sound.

        Args:
            seed: without effect, since nothing is drawn.
            latent_size, fidelity: how many dimensions, as of `streaming_encoder`.

        Raises:
            InputError: the sound is empty or holds samples that are no numbers.
        """
        told = _told([audio], progress)
        encoding = self.encoding(told, latent_size=latent_size, fidelity=fidelity)
        values = np.concatenate(list(encoding), axis=-1)
        return Latents(values, self.rate / self.ratio, self.rate, encoding.samples, self.identity)

    def decode(self, latents: Latents, *, seed: int = 0, progress: Progress | None = None) -> Audio:
        """The sound of latents; dimensions that are missing, and the noise, are drawn with `seed`, anew for each row.

        Raises:
            InputError: as `check_latents`.
        """
        self.check_latents(latents)
        told, size = _told([latents.values], progress), latents.values.shape[1]
        parts = self.decoding(told, size=size, seed=seed)
        return Audio(np.ascontiguousarray(np.concatenate(list(parts), axis=1)[:, : latents.samples]), self.rate)

    def check_latents(self, latents: Latents) -> None:
        """Refuses latents that cannot be decoded.

        Raises:
            InputError: they are empty, no numbers, or of another system or shape.
        """
        values = latents.values
        if latents.codec != self.identity:
            raise InputError(
                f"The latents were made by {latents.codec}, not by {self.identity}; decode them with that."
            )
        if values.ndim != 3 or 0 in values.shape or values.shape[1] > self.latent:
            raise InputError(
                f"Latents of shape {list(values.shape)} cannot be decoded; they need 1 to {self.latent} dimensions."
            )
        if not np.isfinite(values).all():
            raise InputError("The latents hold values that are no numbers; encode the sound again.")


class Encoding:
    """Latents of a sound that comes in blocks; iterate over them once.

    Attributes:
        samples: of the sound at the codec's rate, so far.
        channels: of the sound.
    """

    def __init__(self, codec: StreamingCodec, network: StreamingNetwork, blocks: Iterable[Audio]) -> None:
        self._codec, self._network, self._blocks = codec, network, blocks
        self.samples = 0
        self.channels = 0

    @torch.inference_mode()
    def __iter__(self) -> Blocks:
        """Raises:
        InputError: there is no sound, or it holds samples that are no numbers.
        """
        parts = self._groups()
        first = next(parts, None)
        if first is None:
            raise InputError("There is no sound to code; give at least one sample.")
        for made in self._network.run(len(first)).whole(_again(first, parts)):
            yield made.float().cpu().numpy()

    def _groups(self) -> Iterator[Tensor]:
        """Groups of channels, in blocks of whole frames; the last frame is filled up with zeros."""
        codec = self._codec
        size = max(BLOCK // codec.ratio, 1) * codec.ratio
        held: np.ndarray | None = None
        for samples in resampled(self._blocks, codec.rate):
            self.samples += samples.shape[1]
            self.channels = len(samples)
            held = samples if held is None else np.concatenate([held, samples], axis=1)
            while held.shape[1] >= size:
                yield self._group(held[:, :size])
                held = held[:, size:]
        if held is not None and held.shape[1]:
            yield self._group(np.pad(held, ((0, 0), (0, -held.shape[1] % codec.ratio))))

    def _group(self, samples: Float[np.ndarray, "channels samples"]) -> Tensor:
        lacking = -len(samples) % self._codec.channels
        samples = np.concatenate([samples, *[samples[-1:]] * lacking])
        rows = np.ascontiguousarray(samples.reshape(-1, self._codec.channels, samples.shape[1]), np.float32)
        return torch.from_numpy(rows).to(self._codec.device)


def _told(parts: Sequence[Any], progress: Progress | None) -> Iterator[Any]:
    for number, part in enumerate(parts):
        yield part
        if progress is not None:
            progress(number + 1, len(parts))


def _again(first: Tensor, rest: Iterator[Tensor]) -> Iterator[Tensor]:
    yield first
    yield from rest
