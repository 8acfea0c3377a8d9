"""Metrics of pitch: how many, how far apart, how evenly used. Drums never count; a piece without pitches gives NaN."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from orchestrion.evaluation.notes import Notes

WEIGHTS = ("count", "duration", "duration_velocity")


def entropy(weights: np.ndarray, *, base: float = 2.0) -> float:
    """−Σ p log p of weights that are normalised first; bits by default; NaN where they add up to nothing."""
    total = float(np.sum(weights))
    if total <= 0:
        return float("nan")
    p = np.asarray(weights, float).reshape(-1) / total
    p = p[p > 0]
    return abs(float(-(p * np.log(p)).sum() / np.log(base)))


def n_pitches(notes: Notes) -> float:
    """Number of different MIDI pitches (MusPy)."""
    pitched = notes.pitched
    return float(len(np.unique(pitched.pitch))) if len(pitched) else float("nan")


def n_pitch_classes(notes: Notes) -> float:
    """Number of different pitch classes (MusPy)."""
    pitched = notes.pitched
    return float(len(np.unique(pitched.pitch % 12))) if len(pitched) else float("nan")


def pitch_range(notes: Notes) -> float:
    """Highest less lowest pitch in semitones (MusPy, MGEval)."""
    pitched = notes.pitched
    return float(np.ptp(pitched.pitch)) if len(pitched) else float("nan")


def pitch_entropy(notes: Notes) -> float:
    """Entropy in bits over the 128 pitches, each note counting once (MusPy)."""
    return entropy(np.bincount(notes.pitched.pitch, minlength=128))


def pitch_class_histogram(
    notes: Notes, *, weight: str = "count", frames_per_second: float | None = None
) -> Float[np.ndarray, " 12"]:
    """Shares of the pitch classes; NaN for a piece without pitches.

    Args:
        weight: each note counts 1 ("count"), its length in grid steps ("duration") or that times its velocity
            ("duration_velocity").
        frames_per_second: measure lengths in whole frames of this rate, both ends rounded down, in place of steps;
            100 with "duration_velocity" is MGEval's histogram (Yang & Lerch 2018), which sums a piano roll.

    Raises:
        ValueError: the weight is unknown.
    """
    pitched = notes.pitched
    if weight not in WEIGHTS:
        raise ValueError(f"histogram weight {weight!r} is unknown; known are {', '.join(WEIGHTS)}")
    if frames_per_second is None:
        length = (pitched.stop - pitched.start).astype(float)
    else:
        ends = [np.floor(times * frames_per_second + 1e-6) for times in (pitched.stop_second, pitched.start_second)]
        length = ends[0] - ends[1]
    weights = {"count": np.ones(len(pitched)), "duration": length, "duration_velocity": length * pitched.velocity}
    counts = np.bincount(pitched.pitch % 12, weights=weights[weight], minlength=12)
    return counts / counts.sum() if counts.sum() > 0 else np.full(12, np.nan)


def pitch_class_entropy(notes: Notes) -> float:
    """H: entropy in bits over the 12 pitch classes, each note counting once (MusPy, MusDr).

    One class gives 0, an even diatonic scale log2 7 = 2.807, an even chromatic one log2 12 = 3.585.
    """
    return entropy(np.bincount(notes.pitched.pitch % 12, minlength=12))


def windowed_pitch_class_entropy(notes: Notes, *, bars: int, musdr_compat: bool = False) -> float:
    """H_n: mean pitch-class entropy of all windows of `bars` consecutive bars, stride one (Wu & Yang 2020: H_1, H_4).

    Windows in which no note begins are left out. A piece shorter than a window gives NaN.

    Args:
        musdr_compat: as published: a last bar in which no note begins does not count, and a piece shorter than a window
            is one window.
    """
    pitched = notes.pitched
    if musdr_compat:
        notes = pitched = pitched.without_empty_last_bar
        bars = min(bars, notes.n_bars)
    counts = np.zeros((notes.n_bars, 12))
    if len(pitched):
        np.add.at(counts, (pitched.bar, pitched.pitch % 12), 1)
    windows = range(max(notes.n_bars - bars + 1, 0))
    values = np.array([entropy(counts[first : first + bars].sum(0)) for first in windows])
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float("nan")


def average_pitch_interval(notes: Notes) -> float:
    """Mean size in semitones of the steps between consecutive notes in order of onset (MGEval's avg_pitch_shift).

    Meant for one voice: in chords, the notes of one onset follow each other in the order of the score.
    """
    pitched = notes.pitched
    return float(np.abs(np.diff(pitched.pitch)).mean()) if len(pitched) > 1 else float("nan")


def pitch_class_transition_matrix(
    notes: Notes, *, tolerance: float = 0.05, normalise: bool = True
) -> Float[np.ndarray, "12 12"]:
    """PCTM: how often a note of one class (row) ends where a note of another (column) begins (MGEval).

    All ordered pairs of notes of one track with |end − onset| < `tolerance` seconds count, velocity does not.

    Args:
        normalise: divide by the total; NaN everywhere where there is no such pair.
    """
    counts = np.zeros((12, 12))
    for part in notes.pitched.tracks:
        onset = np.sort(part.start_second)
        following = part.pitch[np.argsort(part.start_second, kind="stable")] % 12
        # strict inequalities on both sides
        first = np.searchsorted(onset, part.stop_second - tolerance, side="right")
        last = np.searchsorted(onset, part.stop_second + tolerance, side="left")
        for note, (begin, end) in enumerate(zip(first, last, strict=True)):
            if end > begin:
                counts[part.pitch[note] % 12] += np.bincount(following[begin:end], minlength=12)
    if not normalise:
        return counts
    return counts / counts.sum() if counts.sum() else np.full((12, 12), np.nan)


def used_pitches_per_bar(notes: Notes) -> Float[np.ndarray, " bars"]:
    """Number of different pitches that begin in each bar (MGEval's bar_used_pitch)."""
    pitched = notes.pitched
    used = np.zeros((notes.n_bars, 128), bool)
    if len(pitched):
        used[pitched.bar, pitched.pitch] = True
    return used.sum(1).astype(float)


def used_pitch_classes(notes: Notes) -> float:
    """UPC: mean number of pitch classes that sound in a bar, over the bars in which any does (MuseGAN)."""
    pitched = notes.pitched
    used = np.zeros((notes.n_bars, 12), bool)
    for start, stop, pitch in zip(pitched.start, pitched.stop, pitched.pitch, strict=True):
        first, last = np.searchsorted(notes.bars, start, side="right") - 1, np.searchsorted(notes.bars, stop)
        used[max(first, 0) : last, pitch % 12] = True
    count = used.sum(1)
    return float(count[count > 0].mean()) if count.any() else float("nan")
