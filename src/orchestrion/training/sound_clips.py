"""Pieces as sound with captions, for systems that learn to make sound from text."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from orchestrion.data.caption_facts import Facts
from orchestrion.data.captions import GrammarWriter
from orchestrion.data.held_clips import to_float, to_int16
from orchestrion.errors import InputError
from orchestrion.media.audio import Audio, read_audio

if TYPE_CHECKING:
    from orchestrion.data.audio_factory import AudioFactory, ClipLabels
    from orchestrion.data.piece import Piece

WRITER = GrammarWriter(style="prompt")
Tracker = Callable[[Audio], tuple[float | None, Sequence[float]]]
"""Tempo in beats a minute and downbeats in seconds of a sound."""


@dataclass(slots=True)
class SoundClip:
    """A mono sound as 16-bit integers, and what is known of it.

    Attributes:
        facts: what captions are worded from, anew each time; where there are none, `caption` is what is said.
        tempo: quarter notes a minute.
        downbeats: in seconds.
    """

    samples: np.ndarray
    caption: str = ""
    facts: Facts | None = None
    tempo: float | None = None
    downbeats: tuple[float, ...] = ()

    def worded(self, seed: str) -> str:
        """A caption; another one for another seed, where there are facts."""
        return WRITER.write(self.facts, random.Random(seed)) if self.facts is not None else self.caption


class SoundClips:
    """Clips in memory, all at one rate.

    Args:
        clips: the clips.
        rate: Hz.
    """

    def __init__(self, clips: Sequence[SoundClip], rate: int) -> None:
        if not clips:
            raise InputError("There is no sound to learn from; give pieces with scores or with sound files.")
        self.clips, self.rate = list(clips), rate

    @classmethod
    def from_pieces(
        cls,
        pieces: Sequence[Piece],
        *,
        rate: int,
        count: int,
        seconds: float,
        seed: int = 0,
        track: Tracker | None = None,
        **factory: Any,
    ) -> SoundClips:
        """Clips of pieces: of those with sound all of it, read from its file; otherwise `count` clips that the audio
        factory renders with the options `factory`.

        Args:
            seconds: of a clip; longer sound is cut into stretches of this length.
            track: finds tempo and downbeats in seconds of sound that comes without them; None: they stay unknown.

        Raises:
            InputError: no piece has sound or a score, or a file cannot be read.
        """
        heard = [piece for piece in pieces if piece.audio is not None]
        if heard:
            return cls([clip for piece in heard for clip in _from_sound(piece, rate, seconds, track)], rate)
        from orchestrion.data.audio_factory import AudioFactory

        scored = [piece for piece in pieces if piece.score is not None]
        if not scored:
            raise InputError("There is no sound to learn from; give pieces with scores or with sound files.")
        return cls.from_factory(
            AudioFactory(scored, rate=rate, seconds=seconds, channels=1, seed=seed, **factory), range(count)
        )

    @classmethod
    def from_factory(cls, factory: AudioFactory, indices: Sequence[int]) -> SoundClips:
        """Rendered clips of an audio factory."""
        clips = []
        for clip in factory.clips(indices):
            facts = facts_of_clip(clip)
            clips.append(
                SoundClip(
                    to_int16(clip.audio.mono().samples)[0],
                    clip.caption,
                    facts if facts.instruments else None,
                    clip.tempo,
                    tuple(float(time) for time in clip.downbeats),
                )
            )
        return cls(clips, factory.rate)

    def __len__(self) -> int:
        return len(self.clips)

    def wave(self, item: int) -> Float[Tensor, " samples"]:
        """The sound of a clip."""
        return torch.from_numpy(to_float(self.clips[item].samples))

    def crop(self, item: int, samples: int, rng: random.Random) -> Float[Tensor, " samples"]:
        """A stretch of a clip from anywhere, followed by silence where the clip is shorter."""
        held = self.clips[item].samples
        start = rng.randrange(max(len(held) - samples, 0) + 1)
        cut = to_float(held[start : start + samples])
        return torch.from_numpy(np.pad(cut, (0, samples - len(cut))))

    def draw(self, step: int, size: int) -> list[int]:
        """The items of a batch: every clip once before any comes again, in an order for each round."""
        count = len(self)
        numbers = range(step * size, (step + 1) * size)
        orders = {number // count for number in numbers}
        drawn = {order: random.Random(f"round/{order}").sample(range(count), count) for order in orders}
        return [drawn[number // count][number % count] for number in numbers]


def facts_of_clip(labels: ClipLabels) -> Facts:
    """What a caption may say of a rendered clip."""
    genres, moods = labels.tags.get("genre", ()), labels.tags.get("mood", ())
    return Facts(labels.programs, labels.key, labels.metre, labels.tempo, tuple(genres), tuple(moods))


def _from_sound(piece: Piece, rate: int, seconds: float, track: Tracker | None) -> list[SoundClip]:
    """Stretches of a recording; a rest shorter than a stretch is left out, unless there is nothing else."""
    if isinstance(piece.audio, str | Path):
        audio = read_audio(piece.audio, rate=rate, mono=True)
    elif isinstance(piece.audio, Audio):
        audio = piece.audio.mono().resample(rate)
    else:
        raise InputError(f"The sound of the piece {piece.id!r} is {type(piece.audio).__name__}; give a path or Audio.")
    words = [word for kind in piece.tags.values() for word in kind]
    caption = piece.caption or ", ".join(words) or piece.title
    tempo, downbeats = piece.tempo, (piece.beats or [])[:: piece.metre[0] if piece.metre else 4]
    if track is not None and not (tempo and downbeats):
        tempo, downbeats = track(audio)
    samples, length = to_int16(audio.samples)[0], round(seconds * rate)
    clips = []
    for start in range(0, max(len(samples) - length, 0) + 1, length):
        inside = tuple(time - start / rate for time in downbeats if 0 <= time - start / rate < seconds)
        clips.append(SoundClip(samples[start : start + length], caption, None, tempo, inside))
    return clips


def without_key(facts: Facts) -> Facts:
    """The same facts but the key, which short clips hardly show."""
    return replace(facts, key=None)
