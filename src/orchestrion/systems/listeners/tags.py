"""A listener for kinds of music: instrument families, genre and mood, from a mel spectrogram.

A convolutional tagger in the manner of Choi, Fazekas & Sandler (ISMIR 2016), small, averaged over time before the last
layers; trained on rendered clips, whose tags follow from their notes and styles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from orchestrion.media.audio import Audio
from orchestrion.systems.listeners.front_ends import MEL_BANDS, MEL_HOP, RATE, MelFrontEnd
from orchestrion.systems.listeners.listener import Listener, as_heard, own_card

KINDS = ("family", "genre", "mood")
CLIP = 20.0  # seconds heard at once


class TagListener(Listener):
    """Sound → probabilities of tags.

    Args:
        names: "kind: tag" of the outputs, in their order.
        channels: of the three convolutions.
        dropout: share of features left out in training.
    """

    card = own_card("tag_listener", "Instruments, genre and mood heard in sound")
    presets: ClassVar = {"mini": {"names": (), "channels": (24, 48, 96)}}

    def __init__(self, *, names: Sequence[str], channels: Sequence[int], dropout: float = 0.3) -> None:
        super().__init__()
        self.names = tuple(names)
        self.front_end = MelFrontEnd()
        self.norm = nn.BatchNorm1d(MEL_BANDS)
        layers: list[nn.Module] = []
        inputs = 1
        for outputs in channels:
            layers += [
                nn.Conv2d(inputs, outputs, 3, padding=1),
                nn.BatchNorm2d(outputs),
                nn.ELU(),
                nn.MaxPool2d((3, 4)),
            ]
            inputs = outputs
        self.spectral = nn.Sequential(*layers)
        features = inputs * (MEL_BANDS // 3 ** len(channels))
        self.head = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(2 * features, 128), nn.ELU(), nn.Dropout(dropout),
            nn.Linear(128, len(self.names)),
        )  # fmt: skip

    def forward(self, mel: Float[Tensor, "batch bands frames"]) -> Float[Tensor, "batch tags"]:
        """Logits of the tags."""
        heard = self.spectral(self.norm(mel)[:, None]).flatten(1, 2)
        return self.head(torch.cat([heard.mean(-1), heard.amax(-1)], 1))

    @torch.inference_mode()
    def probabilities(self, audio: Audio) -> Float[np.ndarray, " tags"]:
        """Of each tag of `names`: the mean over stretches of twenty seconds."""
        self.eval()
        samples = as_heard(audio)
        step = round(CLIP * RATE)
        shortest = 64 * MEL_HOP  # what the pooling takes away
        heard = []
        for start in range(0, max(len(samples) - step // 2, 1), step):
            piece = samples[start : start + step]
            piece = np.pad(piece, (0, max(shortest - len(piece), 0)))
            heard.append(self(self.front_end(torch.from_numpy(piece)[None])).sigmoid()[0].numpy())
        return np.mean(heard, axis=0)

    def tags(self, audio: Audio, *, least: float = 0.5, most: int = 5) -> dict[str, list[tuple[str, float]]]:
        """Tags by kind with their probabilities, the likeliest first: those at `least` so likely and at most so many,
        but always the likeliest genre."""
        found = self.probabilities(audio)
        by_kind: dict[str, list[tuple[str, float]]] = {kind: [] for kind in KINDS}
        for place in np.argsort(-found):
            kind, _, tag = self.names[place].partition(": ")
            if len(by_kind[kind]) < most and (found[place] >= least or (kind == "genre" and not by_kind[kind])):
                by_kind[kind].append((tag, round(float(found[place]), 4)))
        return by_kind
