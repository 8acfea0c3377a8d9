"""The spiral array: pitches, chords and keys as points in space, near where they sound akin (Chew 2000).

Positions count along the line of fifths: C = 0, G = 1, D = 2, F = −1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from orchestrion.theory.keys import ALL_KEYS, Key
from orchestrion.theory.plain_key import shift_to_c

STEP = 0.4  # rise of a fifth, at radius 1 (Herremans & Chew 2016; √(2/15) = 0.365 in Chew 2000)
WEIGHTS = (0.536, 0.274, 0.19)  # of root, fifth and third; of tonic, dominant and subdominant
MIXED = 0.75  # share of the major dominant and of the minor subdominant in a minor key
SPELLING = (0, -5, 2, -3, 4, -1, -6, 1, -4, 3, -2, 5)
"""Pitch class above the tonic (the relative major's in minor) → position: C Db D Eb E F Gb G Ab A Bb B."""


def pitch_position(fifths: float | np.ndarray) -> Float[np.ndarray, "*places 3"]:
    """Where pitches lie: (sin kπ/2, cos kπ/2, 0.4 k)."""
    k = np.asarray(fifths, float)
    return np.stack([np.sin(k * np.pi / 2), np.cos(k * np.pi / 2), STEP * k], axis=-1)


def triad_position(fifths: int, *, mode: str) -> Float[np.ndarray, " 3"]:
    """Where the major or minor triad on a root lies: 0.536 root + 0.274 fifth + 0.19 third.

    Raises:
        ValueError: the mode is unknown.
    """
    if mode not in ("major", "minor"):
        raise ValueError(f"mode {mode!r} is unknown; known are major, minor")
    third = 4 if mode == "major" else -3
    return np.array(WEIGHTS) @ pitch_position(np.array([fifths, fifths + 1, fifths + third]))


def key_position(fifths: int, *, mode: str) -> Float[np.ndarray, " 3"]:
    """Where the key of a tonic lies: its tonic, dominant and subdominant triads with the same weights; in minor, three
    quarters of the dominant are major and three quarters of the subdominant minor.

    Raises:
        ValueError: the mode is unknown.
    """
    tonic = triad_position(fifths, mode=mode)
    up = {m: triad_position(fifths + 1, mode=m) for m in ("major", "minor")}
    down = {m: triad_position(fifths - 1, mode=m) for m in ("major", "minor")}
    if mode == "major":
        return np.array(WEIGHTS) @ np.stack([tonic, up["major"], down["major"]])
    dominant = MIXED * up["major"] + (1 - MIXED) * up["minor"]
    subdominant = MIXED * down["minor"] + (1 - MIXED) * down["major"]
    return np.array(WEIGHTS) @ np.stack([tonic, dominant, subdominant])


def home(key: Key) -> Float[np.ndarray, " 3"]:
    """Position of a key after its music is shifted to C major or A minor."""
    return key_position(0, mode="major") if key.mode == "major" else key_position(3, mode="minor")


def spelled(pitch_classes: np.ndarray, *, key: Key) -> Float[np.ndarray, "*notes 3"]:
    """Positions of pitch classes after a shift to C major or A minor, spelled by `SPELLING`."""
    shifted = (np.asarray(pitch_classes, int) + shift_to_c(key)) % 12
    return pitch_position(np.array(SPELLING)[shifted])


def nearest_key(histogram: Float[np.ndarray, " 12"], *, keys: Sequence[Key] = ALL_KEYS) -> Key | None:
    """The key whose position is nearest to the centre of the pitch classes, spelled for it; None where there are none.

    Of some keys (ties: the first), by default all 24. The published method; because every key spells the music anew, a
    key a major third away is often as near, and `keys.find_key` is right more often.
    """
    if not histogram.any():
        return None
    weights = histogram / histogram.sum()
    classes = np.arange(12)
    far = [float(np.linalg.norm(weights @ spelled(classes, key=key) - home(key))) for key in keys]
    return keys[int(np.argmin(np.round(far, 12)))]  # else the last bit would decide ties
