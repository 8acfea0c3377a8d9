"""Pitch classes over time of a sound of any length, for key, chords and structure."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from orchestrion.media.audio import Audio

if TYPE_CHECKING:
    from orchestrion.analysis.chromagram import Chromagram

RATE, WINDOW, HOP = 22050, 8192, 2205  # ten frames a second, bins of 2.7 Hz
SILENT = 1e-7  # of the power of a full-scale tone: -70 dB


def chroma_of(audio: Audio) -> Float[np.ndarray, "12 frames"]:
    """Strength of the pitch classes, C first, ten frames a second: the square root of their power, so that soft voices
    count beside loud ones. Frames 70 dB below a full-scale tone are zero."""
    from orchestrion.analysis.long_sound import in_windows

    module = _chromagram()
    power = in_windows(module, audio.mono().resample(RATE).samples[0], hop_length=HOP, margin=WINDOW)
    power = np.where(power.sum(0) > SILENT * WINDOW, power, 0.0)
    return np.sqrt(power)


@lru_cache(maxsize=1)
def _chromagram() -> Chromagram:
    from orchestrion.analysis.chromagram import Chromagram

    return Chromagram(sample_rate=RATE, n_fft=WINDOW, hop_length=HOP, norm="none")


def averaged(
    values: Float[np.ndarray, "rows frames"], edges: Float[np.ndarray, " edges"], *, frame_rate: float
) -> Float[np.ndarray, "rows edges-1"]:
    """Means over the frames between the edges (in seconds); between edges closer than a frame, the nearest frame."""
    places = np.clip(np.round(np.asarray(edges) * frame_rate).astype(int), 0, values.shape[1])
    total = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1, dtype=np.float64)], axis=1)
    first = np.minimum(places[:-1], values.shape[1] - 1)
    last = np.maximum(places[1:], first + 1)
    return (total[:, last] - total[:, first]) / (last - first)
