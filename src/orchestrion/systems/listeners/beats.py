"""A listener for beats and downbeats: a temporal convolutional network on a mel spectrogram, and a bar pointer.

After Davies & Böck, "Temporal convolutional networks for musical audio beat tracking" (EUSIPCO 2019), and Böck & Davies
(ISMIR 2020), smaller, and trained on rendered music whose beats are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from orchestrion.analysis.bar_tracking import BeatPath, best_beats
from orchestrion.analysis.long_sound import in_windows
from orchestrion.media.audio import Audio
from orchestrion.nn.dilated_stack import DilatedStack
from orchestrion.systems.listeners.front_ends import MEL_BANDS, MEL_HOP, RATE, MelFrontEnd
from orchestrion.systems.listeners.listener import Listener, as_heard, own_card

FRAME_RATE = RATE / MEL_HOP
METRES = (2, 3, 4)


@dataclass(frozen=True, slots=True)
class Activations:
    """Probabilities that a beat, or a bar, begins at each frame."""

    beat: Float[np.ndarray, " frames"]
    downbeat: Float[np.ndarray, " frames"]
    frame_rate: float


class BeatListener(Listener):
    """Sound → beats and bars.

    Args:
        channels: of the two convolutions over the spectrogram.
        width: of the temporal network.
        dilations: of its blocks, in frames of 20 ms.
        dropout: share of channels left out in training.
    """

    card = own_card("beat_listener", "Beats and downbeats heard in sound")
    presets: ClassVar = {"mini": {"channels": (12, 20), "width": 32, "dilations": (1, 2, 4, 8, 16, 32, 64, 128, 256)}}

    def __init__(self, *, channels: Sequence[int], width: int, dilations: Sequence[int], dropout: float = 0.1) -> None:
        super().__init__()
        first, second = channels
        self.front_end = MelFrontEnd()
        self.norm = nn.BatchNorm1d(MEL_BANDS)
        self.spectral = nn.Sequential(
            nn.Conv2d(1, first, 3, padding=1),
            nn.ELU(),
            nn.MaxPool2d((3, 1)),
            nn.Conv2d(first, second, 3, padding=1),
            nn.ELU(),
            nn.MaxPool2d((3, 1)),
            nn.Conv2d(second, width, (MEL_BANDS // 9, 1)),
            nn.ELU(),
        )
        self.temporal = DilatedStack(width=width, dilations=dilations, dropout=dropout)
        self.head = nn.Conv1d(width, 2, 1)

    def forward(self, mel: Float[Tensor, "batch bands frames"]) -> Float[Tensor, "batch 2 frames"]:
        """Logits of a beat and of a downbeat at each frame."""
        spectral = self.spectral(self.norm(mel)[:, None])[:, :, 0]
        return self.head(self.temporal(spectral))

    def activations(self, audio: Audio) -> Activations:
        """How beat-like each frame of 20 ms is, for sound of any length, rate and number of channels."""
        self.eval()
        heard = in_windows(lambda wave: self(self.front_end(wave)).sigmoid(), as_heard(audio), hop_length=MEL_HOP)
        return Activations(heard[0], heard[1], FRAME_RATE)

    def beats(self, audio: Audio, *, beats_per_bar: Sequence[int] = METRES) -> BeatPath:
        """Beats in seconds and their places in the bar.

        Args:
            beats_per_bar: metres to choose from.
        """
        found = self.activations(audio)
        return best_beats(found.beat, found.downbeat, frame_rate=FRAME_RATE, beats_per_bar=beats_per_bar)


def beat_targets(times: Float[np.ndarray, " beats"], frames: int) -> Float[Tensor, " frames"]:
    """1 at the frames where beats begin, a half at their neighbours."""
    target = torch.zeros(frames + 2)
    at = torch.from_numpy(np.round(np.asarray(times) * FRAME_RATE).astype(np.int64))
    at = at[(at >= 0) & (at < frames)] + 1
    target[at - 1], target[at + 1] = 0.5, 0.5
    target[at] = 1.0
    return target[1:-1]
