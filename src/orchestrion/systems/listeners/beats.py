"""A listener for beats, bars and how beats divide: a temporal convolutional network on a mel spectrogram, and a bar
pointer.

After Davies & Böck, "Temporal convolutional networks for musical audio beat tracking" (EUSIPCO 2019), and Böck & Davies
(ISMIR 2020), smaller, and trained on rendered music whose beats are known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from orchestrion.analysis.bar_tracking import BeatPath, best_beats
from orchestrion.analysis.beat_profile import PHASES, band_flux, beat_profile
from orchestrion.analysis.long_sound import in_windows
from orchestrion.media.audio import Audio
from orchestrion.nn.dilated_stack import DilatedStack
from orchestrion.systems.listeners.front_ends import MEL_BANDS, MEL_HOP, RATE, MelFrontEnd
from orchestrion.systems.listeners.listener import Listener, as_heard, own_card

FRAME_RATE = RATE / MEL_HOP
METRES = (2, 3, 4)
LEAST = 1e-4  # no probability is nearer to 0 or 1
USUAL_TEMPO = 100.0
GROUPS = 3  # of bands whose onsets are folded, beside all together
FEATURES = (1 + GROUPS) * PHASES + 4


@dataclass(frozen=True, slots=True)
class Activations:
    """What is heard at each frame.

    Attributes:
        beat, downbeat, triple: probabilities that a beat, or a bar, begins, and that beats divide into three.
        flux: how much the spectrum rises, in all bands and in three groups of them.
    """

    beat: Float[np.ndarray, " frames"]
    downbeat: Float[np.ndarray, " frames"]
    triple: Float[np.ndarray, " frames"]
    flux: Float[np.ndarray, "4 frames"]
    frame_rate: float = FRAME_RATE

    @classmethod
    def from_outputs(cls, heard: Float[np.ndarray, "7 frames"]) -> Activations:
        """From what `BeatListener.heard` gives."""
        return cls(heard[0], heard[1], heard[2], heard[3:])

    def path(self, *, beats_per_bar: Sequence[int] = METRES) -> BeatPath:
        """The most likely beats."""
        return best_beats(self.beat, self.downbeat, frame_rate=self.frame_rate, beats_per_bar=beats_per_bar)

    def division(self, path: BeatPath) -> Float[np.ndarray, " features"]:
        """What tells whether beats divide into two or three: onsets folded over the beat, what the network says at
        beats, the tempo, and beats of a bar."""
        at = path.times * self.frame_rate
        told = np.clip(self.triple[np.round(at).astype(int)], LEAST, 1 - LEAST)
        said = float(np.log(told / (1 - told)).mean()) if len(told) else 0.0
        pace = math.log((path.tempo or USUAL_TEMPO) / USUAL_TEMPO)
        metre = [path.beats_per_bar == count for count in METRES[:2]]
        return np.array([*beat_profile(self.flux, at).flatten(), said, pace, *metre], np.float32)


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
        self.head = nn.Conv1d(width, 3, 1)
        self.division = nn.Linear(FEATURES, 1)

    def forward(self, mel: Float[Tensor, "batch bands frames"]) -> Float[Tensor, "batch 3 frames"]:
        """Logits of a beat, of a downbeat, and of beats in three parts, at each frame."""
        spectral = self.spectral(self.norm(mel)[:, None])[:, :, 0]
        return self.head(self.temporal(spectral))

    def activations(self, audio: Audio) -> Activations:
        """How beat-like each frame of 20 ms is, for sound of any length, rate and number of channels."""
        self.eval()
        heard = in_windows(lambda wave: self.heard(self.front_end(wave)), as_heard(audio), hop_length=MEL_HOP)
        return Activations.from_outputs(heard)

    @torch.inference_mode()
    def heard(self, mel: Float[Tensor, "1 bands frames"]) -> Float[Tensor, "1 7 frames"]:
        """Probabilities of the three outputs, and the flux of the bands."""
        flux = torch.from_numpy(band_flux(mel[0].numpy(), groups=GROUPS)).to(mel)
        return torch.cat([self(mel).sigmoid(), flux[None]], 1)

    def beats(self, audio: Audio, *, beats_per_bar: Sequence[int] = METRES) -> BeatPath:
        """Beats in seconds and their places in the bar.

        Args:
            beats_per_bar: metres to choose from.
        """
        found = self.activations(audio)
        path = found.path(beats_per_bar=beats_per_bar)
        with torch.inference_mode():
            triple = float(self.division(torch.from_numpy(found.division(path)))) > 0
        return replace(path, triple=triple and len(path.times) > 1)


def beat_targets(times: Float[np.ndarray, " beats"], frames: int) -> Float[Tensor, " frames"]:
    """1 at the frames where beats begin, a half at their neighbours."""
    target = torch.zeros(frames + 2)
    at = torch.from_numpy(np.round(np.asarray(times) * FRAME_RATE).astype(np.int64))
    at = at[(at >= 0) & (at < frames)] + 1
    target[at - 1], target[at + 1] = 0.5, 0.5
    target[at] = 1.0
    return target[1:-1]
