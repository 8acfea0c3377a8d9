"""Metrics of key and scale. Drums never count; a piece without pitches gives NaN."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from orchestrion.evaluation.notes import Notes
from orchestrion.theory.keys import ALL_KEYS, Key


def pitch_in_scale_rate(notes: Notes, *, key: Key) -> float:
    """Share of notes whose pitch class is in the scale of a key, minor being natural minor (MusPy)."""
    pitched = notes.pitched
    if not len(pitched):
        return float("nan")
    return float(np.isin(pitched.pitch % 12, list(key.scale)).mean())


def scale_consistency(notes: Notes) -> float:
    """The greatest `pitch_in_scale_rate` of all 24 keys (MusPy, C-RNN-GAN). Relative keys tie."""
    return max(pitch_in_scale_rate(notes, key=key) for key in ALL_KEYS)


def tonality_accuracy(found: Sequence[Key | None], asked: Sequence[Key]) -> float:
    """TA: share of pieces whose key is the one that was asked for (TeleMelody).

    Raises:
        ValueError: the two lists differ in length.
    """
    if len(found) != len(asked):
        raise ValueError(f"{len(found)} keys were found for {len(asked)} asked")
    return float(np.mean([a == b for a, b in zip(found, asked, strict=True)])) if found else float("nan")
