"""Tonal tension of a piece, in the spiral array."""

from __future__ import annotations

import numpy as np

from orchestrion.evaluation.notes import Notes
from orchestrion.theory.keys import Key
from orchestrion.theory.spiral_array import nearest_key
from orchestrion.theory.tension import Tension, tension

SIXTEENTHS = 4  # a quarter


def spiral_key(notes: Notes) -> Key | None:
    """The key nearest to the centre of the notes of the first half of the piece, each counted once a sixteenth that it
    sounds in; None without pitches."""
    pitched = notes.pitched
    half = notes.end / 2
    length = np.maximum(np.minimum(pitched.stop, half) - pitched.start, 0)
    return nearest_key(np.bincount(pitched.pitch % 12, weights=length, minlength=12)[:12])


def piece_tension(notes: Notes, *, key: Key | None = None, beats: int | None = None) -> Tension | None:
    """Tension of a piece in windows (see `theory.tension`), drums left out; None without pitches.

    Args:
        notes: at 4 steps a quarter.
        key: by default `spiral_key`.
        beats: quarters of a window; by default bars are windows.

    Raises:
        ValueError: the notes are on another grid.
    """
    if notes.resolution != SIXTEENTHS:
        raise ValueError(f"tension is measured on a grid of 4 steps a quarter, not {notes.resolution}")
    pitched = notes.pitched
    key = key or spiral_key(notes)
    if key is None:
        return None
    windows = notes.bars if beats is None else np.arange(0, notes.end + 1, beats * SIXTEENTHS)
    return tension(pitched.start, pitched.stop, pitched.pitch, key=key, windows=windows)


def tension_changes(found: Tension) -> dict[str, float]:
    """Mean absolute first difference of each series (ImprovNet, whose notebook has the names in another order); NaN
    with fewer than two windows."""
    return {
        name: float(np.abs(np.diff(series)).mean()) if len(series) > 1 else float("nan")
        for name, series in (
            ("tensile_strain", found.tensile_strain),
            ("cloud_diameter", found.cloud_diameter),
            ("cloud_momentum", found.cloud_momentum),
        )
    }
