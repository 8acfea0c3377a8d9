"""Rendered clips as the listeners are trained on: their two spectrograms and their labels, kept in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from orchestrion.data.audio_factory import AudioFactory, ClipLabels
from orchestrion.data.piece import Piece
from orchestrion.systems.listeners.front_ends import RATE, MelFrontEnd, PitchFrontEnd, levelled

SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class HeardClips:
    """Spectrograms in half precision, [clips, bands, frames], and labels."""

    mel: torch.Tensor
    pitch: torch.Tensor
    labels: list[ClipLabels]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def tags(self) -> list[Mapping[str, tuple[str, ...]]]:
        """Words by kind, of each clip."""
        return [one.tags for one in self.labels]


def clip_factory(
    pieces: Sequence[Piece], *, seed: int = 0, seconds: float = SECONDS, soundfont: str | Path | None = None
) -> AudioFactory:
    """Clips of all styles with instruments of the same families, at other tempos, levels and in other rooms, which
    begin anywhere in a bar."""
    return AudioFactory(
        pieces, rate=RATE, seconds=seconds, seed=seed, programs="family", speed=(0.75, 1.33), velocity=(0.7, 1.1),
        velocity_noise=6.0, balance_db=5.0, room=(0.0, 0.5), start="any",
        soundfont=soundfont,
    )  # fmt: skip


def hear_in_turn(
    pieces: Sequence[Piece], count: int, *, soundfonts: Sequence[str | Path], seed: int = 0, seconds: float = SECONDS
) -> HeardClips:
    """So many clips, of which every SoundFont plays its share: one network hears only its own instruments well."""
    parts = [
        hear_clips(
            clip_factory(pieces, seed=seed, seconds=seconds, soundfont=soundfont),
            range(number, count, len(soundfonts)),
        )
        for number, soundfont in enumerate(soundfonts)
    ]
    labels = [label for part in parts for label in part.labels]
    return HeardClips(torch.cat([part.mel for part in parts]), torch.cat([part.pitch for part in parts]), labels)


def hear_clips(factory: AudioFactory, indices: Sequence[int]) -> HeardClips:
    """Renders clips and keeps what the listeners hear of them."""
    mel_of, pitch_of = MelFrontEnd(), PitchFrontEnd()
    mels, pitches, labels = [], [], []
    with torch.inference_mode():
        for index in indices:
            clip = factory.clip(index)
            wave = torch.from_numpy(levelled(clip.audio.samples[0]))[None]
            mels.append(mel_of(wave).half())
            pitches.append(pitch_of(wave).half())
            labels.append(clip.labels)
    return HeardClips(torch.cat(mels), torch.cat(pitches), labels)
