"""A listener for kinds of music: instrument families, genre and mood, from a mel spectrogram and from pitch classes.

A convolutional tagger in the manner of Choi, Fazekas & Sandler (ISMIR 2016), small, whose last layers see means, peaks
and deviations over time. Moods lean on major and minor, which mel bands hide: a second path hears how much of each
pitch class sounds, and treats all twelve roots alike. Trained on rendered clips, whose tags follow from their notes and
styles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from orchestrion.media.audio import Audio
from orchestrion.nn.dilated_stack import DilatedStack
from orchestrion.systems.listeners.front_ends import (
    LOWEST_CLASS,
    MEL_BANDS,
    MEL_HOP,
    PITCH_BANDS,
    RATE,
    MelFrontEnd,
    PitchFrontEnd,
    by_pitch_class,
)
from orchestrion.systems.listeners.listener import Listener, as_heard, own_card
from orchestrion.systems.listeners.pitch_circle import Circular

KINDS = ("family", "genre", "mood")
CLIP = 10.0  # seconds heard at once
FEWEST = 5  # clips with a tag that a threshold can be set on


class TagListener(Listener):
    """Sound → probabilities of tags: what the network finds, added to a logistic regression on means and deviations of
    all bands, which few clips are enough for (wide and deep, Cheng et al. 2016).

    Args:
        names: "kind: tag" of the outputs, in their order.
        channels: of the three convolutions over the spectrogram.
        width: of the network over time.
        dilations: of its blocks, in frames of 0.64 s.
        around: channels of each pitch class.
        dropout: share of features left out in training.

    Attributes:
        thresholds: probability from which each tag is said; a half unless they were set by `calibrate`.
    """

    card = own_card("tag_listener", "Instruments, genre and mood heard in sound")
    presets: ClassVar = {
        "mini": {"names": (), "channels": (32, 48, 96), "width": 128, "dilations": (1, 2), "around": 32}
    }
    thresholds: Tensor

    def __init__(
        self,
        *,
        names: Sequence[str],
        channels: Sequence[int],
        width: int,
        dilations: Sequence[int],
        around: int,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        first, second, third = channels
        self.names = tuple(names)
        self.mel_of, self.pitch_of = MelFrontEnd(), PitchFrontEnd()
        self.norm = nn.BatchNorm1d(MEL_BANDS)
        self.spectral = nn.Sequential(
            nn.Conv2d(1, first, (5, 9), stride=(3, 4), padding=(1, 4)),
            nn.BatchNorm2d(first),
            nn.ELU(),
            *_block(first, second, pool=(3, 2)),
            *_block(second, third, pool=(3, 4)),
        )
        self.gather = nn.Conv1d(third * (MEL_BANDS // 27), width, 1)
        self.temporal = DilatedStack(width=width, dilations=dilations, kernel_size=3, dropout=0.1)
        self.scale = nn.BatchNorm1d(1)
        self.circle = nn.Sequential(Circular(PITCH_BANDS // 12, around), nn.ELU(), Circular(around, around), nn.ELU())
        self.head = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(3 * width + 2 * around, 128), nn.ELU(), nn.Dropout(dropout),
            nn.Linear(128, len(self.names)),
        )  # fmt: skip
        self.wide = nn.Sequential(
            nn.BatchNorm1d(2 * MEL_BANDS + PITCH_BANDS, affine=False),
            nn.Linear(2 * MEL_BANDS + PITCH_BANDS, len(self.names)),
        )
        nn.init.zeros_(self.wide[1].get_parameter("weight"))
        self.register_buffer("thresholds", torch.full((len(self.names),), 0.5))

    def forward(
        self, mel: Float[Tensor, "batch bands frames"], pitch: Float[Tensor, "batch quarter_tones tenths"]
    ) -> Float[Tensor, "batch tags"]:
        """Logits of the tags."""
        heard = self.temporal(self.gather(self.spectral(self.norm(mel)[:, None]).flatten(1, 2)))
        classes = by_pitch_class(self.scale(pitch.mean(-1)[:, None])[..., None])
        classes = self.circle(torch.roll(classes, LOWEST_CLASS, dims=2))[..., 0]
        over_time = [heard.mean(-1), heard.amax(-1), heard.var(-1, correction=0).add(1e-5).sqrt()]
        deep = self.head(torch.cat([*over_time, classes.mean(-1), classes.amax(-1)], 1))
        return deep + self.wide(torch.cat([mel.mean(-1), mel.std(-1), pitch.mean(-1)], 1))

    @torch.inference_mode()
    def probabilities(self, audio: Audio) -> Float[np.ndarray, " tags"]:
        """Of each tag of `names`: the mean over stretches of ten seconds."""
        self.eval()
        samples = as_heard(audio)
        step = round(CLIP * RATE)
        shortest = 64 * MEL_HOP  # what the pooling takes away
        heard = []
        for start in range(0, max(len(samples) - step // 2, 1), step):
            piece = samples[start : start + step]
            wave = torch.from_numpy(np.pad(piece, (0, max(shortest - len(piece), 0))))[None]
            heard.append(self(self.mel_of(wave), self.pitch_of(wave)).sigmoid()[0].numpy())
        return np.mean(heard, axis=0)

    @torch.inference_mode()
    def calibrate(
        self, probabilities: Float[np.ndarray, "clips tags"], labels: Float[np.ndarray, "clips tags"]
    ) -> None:
        """Sets each tag's threshold to the one with the best F1 on clips that were not trained on.

        Args:
            labels: 1 where a clip has the tag. A tag that fewer than `FEWEST` clips have keeps its threshold.
        """
        for tag in np.flatnonzero(labels.sum(0) >= FEWEST):
            self.thresholds[tag] = best_threshold(probabilities[:, tag], labels[:, tag])

    def tags(self, audio: Audio, *, least: float | None = None, most: int = 5) -> dict[str, list[tuple[str, float]]]:
        """Tags by kind with their probabilities, the likeliest first, at most so many of a kind.

        Args:
            least: probability from which a tag is said; each tag's own threshold by default.
        """
        found = self.probabilities(audio)
        needed = self.thresholds.numpy() if least is None else np.full(len(found), least)
        by_kind: dict[str, list[tuple[str, float]]] = {kind: [] for kind in KINDS}
        for place in np.argsort(-found):
            kind, _, tag = self.names[place].partition(": ")
            if len(by_kind[kind]) < most and found[place] >= needed[place]:
                by_kind[kind].append((tag, round(float(found[place]), 4)))
        return by_kind


def best_threshold(probabilities: Float[np.ndarray, " clips"], labels: Float[np.ndarray, " clips"]) -> float:
    """The probability that parts clips with a tag from those without it best, by F1; halfway between two clips.

    >>> best_threshold(np.array([0.1, 0.2, 0.4, 0.9]), np.array([0, 0, 1, 1]))
    0.3
    """
    order = np.argsort(-probabilities, kind="stable")
    ranked, hits = probabilities[order], np.cumsum(labels[order])
    f1 = 2 * hits / (np.arange(1, len(ranked) + 1) + labels.sum())
    f1[:-1][ranked[:-1] == ranked[1:]] = 0.0  # no threshold parts equals
    best = int(f1.argmax())
    below = ranked[best + 1] if best + 1 < len(ranked) else 0.0
    return round(float(ranked[best] + below) / 2, 6)


def _block(inputs: int, outputs: int, *, pool: tuple[int, int]) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ELU(), nn.MaxPool2d(pool)]
