"""Sound through a lossy codec and back, in step with what went in."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from orchestrion.data.augment.chain import Sound
from orchestrion.errors import OptionError

# Of libsndfile: rates from Hz on, and the bit-rates in kbit/s between which its level runs.
MP3_BITRATES = ((32000, 320.0, 32.0), (16000, 160.0, 8.0), (8000, 64.0, 8.0))
MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
MP3_DELAY = 1105  # samples: 576 of the encoder (LAME) and 529 of every decoder
MOST_LEVEL = 0.999  # libsndfile refuses 1


def delay_between(
    clean: NDArray[np.float32], coded: NDArray[np.float32], *, most: int | None = None
) -> NDArray[np.int64]:
    """By how many samples each channel of `coded` is later than that of `clean`, [channels, samples] both.

    Generalised cross-correlation with phase transform (Knapp & Carter 1976), the mean left out.

    Args:
        most: largest delay that is looked for, to both sides; any by default.
    """
    n_samples = clean.shape[1]
    size = 2 * n_samples
    spectrum = np.fft.rfft(coded, size) * np.conj(np.fft.rfft(clean, size))
    spectrum /= np.abs(spectrum) + 1e-3
    spectrum[:, 0] = 0
    likeness = np.abs(np.fft.irfft(spectrum, size))
    if most is not None and most < n_samples:
        likeness[:, most + 1 : size - most] = -1
    at = likeness.argmax(axis=1)
    return np.where(at > n_samples, at - size, at)


def through_codec(
    sound: NDArray[np.float32], rate: int, *, format: str, kbps: float | None = None, quality: float = 0.3
) -> NDArray[np.float32]:
    """Sound [channels, samples] written as "mp3" (constant `kbps`) or "ogg" (Vorbis of `quality`) and read again, cut
    or filled up with what went in to its length, and in step with it.

    Raises:
        OptionError: the codec does not know the rate or the format.
    """
    import soundfile

    if format not in ("mp3", "ogg"):
        raise OptionError(f"There is no codec {format!r}; choose mp3 or ogg.")
    if sound.shape[0] > 2 and format == "mp3":
        raise OptionError(f"MP3 holds 1 or 2 channels, not {sound.shape[0]}; split the sound.")
    buffer = io.BytesIO()
    if format == "mp3":
        level = mp3_level(rate, kbps if kbps is not None else 64.0)
        soundfile.write(
            buffer, sound.T, rate, format="MP3", subtype="MPEG_LAYER_III", bitrate_mode="CONSTANT",
            compression_level=level,
        )  # fmt: skip
    else:
        soundfile.write(buffer, sound.T, rate, format="OGG", subtype="VORBIS", compression_level=1 - quality)
    buffer.seek(0)
    coded = soundfile.read(buffer, dtype="float32", always_2d=True)[0].T
    n_samples = sound.shape[1]
    whole = sound.copy()
    if format == "mp3" and coded.shape[1] > n_samples:  # at low bit-rates the file does not say how late it is
        coded = coded[:, MP3_DELAY:]
    n_common = min(coded.shape[1], n_samples)
    whole[:, :n_common] = coded[:, :n_common]
    return whole


def mp3_level(rate: int, kbps: float) -> float:
    """The level by which libsndfile is told a bit-rate.

    Raises:
        OptionError: MP3 has no such rate, or not this bit-rate at it.
    """
    if rate not in MP3_RATES:
        raise OptionError(f"MP3 has no rate of {rate} Hz; choose one of {', '.join(map(str, MP3_RATES))}.")
    _, most, least = next(row for row in MP3_BITRATES if rate >= row[0])
    if not least <= kbps <= most:
        raise OptionError(f"MP3 at {rate} Hz has bit-rates from {least:g} to {most:g} kbit/s here, not {kbps:g}.")
    return min((most - kbps) / (most - least), MOST_LEVEL)


class CodecRoundTrip:
    """MP3 or Vorbis and back; the bit-rate or quality is drawn anew for every item.

    Args:
        rate: Hz.
        format: "mp3" or "ogg".
        kbps: bit-rates of MP3 to draw from.
        quality: range of Vorbis' quality, 0 to 1.
    """

    def __init__(
        self,
        rate: int,
        *,
        format: str = "mp3",
        kbps: Sequence[float] = (32, 48, 64, 96, 128),
        quality: tuple[float, float] = (0.0, 0.5),
    ) -> None:
        if format not in ("mp3", "ogg"):
            raise OptionError(f"There is no codec {format!r}; choose mp3 or ogg.")
        if not kbps:
            raise OptionError("There are no bit-rates to draw from; give at least one.")
        if format == "mp3":
            for one in kbps:
                mp3_level(rate, one)
        self.rate, self.format, self.kbps, self.quality = rate, format, tuple(kbps), quality

    def __call__(self, audio: Sound, generator: torch.Generator) -> Sound:
        """Coded and decoded."""
        if self.format == "mp3":
            drawn = torch.randint(len(self.kbps), (len(audio),), generator=generator)
            return self.apply(audio, torch.tensor(self.kbps, dtype=torch.float32)[drawn])
        low, high = self.quality
        return self.apply(audio, low + (high - low) * torch.rand(len(audio), generator=generator))

    def apply(self, audio: Sound, amounts: Tensor) -> Sound:
        """With the kbit/s (MP3) or the quality (Vorbis) [batch] of each item."""
        result = audio.cpu().clone()
        for item, amount in zip(result.numpy(), amounts.tolist(), strict=True):
            chosen = {"kbps": amount} if self.format == "mp3" else {"quality": amount}
            item[:] = through_codec(item, self.rate, format=self.format, **chosen)
        return result.to(audio.device)
