"""Scales by name, and how much of some music lies in one."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

STEPS: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10), "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "melodic minor": (0, 2, 3, 5, 7, 9, 11), "dorian": (0, 2, 3, 5, 7, 9, 10), "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11), "mixolydian": (0, 2, 4, 5, 7, 9, 10), "locrian": (0, 1, 3, 5, 6, 8, 10),
    "major pentatonic": (0, 2, 4, 7, 9), "minor pentatonic": (0, 3, 5, 7, 10), "blues": (0, 3, 5, 6, 7, 10),
    "whole tone": (0, 2, 4, 6, 8, 10), "octatonic": (0, 2, 3, 5, 6, 8, 9, 11), "chromatic": tuple(range(12)),
}  # fmt: skip
"""Name → semitones above the tonic, upwards."""


def scale(tonic: int, name: str) -> frozenset[int]:
    """Pitch classes of a scale.

    Raises:
        ValueError: the scale is unknown.
    """
    if name not in STEPS:
        raise ValueError(f"scale {name!r} is unknown; known are {', '.join(STEPS)}")
    return frozenset((tonic + step) % 12 for step in STEPS[name])


def in_scale_rate(pitches: Iterable[int], *, tonic: int, name: str) -> float:
    """Share of pitches that belong to a scale; NaN without pitches."""
    classes = np.array([pitch % 12 for pitch in pitches], int)
    return float(np.isin(classes, list(scale(tonic, name))).mean()) if len(classes) else float("nan")


def degree(pitch: int, *, tonic: int, name: str) -> tuple[int, int]:
    """Degree (from 0) of the nearest scale tone at or below a pitch, and how many semitones the pitch lies above it."""
    above = (pitch - tonic) % 12
    steps = STEPS[name]
    index = max(i for i, step in enumerate(steps) if step <= above)
    return index, above - steps[index]


def best_scale(pitches: Iterable[int], *, names: Iterable[str] = ("major", "minor")) -> tuple[int, str, float]:
    """Tonic, name and share of the scale that holds most of the pitches; of equals the first tonic of the first name.

    Raises:
        ValueError: a scale is unknown or there are no pitches.
    """
    counts = np.bincount([pitch % 12 for pitch in pitches], minlength=12)
    if not counts.sum():
        raise ValueError("music without pitches has no scale")
    found = [(int(counts[list(scale(tonic, name))].sum()), tonic, name) for name in names for tonic in range(12)]
    most = max(share for share, _, _ in found)
    share, tonic, name = next(entry for entry in found if entry[0] == most)
    return tonic, name, share / int(counts.sum())
