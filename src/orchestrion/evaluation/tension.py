"""Tonal tension of a piece, in the spiral array."""

from __future__ import annotations

import numpy as np

from orchestrion.errors import check_choice
from orchestrion.evaluation.notes import Notes, piano_roll
from orchestrion.theory.keys import ALL_KEYS, Key
from orchestrion.theory.spiral_array import nearest_key
from orchestrion.theory.tension import Tension, tension

SIXTEENTHS = 4  # a quarter
# in fifths up from C, down from F, each with its relative minor key
PUBLISHED_KEYS = tuple(
    Key((tonic + lower) % 12, mode)
    for mode, lower in (("major", 0), ("minor", 9))
    for tonic in (0, 7, 2, 9, 4, 11, 5, 10, 3, 8, 1, 6)
)


def spiral_key(notes: Notes, *, end: int | None = None, quirks: str = "none") -> Key | None:
    """The key nearest to the centre of the notes of the first half of the piece, each pitch counted once a sixteenth
    that it sounds in; of the whole piece where the first half is silent; None without pitches.

    Args:
        notes: at 4 steps a quarter.
        end: where the piece ends, in sixteenths; by default with its last note.
        quirks: "official" gives C major where the first half is silent, and of keys that are equally near the first of
            the published order.

    Raises:
        OptionError: the quirks are unknown.
    """
    check_choice("quirks", quirks, "none", "official")
    roll = piano_roll(notes.pitched)
    if not len(roll):
        return None
    half = roll[: (notes.end if end is None else end) // 2]
    if not half.any():
        if quirks == "official":
            return ALL_KEYS[0]
        half = roll
    keys = PUBLISHED_KEYS if quirks == "official" else ALL_KEYS
    return nearest_key(np.bincount(np.nonzero(half)[1] % 12, minlength=12), keys=keys)


def piece_tension(
    notes: Notes, *, key: Key | None = None, beats: int | None = None, end: int | None = None
) -> Tension | None:
    """Tension of a piece in windows (see `theory.tension`), drums left out; None without pitches.

    Args:
        notes: at 4 steps a quarter.
        key: by default `spiral_key`.
        beats: quarters of a window; by default bars are windows.
        end: where the piece ends, in sixteenths; by default with its last note.

    Raises:
        ValueError: the notes are on another grid.
    """
    if notes.resolution != SIXTEENTHS:
        raise ValueError(f"tension is measured on a grid of 4 steps a quarter, not {notes.resolution}")
    pitched = notes.pitched
    key = key or spiral_key(notes, end=end)
    if key is None:
        return None
    last = notes.end if end is None else end
    windows = notes.bars if beats is None else np.arange(0, last + 1, beats * SIXTEENTHS)
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
