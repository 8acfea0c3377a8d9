"""All symbolic metrics of a set of pieces, alone or against a reference set."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrion.evaluation import pitch, rhythm, scale, structure, texture
from orchestrion.evaluation.distances import overlap_area, set_distance
from orchestrion.evaluation.notes import Notes
from orchestrion.evaluation.statistics import bootstrap_mean
from orchestrion.theory.keys import ALL_KEYS, key_scores

if TYPE_CHECKING:
    from symusic.core import ScoreTick

RESOLUTION = 12  # grid steps a quarter: sixteenths and eighth triplets

METRICS: dict[str, Callable[[Notes], float]] = {
    "n_pitches": pitch.n_pitches,
    "n_pitch_classes": pitch.n_pitch_classes,
    "pitch_range": pitch.pitch_range,
    "pitch_entropy": pitch.pitch_entropy,
    "pitch_class_entropy": pitch.pitch_class_entropy,
    "pitch_class_entropy_1_bar": lambda notes: pitch.windowed_pitch_class_entropy(notes, bars=1),
    "pitch_class_entropy_4_bars": lambda notes: pitch.windowed_pitch_class_entropy(notes, bars=4),
    "used_pitch_classes": pitch.used_pitch_classes,
    "pitch_in_scale_rate": lambda notes: pitch_in_found_scale_rate(notes),
    "scale_consistency": scale.scale_consistency,
    "grooving_similarity": rhythm.grooving_similarity,
    "groove_consistency": rhythm.groove_consistency,
    "inter_onset_interval": rhythm.average_inter_onset_interval,
    "note_density": rhythm.note_density,
    "empty_beat_rate": rhythm.empty_beat_rate,
    "empty_measure_rate": rhythm.empty_measure_rate,
    "qualified_note_rate": rhythm.qualified_note_rate,
    "drum_pattern_consistency": rhythm.drum_pattern_consistency,
    "polyphony": texture.polyphony,
    "polyphony_rate": texture.polyphony_rate,
    "repetition_rate": structure.repetition_rate,
    "compression_ratio": structure.compression_ratio,
}
"""Name → measure of one piece on the grid of `RESOLUTION`; the structure indicators are added to these."""


def measure(score: ScoreTick) -> dict[str, float]:
    """All metrics of one piece; NaN where it has nothing to measure. Units and conventions stand at each function."""
    notes = Notes.from_score(score, resolution=RESOLUTION)
    values = {name: float(metric(notes)) for name, metric in METRICS.items()}
    indicators = structure.structure_indicators(notes)
    return values | {f"structure_indicator_{name}": value for name, value in indicators.items()}


def pitch_in_found_scale_rate(notes: Notes) -> float:
    """`scale.pitch_in_scale_rate` in the key that Krumhansl's profiles find, by duration."""
    histogram = pitch.pitch_class_histogram(notes, weight="duration")
    if np.isnan(histogram).any():
        return float("nan")
    return scale.pitch_in_scale_rate(notes, key=ALL_KEYS[int(np.argmax(key_scores(histogram)))])


def report(scores: Sequence[ScoreTick], *, reference: Sequence[ScoreTick] | None = None) -> dict[str, Any]:
    """Every metric over a set of pieces.

    Args:
        reference: pieces to compare with.

    Returns:
        Metric → "mean", "low" and "high" (95 % bootstrap interval) and "n", the pieces that have a value. With a
        reference also "reference" (the same of it), "difference" of the means, "overlap" (`distances.overlap_area` of
        the two sets of values) and "set_overlap" (MGEval's: distances within the reference against distances between
        the sets).
    """
    return compare([measure(score) for score in scores], None if reference is None else list(map(measure, reference)))


def compare(made: Sequence[dict[str, float]], known: Sequence[dict[str, float]] | None = None) -> dict[str, Any]:
    """`report` of pieces that are measured already."""
    result: dict[str, Any] = {}
    for name in made[0] if made else ():
        values = np.array([piece[name] for piece in made])
        entry: dict[str, Any] = dataclasses.asdict(bootstrap_mean(values))
        if known is not None:
            others = np.array([piece[name] for piece in known])
            entry["reference"] = dataclasses.asdict(bootstrap_mean(others))
            entry["difference"] = entry["mean"] - entry["reference"]["mean"]
            entry["overlap"] = overlap_area(values, others)
            entry["set_overlap"] = set_distance(values[:, None], others[:, None]).overlap
        result[name] = entry
    return result
