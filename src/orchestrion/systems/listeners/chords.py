"""A listener for chords: a network that treats all twelve roots alike, and smoothing over time.

The input follows Korzeniowski & Widmer, "Feature learning for chord recognition: the deep chroma extractor" (ISMIR
2016): quarter tones of six octaves. Convolutions go round the circle of pitch classes, so that a sound moved by some
semitones gives the chords moved by as many (but for tones that pass from one octave to the
next, which are told apart, and for the ends of the range), and every key teaches all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from orchestrion.analysis.long_sound import in_windows
from orchestrion.media.audio import Audio
from orchestrion.nn.dilated_stack import DilatedStack
from orchestrion.systems.listeners.front_ends import (
    LOWEST_CLASS,
    PITCH_BANDS,
    PITCH_HOP,
    RATE,
    PitchFrontEnd,
    by_pitch_class,
)
from orchestrion.systems.listeners.listener import Listener, as_heard, own_card
from orchestrion.systems.listeners.pitch_circle import Circular
from orchestrion.theory.chords import INTERVALS, NO_CHORD, Chord, ChordSpan

FRAME_RATE = RATE / PITCH_HOP
QUALITIES = ("maj", "min", "7", "maj7", "min7", "dim", "hdim7", "aug", "sus4")
CHORDS = (NO_CHORD, *(Chord(root, quality) for root in range(12) for quality in QUALITIES))
SOFT = 1e-5  # of the mean power
SILENCED = np.log(1e-9)
STAY = 0.94  # probability that a chord goes on in the next tenth of a second: chords of 1.7 s on average


class ChordListener(Listener):
    """Sound → chords.

    Args:
        channels: of the convolutions over quarter tones.
        width: channels of each pitch class.
        dilations: of the blocks over time, in frames of a tenth of a second.
        dropout: share of channels left out in training.
    """

    card = own_card("chord_listener", "Chords heard in sound")
    presets: ClassVar = {"mini": {"channels": (12, 12), "width": 40, "dilations": (1, 2, 4, 8)}}

    def __init__(self, *, channels: Sequence[int], width: int, dilations: Sequence[int], dropout: float = 0.1) -> None:
        super().__init__()
        first, second = channels
        self.front_end = PitchFrontEnd()
        self.scale = nn.BatchNorm2d(1)
        self.spectral = nn.Sequential(
            nn.Conv2d(1, first, (5, 3), padding=(2, 1)), nn.ELU(), nn.Conv2d(first, second, 3, padding=1), nn.ELU()
        )
        folded = second * PITCH_BANDS // 12
        self.around = nn.Sequential(
            Circular(folded, width), nn.ELU(), nn.Dropout2d(dropout), Circular(width, width), nn.ELU()
        )
        self.temporal = DilatedStack(width=width, dilations=dilations, kernel_size=3, dropout=dropout)
        self.qualities = nn.Conv1d(width, len(QUALITIES), 1)
        self.silence = nn.Conv1d(width, 1, 1)

    def forward(self, pitch: Float[Tensor, "batch bands frames"]) -> Float[Tensor, "batch chords frames"]:
        """Logits of the chords in `CHORDS` at each frame."""
        batch, _, frames = pitch.shape
        x = self.spectral(self.scale(pitch[:, None]))
        x = self.around(torch.roll(by_pitch_class(x), LOWEST_CLASS, dims=2))
        x = self.temporal(x.transpose(1, 2).reshape(batch * 12, -1, frames))
        roots = self.qualities(x).reshape(batch, 12 * len(QUALITIES), frames)
        return torch.cat([self.silence(x).reshape(batch, 12, frames).mean(1, keepdim=True), roots], 1)

    def probabilities(self, audio: Audio) -> Float[np.ndarray, "chords frames"]:
        """Of the chords in `CHORDS`, ten frames a second, for sound of any length, rate and number of channels."""
        self.eval()
        return in_windows(lambda wave: self(self.front_end(wave)).softmax(1), as_heard(audio), hop_length=PITCH_HOP)

    def chords(self, audio: Audio) -> list[ChordSpan]:
        """Chords without gaps; `start` and `end` are in seconds. What is 50 dB softer than the whole is no chord."""
        likely = np.log(self.probabilities(audio) + 1e-9)
        likely[1:, soft_frames(audio, likely.shape[1])] = SILENCED
        return spans(smooth(likely), seconds=audio.seconds)


def soft_frames(audio: Audio, frames: int) -> Bool[np.ndarray, " frames"]:
    """Which tenths of a second are softer than the whole sound by `SOFT`."""
    samples = np.square(audio.mono().samples[0], dtype=np.float64)
    edges = np.round((np.arange(frames + 1) - 0.5) / FRAME_RATE * audio.rate).astype(int).clip(0, len(samples))
    total = np.concatenate([[0.0], np.cumsum(samples)])
    power = np.diff(total[edges]) / np.maximum(np.diff(edges), 1)
    return power < SOFT * samples.mean()


def smooth(log_probabilities: Float[np.ndarray, "chords frames"], *, stay: float = STAY) -> Int[np.ndarray, " frames"]:
    """The most likely row of chords where each goes on with probability `stay` and all others are as likely to follow
    (Viterbi)."""
    chords, frames = log_probabilities.shape
    remain, move = np.log(stay), np.log((1 - stay) / max(chords - 1, 1))
    score = log_probabilities[:, 0].copy()
    came = np.zeros((frames, chords), np.int32)
    own = np.arange(chords)
    for frame in range(1, frames):
        leader = int(score.argmax())
        changes = score[leader] + move > score + remain
        came[frame] = np.where(changes, leader, own)
        score = np.where(changes, score[leader] + move, score + remain) + log_probabilities[:, frame]
    path = np.zeros(frames, np.int64)
    path[-1] = score.argmax()
    for frame in range(frames - 1, 0, -1):
        path[frame - 1] = came[frame, path[frame]]
    return path


def spans(states: Int[np.ndarray, " frames"], *, seconds: float) -> list[ChordSpan]:
    """Rows of equal frames as chords in seconds; a frame stands for the tenth of a second around it."""
    edges = np.flatnonzero(np.diff(states)) + 1
    starts = np.concatenate([[0.0], (edges - 0.5) / FRAME_RATE])
    ends = np.concatenate([starts[1:], [seconds]])
    firsts = np.concatenate([[0], edges])
    return [
        ChordSpan(float(start), float(end), CHORDS[states[first]])
        for start, end, first in zip(starts, ends, firsts, strict=True)
        if end > start
    ]


def chord_targets(labels: Sequence[ChordSpan], frames: int) -> Int[Tensor, " frames"]:
    """The index in `CHORDS` at each frame; −100, which no loss counts, where nothing is known."""
    target = torch.full((frames,), -100, dtype=torch.int64)
    for span in labels:
        first, last = round(span.start * FRAME_RATE), round(span.end * FRAME_RATE)
        target[max(first, 0) : max(last, 0)] = chord_index(span.chord)
    return target


def chord_index(chord: Chord) -> int:
    """The place in `CHORDS` of the quality that shares most with a chord's."""
    if chord.root is None:
        return 0
    if chord.quality in QUALITIES:
        return 1 + len(QUALITIES) * chord.root + QUALITIES.index(chord.quality)
    tones = frozenset(INTERVALS[chord.quality])
    alike = [2 * len(tones & set(INTERVALS[name])) - len(tones ^ set(INTERVALS[name])) for name in QUALITIES]
    return 1 + len(QUALITIES) * chord.root + int(np.argmax(alike))
