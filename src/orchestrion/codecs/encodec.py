"""EnCodec: sound to residual codes at a chosen bit rate (Défossez et al. 2022, arXiv 2210.13438)."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log2, prod
from typing import Any

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor
from torch.nn import functional

from orchestrion.codecs.causal_codec_stream import CausalCodecStream
from orchestrion.codecs.overlap import overlap_add
from orchestrion.codecs.seanet import SeanetDecoder, SeanetEncoder
from orchestrion.codecs.waveform_codec import Progress, WaveformCodec, check_codes
from orchestrion.errors import OptionError
from orchestrion.nn.quantize import ResidualQuantizer


class Encodec(WaveformCodec):
    """SEANet with a residual quantiser.

    With `segment_seconds` the sound is coded in segments that overlap a little, each divided by its root mean square
    where `normalize` is set; the latents then hold the frames of all segments, and in a last row the bits of the scale
    of each segment as float32, in every frame of it.

    Args:
        encoder, decoder: the networks.
        books: of the quantiser.
        size: codes of a book.
        sound_channels: of the sound.
        sample_rate: in Hz.
        ratios: of the networks.
        bandwidths: bit rates in kbit/s that it is made for.
        normalize: whether the level is taken out of each segment.
        segment_seconds: length of segments; None: the whole sound at once (long sound in windows of 10 seconds with one
            second of context, further back than which the LSTM then does not remember).
        overlap: share of a segment that the next repeats.
        dead_below, quirks: of the codebooks.

    Attributes:
        bandwidth: the bit rate in kbit/s at which sound is coded; None: with all books.
    """

    bandwidth: float | None

    def __init__(
        self,
        *,
        encoder: SeanetEncoder,
        decoder: SeanetDecoder,
        dimension: int,
        books: int,
        size: int,
        sound_channels: int,
        sample_rate: int,
        ratios: Sequence[int],
        bandwidths: Sequence[float],
        normalize: bool = False,
        segment_seconds: float | None = None,
        overlap: float = 0.01,
        dead_below: float = 2.0,
        quirks: str = "none",
    ) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.quantizer = ResidualQuantizer(stages=books, size=size, dim=dimension, dead_below=dead_below, quirks=quirks)
        self.sample_rate, self.channels, self.hop_length = sample_rate, sound_channels, prod(ratios)
        self.books, self.size, self.bandwidths = books, size, tuple(bandwidths)
        self.normalize, self.bandwidth = normalize, None
        self.segment = None if segment_seconds is None else int(segment_seconds * sample_rate)
        self.stride = None if self.segment is None else max(1, int((1 - overlap) * self.segment))
        self.context = ceil(self.frame_rate)
        self.window = 10 * self.context

    def books_at(self, bandwidth: float | None) -> int:
        """Books that fit a bit rate in kbit/s, at least one; all of them where it is None.

        Raises:
            OptionError: the rate is not one that the codec is made for.
        """
        if bandwidth is None:
            return self.books
        if bandwidth not in self.bandwidths:
            known = ", ".join(f"{rate:g}" for rate in self.bandwidths)
            raise OptionError(f"This EnCodec has no bit rate of {bandwidth:g} kbit/s; choose one of {known}.")
        fitting = int(bandwidth * 1000 // (log2(self.size) * ceil(self.sample_rate / self.hop_length)))
        return min(max(1, fitting), self.books)

    def codes(self, wave: Float[Tensor, "batch channels samples"]) -> Int[Tensor, "batch books frames"]:
        """Codes of one segment at `bandwidth`."""
        return self.quantizer(self.encoder(wave), self.books_at(self.bandwidth)).codes

    def segment_codes(
        self, wave: Float[Tensor, "batch channels samples"]
    ) -> tuple[Int[Tensor, "batch books frames"], Float[Tensor, "batch 1"] | None]:
        """Codes of one segment, and what it was divided by."""
        if not self.normalize:
            return self.codes(wave), None
        scale = wave.mean(1).square().mean(1, keepdim=True).sqrt() + 1e-8
        return self.codes(wave / scale[..., None]), scale

    def segment_wave(
        self, codes: Int[Tensor, "batch books frames"], scale: Float[Tensor, "batch 1"] | None = None
    ) -> Float[Tensor, "batch channels samples"]:
        """The sound of one segment."""
        wave = self.decoder(self.quantizer.decode(codes))
        return wave if scale is None else wave * scale[..., None]

    def segments(
        self, wave: Float[Tensor, "batch channels samples"]
    ) -> list[tuple[Int[Tensor, "batch books frames"], Float[Tensor, "batch 1"] | None]]:
        """Codes and scale of each segment as published: the last ones may be short."""
        total = wave.shape[-1]
        starts = [0] if self.stride is None else range(0, total, self.stride)
        return [self.segment_codes(wave[..., start : start + (self.segment or total)]) for start in starts]

    def join(
        self, segments: Sequence[tuple[Int[Tensor, "batch books frames"], Float[Tensor, "batch 1"] | None]]
    ) -> Float[Tensor, "batch channels samples"]:
        """The sound of segments."""
        made = [self.segment_wave(codes, scale) for codes, scale in segments]
        return made[0] if self.stride is None else overlap_add(made, self.stride)

    def frames_of(self, wave: Float[Tensor, "rows channels samples"]) -> Int[Tensor, "rows books frames"]:
        return self.codes(wave)

    def wave_of(self, values: Shaped[Tensor, "rows dim frames"]) -> Float[Tensor, "rows channels samples"]:
        return self.decoder(self.quantizer.decode(values))

    def check(self, values: Shaped[Tensor, "rows dim frames"]) -> None:
        codes = values[:, :-1] if self.normalize else values
        check_codes(codes, books=self.books, size=self.size, name="This EnCodec")

    @property
    def frame_rate(self) -> float:
        """Frames a second of the latents, those of overlaps counted."""
        if self.segment is None or self.stride is None:
            return self.sample_rate / self.hop_length
        return ceil(self.segment / self.hop_length) * self.sample_rate / self.stride

    def whole_frames(self, rows: Tensor, *, progress: Progress | None = None) -> Tensor:
        """Frames of sound of any length, segment by segment; the last is filled up with silence."""
        if self.segment is None or self.stride is None:
            return super().whole_frames(rows, progress=progress)
        count, parts = max(ceil((rows.shape[-1] - self.segment) / self.stride), 0) + 1, []
        rows = functional.pad(rows, (0, (count - 1) * self.stride + self.segment - rows.shape[-1]))
        for number in range(count):
            start = number * self.stride
            codes, scale = self.segment_codes(rows[..., start : start + self.segment].to(self._device))
            if scale is not None:
                bits = scale.float().view(torch.int32).long()
                codes = torch.cat([codes, bits[..., None].expand(-1, 1, codes.shape[-1])], 1)
            parts.append(codes.cpu())
            if progress is not None:
                progress(number + 1, count)
        return torch.cat(parts, -1)

    def whole_wave(self, values: Tensor, *, progress: Progress | None = None) -> Tensor:
        """Sound of any number of frames, segment by segment."""
        if self.segment is None:
            return super().whole_wave(values, progress=progress)
        frames = values.split(ceil(self.segment / self.hop_length), -1)
        segments = []
        for number, part in enumerate(frames, start=1):
            part, scale = part.to(self._device), None
            if self.normalize:
                part, scale = part[:, :-1], part[:, -1, :1].to(torch.int32).view(torch.float32)
            segments.append(self.segment_wave(part, scale)[..., : self.segment].cpu())
            if progress is not None:
                progress(number, len(frames))
        return overlap_add(segments, self.stride or self.segment)

    def stream(self) -> CausalCodecStream:
        """A stream of the sound's channels at `bandwidth`, without delay.

        Raises:
            OptionError: the networks look ahead (those of 32 and 48 kHz do), or the sound is coded in segments.
        """
        if self.segment is not None or self.normalize:
            raise OptionError("This EnCodec codes segments as wholes, not block by block; encode whole files.")
        books = self.books_at(self.bandwidth)
        return CausalCodecStream(
            self.encoder.net, self.decoder.net, hop_length=self.hop_length, channels=self.channels,
            quantize=lambda z: self.quantizer(z, books).codes, restore=self.quantizer.decode,
        )  # fmt: skip


def encodec_24k() -> Encodec:
    """24 kHz mono, causal: 75 frames a second of up to 32 books, 1.5 to 24 kbit/s. 14,851,810 parameters."""
    return _published(
        channels=1, causal=True, norm="weight_norm", books=32, sample_rate=24000, bandwidths=(1.5, 3, 6, 12, 24)
    )


def encodec_48k() -> Encodec:
    """48 kHz stereo: segments of a second, normalised; 150 frames a second of up to 16 books, 3 to 24 kbit/s.
    14,856,294 parameters."""
    return _published(
        channels=2, causal=False, norm="time_group_norm", books=16, sample_rate=48000, bandwidths=(3, 6, 12, 24),
        normalize=True, segment_seconds=1.0,
    )  # fmt: skip


def encodec_32k() -> Encodec:
    """32 kHz mono: 50 frames a second of 4 books of 2048 codes, 2.2 kbit/s, the codec of MusicGen (Copet et al. 2023,
    arXiv 2306.05284, section 3.1). 56,884,674 parameters."""
    shared: dict[str, Any] = {
        "channels": 1, "dimension": 128, "filters": 64, "ratios": (8, 5, 4, 4), "identity": True, "pad_mode": "constant"
    }  # fmt: skip
    return Encodec(
        encoder=SeanetEncoder(**shared), decoder=SeanetDecoder(**shared), dimension=128, books=4, size=2048,
        sound_channels=1, sample_rate=32000, ratios=shared["ratios"], bandwidths=(2.2,),
    )  # fmt: skip


def _published(
    *, channels: int, causal: bool, norm: str, books: int, sample_rate: int, bandwidths: Sequence[float], **how: Any
) -> Encodec:
    ratios = (8, 5, 4, 2)
    shared: dict[str, Any] = {
        "channels": channels, "dimension": 128, "filters": 32, "ratios": ratios, "causal": causal, "norm": norm
    }  # fmt: skip
    return Encodec(
        encoder=SeanetEncoder(**shared), decoder=SeanetDecoder(**shared), dimension=128, books=books, size=1024,
        sound_channels=channels, sample_rate=sample_rate, ratios=ratios, bandwidths=bandwidths, **how,
    )  # fmt: skip
