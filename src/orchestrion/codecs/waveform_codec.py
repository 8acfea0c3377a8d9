"""What codecs of waveforms share: sound of any length, rate and number of channels, window by window."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from math import ceil, prod

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn.utils import parametrize

from orchestrion.codecs.codec import Latents, Stream
from orchestrion.errors import InputError, OptionError
from orchestrion.media.audio import Audio

Progress = Callable[[int, int], None]


class WaveformCodec(nn.Module, ABC):
    """Sound ↔ frames of numbers or codes.

    A codec of one channel codes every channel of a sound on its own. One of two channels codes them in pairs; a channel
    without a partner is its own partner, so that mono comes back as two channels.

    Long sound is worked on in windows of `window` frames with `context` frames of their neighbours on both sides, so
    that memory stays the same. Where a codec looks no further than its context, windows change nothing.

    Attributes:
        sample_rate: in Hz.
        channels: 1 or 2.
        hop_length: samples a frame.
        window, context: in frames.
    """

    sample_rate: int
    channels: int
    hop_length: int
    window: int
    context: int

    @abstractmethod
    def frames_of(self, wave: Float[Tensor, "rows channels samples"]) -> Shaped[Tensor, "rows dim frames"]:
        """A frame for each `hop_length` samples, of which there is a whole number."""

    @abstractmethod
    def wave_of(self, values: Shaped[Tensor, "rows dim frames"]) -> Float[Tensor, "rows channels samples"]:
        """The sound of frames: at most `hop_length` samples a frame, the first frame's first."""

    def check(self, values: Shaped[Tensor, "rows dim frames"]) -> None:
        """Raises:
        InputError: no codec of this kind made these values.
        """

    @property
    def frame_rate(self) -> float:
        """Frames a second."""
        return self.sample_rate / self.hop_length

    @torch.no_grad()
    def encode(self, audio: Audio, *, codec: str = "", progress: Progress | None = None) -> Latents:
        """Frames of a sound.

        Args:
            codec: written into the latents: the name of codec and weights.

        Raises:
            InputError: there is no sound.
        """
        if audio.samples.shape[1] == 0:
            raise InputError("The sound has no samples; give one that has.")
        rows = self._rows(torch.from_numpy(np.ascontiguousarray(audio.resample(self.sample_rate).samples)))
        values = self.whole_frames(rows, progress=progress).numpy()
        return Latents(values, self.frame_rate, audio.rate, audio.samples.shape[1], codec)

    @torch.no_grad()
    def decode(self, latents: Latents, *, progress: Progress | None = None) -> Audio:
        """The sound that frames stand for, at its former rate and length.

        Raises:
            InputError: the frames are not of this codec.
        """
        values = torch.from_numpy(np.ascontiguousarray(latents.values))
        self.check(values)
        wave = self.whole_wave(values, progress=progress)
        audio = Audio(wave.flatten(0, 1).clamp(-1, 1).float().numpy(), self.sample_rate).resample(latents.sample_rate)
        short = max(latents.samples - audio.samples.shape[1], 0)
        samples = np.pad(audio.samples, ((0, 0), (0, short)))[:, : latents.samples]
        return Audio(np.ascontiguousarray(samples), audio.rate)

    def whole_frames(self, rows: Tensor, *, progress: Progress | None = None) -> Tensor:
        """Frames of sound of any length, window by window."""
        total, parts = ceil(rows.shape[-1] / self.hop_length), []
        rows = nn.functional.pad(rows, (0, total * self.hop_length - rows.shape[-1]))
        for start, end, first, last in self._windows(total):
            stretch = rows[..., first * self.hop_length : last * self.hop_length]
            made = self.frames_of(stretch.to(self._device))
            parts.append(made[..., start - first : end - first].cpu())
            if progress is not None:
                progress(end, total)
        return torch.cat(parts, -1)

    def whole_wave(self, values: Tensor, *, progress: Progress | None = None) -> Tensor:
        """Sound of any number of frames, window by window."""
        total, parts = values.shape[-1], []
        for start, end, first, last in self._windows(total):
            made = self.wave_of(values[..., first:last].to(self._device)).cpu()
            wanted = (end - start) * self.hop_length
            made = made[..., (start - first) * self.hop_length :][..., :wanted]
            parts.append(nn.functional.pad(made, (0, wanted - made.shape[-1])))
            if progress is not None:
                progress(end, total)
        return torch.cat(parts, -1)

    def stream(self) -> Stream:
        """Raises:
        OptionError: the codec cannot work block by block.
        """
        raise OptionError(
            f"{type(self).__name__} cannot work block by block; encode whole files, in constant memory as well."
        )

    @property
    def _device(self) -> torch.device:
        return next(self.parameters()).device

    def _windows(self, total: int) -> list[tuple[int, int, int, int]]:
        """Start and end of each window, and of what is looked at for it."""
        return [
            (start, end, max(start - self.context, 0), min(end + self.context, total))
            for start in range(0, total, self.window)
            for end in [min(start + self.window, total)]
        ]

    def _rows(self, samples: Tensor) -> Tensor:
        if self.channels == 1:
            return samples[:, None]
        if samples.shape[0] % 2:
            samples = torch.cat([samples, samples[-1:]])
        return samples.unflatten(0, (-1, 2))


def check_codes(values: Tensor, *, books: int, size: int, name: str) -> None:
    """Raises:
    InputError: the values are not codes of at most so many books, each below `size`.
    """
    if values.is_floating_point() or not 1 <= values.shape[1] <= books:
        raise InputError(f"{name} decodes integer codes of 1 to {books} books, not {values.shape[1]} numbers a frame; "
                         "decode them with the codec that made them.")  # fmt: skip
    if values.numel() and not 0 <= int(values.min()) <= int(values.max()) < size:
        raise InputError(f"{name} has codes from 0 to {size - 1}, and some are outside; the file is of another codec.")


def fold_weight_norm(module: nn.Module) -> nn.Module:
    """Makes one weight of each split one, which gives the same and is faster where nothing is trained."""
    for part in module.modules():
        if parametrize.is_parametrized(part):
            parametrize.remove_parametrizations(part, "weight")
    return module


def unit_reach(strides: Sequence[int], *, units: int = 78) -> int:
    """How many frames on either side a frame of a dilated encoder or decoder depends on, at most.

    Args:
        strides: of the levels, from the sound to the frames.
        units: (kernel size − 1) · Σ dilations of the units of a level.
    """
    total, step = 12, 1
    for stride in strides:
        total += (units + 4 * stride) * step
        step *= stride
    return ceil((total + 8 * step) / 2 / prod(strides)) + 1
