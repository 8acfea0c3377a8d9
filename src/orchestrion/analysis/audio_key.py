"""The key of a sound, by how its pitch classes fit the profiles of the keys."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from orchestrion.media.audio import Audio
from orchestrion.theory.keys import ALL_KEYS, Key, key_scores


@dataclass(frozen=True, slots=True)
class HeardKey:
    """A key, its correlation with what was heard, and how far that lies above the next best key's."""

    key: Key
    score: float
    margin: float


def find_audio_key(audio: Audio, *, profile: str = "temperley") -> HeardKey | None:
    """The key of the whole; None for silence and for sound without pitch.

    Args:
        profile: of `theory.keys.PROFILES`.
    """
    from orchestrion.analysis.audio_chroma import chroma_of

    return key_of_chroma(chroma_of(audio), profile=profile)


def key_of_chroma(chroma: Float[np.ndarray, "12 frames"], *, profile: str = "temperley") -> HeardKey | None:
    """The key of pitch classes over time, each frame counting by its strength; None where nothing is heard."""
    scores = key_scores(chroma.sum(axis=1), profile=profile)
    best, second = np.sort(scores)[::-1][:2]
    if best <= 0:
        return None
    return HeardKey(ALL_KEYS[int(scores.argmax())], float(best), float(best - second))
