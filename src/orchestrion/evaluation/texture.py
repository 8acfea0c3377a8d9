"""Metrics of texture: how many pitches sound at a time. Drums never count."""

from __future__ import annotations

from orchestrion.evaluation.notes import Notes, piano_roll


def polyphony(notes: Notes) -> float:
    """Mean number of different pitches that sound, over the grid steps at which any does (MusPy)."""
    sounding = piano_roll(notes.pitched).sum(1)
    return float(sounding[sounding > 0].mean()) if sounding.any() else float("nan")


def polyphony_rate(notes: Notes, *, threshold: int = 2) -> float:
    """Share of all grid steps, silent ones included, at which at least `threshold` different pitches sound.

    MusPy's function of that name counts more than its threshold: its 2 is 3 here. The piece ends with its last note,
    drums included.
    """
    pitched = notes.pitched
    if not len(pitched):
        return float("nan")
    return float((piano_roll(pitched).sum(1) >= threshold).sum() / notes.end)
