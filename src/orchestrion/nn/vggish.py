"""VGGish: the embedding network of the Fréchet audio distance (Hershey et al. 2017, arXiv 1609.09430)."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from orchestrion.analysis.mel_filters import hertz_to_mel

RATE = 16000  # Hz
WINDOW, HOP, N_FFT = 400, 160, 512  # samples of a frame
FRAMES, BANDS, LOWEST, HIGHEST = 96, 64, 125.0, 7500.0  # of a patch; Hz
OFFSET = 0.01  # added before the logarithm


class VggishMel(nn.Module):
    """Waveform → patches of 96 frames of 64 log-mel bands: magnitudes, triangles that are straight on the mel scale,
    and nothing beyond the ends."""

    window: Tensor
    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        window = torch.hann_window(WINDOW, dtype=torch.float64)
        self.register_buffer("window", window.float(), persistent=False)
        self.register_buffer("filters", torch.from_numpy(_filters()).float(), persistent=False)

    @property
    def samples(self) -> int:
        """Samples that one patch needs."""
        return (FRAMES - 1) * HOP + WINDOW

    def forward(self, waveform: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch patches frames bands"]:
        """Patches that follow each other without overlap; a part of a patch at the end is left out.

        Raises:
            ValueError: the waveform is shorter than one patch.
        """
        if waveform.shape[-1] < self.samples:
            raise ValueError(f"VGGish needs {self.samples} samples, not {waveform.shape[-1]}")
        frames = waveform.unfold(-1, WINDOW, HOP) * self.window
        mel = torch.fft.rfft(frames, N_FFT).abs() @ self.filters
        return (mel + OFFSET).log().unfold(1, FRAMES, FRAMES).transpose(-1, -2)


def _filters() -> np.ndarray:
    """[bins, bands]."""
    bins = hertz_to_mel(np.linspace(0, RATE / 2, N_FFT // 2 + 1), scale="htk")
    low, high = hertz_to_mel(np.array([LOWEST, HIGHEST]), scale="htk")
    edges = np.linspace(low, high, BANDS + 2)
    width = edges[1] - edges[0]
    weights = np.maximum(0.0, np.minimum(bins[:, None] - edges[:-2], edges[2:] - bins[:, None]) / width)
    weights[0] = 0.0
    return weights


class Vggish(nn.Module):
    """Six convolutions and three fully connected layers; 128 numbers for 0.96 s.

    Args:
        last_relu: cuts the embedding off at 0, as the network was trained; without it, and without the PCA of the
            released AudioSet features, as FAD is measured.
        channels: of the convolutions.
        hidden: of the two fully connected layers.
        width: of the embedding.
    """

    def __init__(
        self,
        *,
        last_relu: bool = False,
        channels: tuple[int, int, int, int, int, int] = (64, 128, 256, 256, 512, 512),
        hidden: int = 4096,
        width: int = 128,
    ) -> None:
        super().__init__()
        self.mel = VggishMel()
        layers: list[nn.Module] = []
        for place, (before, after) in enumerate(zip((1, *channels[:-1]), channels, strict=True)):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
            if place in (0, 1, 3, 5):
                layers.append(nn.MaxPool2d(2))
        self.convolutions = nn.Sequential(*layers)
        flat = channels[-1] * (FRAMES // 16) * (BANDS // 16)
        self.head = nn.Sequential(
            nn.Linear(flat, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, width)
        )
        self.last_relu = last_relu

    def forward(self, waveform: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch patches width"]:
        """One vector for each patch of waveforms at 16 kHz.

        Raises:
            ValueError: the waveform is shorter than one patch.
        """
        patches = self.mel(waveform)
        batch, count = patches.shape[:2]
        maps = self.convolutions(patches.reshape(batch * count, 1, FRAMES, BANDS))
        vectors = self.head(maps.permute(0, 2, 3, 1).flatten(1)).reshape(batch, count, -1)  # channels last, as trained
        return vectors.relu() if self.last_relu else vectors
