"""What the listeners hear: two spectrograms of sound at 22.05 kHz, whatever its level."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from orchestrion.analysis.spectra import MelSpectrogram, Stft

RATE = 22050
MEL_HOP, PITCH_HOP = 441, 2205  # 50 and 10 frames a second
MEL_BANDS, PITCH_BANDS = 81, 144
LOWEST, PER_OCTAVE = 440 * 2 ** (-41 / 12), 24  # E1, quarter tones
LOWEST_CLASS = 4  # the first band is an E


class MelFrontEnd(nn.Module):
    """81 mel bands, 50 frames a second, natural logarithm: for beats and kinds of music."""

    def __init__(self) -> None:
        super().__init__()
        self.mel = MelSpectrogram(
            sample_rate=RATE, n_fft=2048, hop_length=MEL_HOP, n_mels=MEL_BANDS, f_min=30.0, f_max=11000.0, power=1,
            pad_mode="constant",
        )  # fmt: skip

    def forward(self, waveform: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch bands frames"]:
        """ln(1 + 10 · magnitude) of the sound."""
        return torch.log1p(10 * self.mel(waveform))


class PitchFrontEnd(nn.Module):
    """144 bands a quarter tone apart from E1 on (six octaves), 10 frames a second: for chords.

    Triangles of a quarter tone's width on a spectrum of 2.7 Hz; the lowest octave borrows its neighbours' bins.
    """

    weights: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.stft = Stft(n_fft=8192, hop_length=PITCH_HOP, pad_mode="constant")
        centres = LOWEST * 2 ** (np.arange(-1, PITCH_BANDS + 1) / PER_OCTAVE)
        bins = np.fft.rfftfreq(8192, 1 / RATE)
        widths = np.maximum(np.diff(centres), 1.5 * RATE / 8192)
        rising = 1 - (centres[1:-1, None] - bins) / widths[:-1, None]
        falling = 1 - (bins - centres[1:-1, None]) / widths[1:, None]
        triangles = np.maximum(0.0, np.minimum(np.minimum(rising, falling), 1.0))
        weights = triangles / triangles.sum(1, keepdims=True)
        self.register_buffer("weights", torch.from_numpy(weights).float(), persistent=False)

    def forward(self, waveform: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch bands frames"]:
        """ln(1 + magnitude) of the sound."""
        return torch.log1p(self.weights @ self.stft(waveform).abs())


def by_pitch_class(
    x: Float[Tensor, "batch channels quarter_tones frames"],
) -> Float[Tensor, "batch parts 12 frames"]:
    """Bands folded to pitch classes, the first band's class first: octaves and the quarter tones of a class become
    channels."""
    batch, channels, bands, frames = x.shape
    folded = x.reshape(batch, channels, bands // 24, 12, 2, frames).movedim(3, -2)
    return folded.reshape(batch, channels * bands // 12, 12, frames)


def levelled(samples: Float[np.ndarray, " samples"]) -> Float[np.ndarray, " samples"]:
    """The sound at a root mean square of 0.1; silence stays as it is."""
    power = float(np.square(samples, dtype=np.float64).mean()) if len(samples) else 0.0
    return samples * np.float32(0.1 / np.sqrt(power)) if power > 1e-14 else samples
