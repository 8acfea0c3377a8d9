"""Does music obey what it was given? Control, filled spans, round trips, likelihood."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from orchestrion.evaluation.distances import overlap_area


@dataclass(frozen=True, slots=True)
class NoteMatch:
    """Notes that were found again."""

    precision: float
    recall: float
    f1: float


def control_correlation(asked: Sequence[float], found: Sequence[float]) -> float:
    """Spearman's ρ of asked and measured values, ties sharing their rank; NaN where one of the two is constant.

    Raises:
        ValueError: the lengths differ.
    """
    from scipy.stats import rankdata

    if len(asked) != len(found):
        raise ValueError(f"{len(asked)} values were asked and {len(found)} measured")
    a, b = (rankdata(values) - (len(asked) + 1) / 2 for values in (asked, found))
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum() / norm) if norm > 0 else float("nan")


def control_accuracy(asked: Sequence[Hashable], found: Sequence[Hashable]) -> float:
    """Share of pieces that have the asked value; NaN without pieces.

    Raises:
        ValueError: the lengths differ.
    """
    if len(asked) != len(found):
        raise ValueError(f"{len(asked)} values were asked and {len(found)} measured")
    return float(np.mean([a == b for a, b in zip(asked, found, strict=True)])) if asked else float("nan")


def class_probability(probabilities: Float[np.ndarray, "windows classes"], *, target: int) -> float:
    """Mean probability of a class over the windows of a piece (genre probability); publish with the classifier's
    accuracy on held-out pieces."""
    return float(probabilities[:, target].mean()) if len(probabilities) else float("nan")


def infilling_gain(filled: Sequence[float], context: Sequence[float], other: Sequence[float]) -> float:
    """Overlap area of a feature of the filled span with its context, less that of a span from another piece."""
    around = np.asarray(context, float)
    return overlap_area(np.asarray(filled, float), around) - overlap_area(np.asarray(other, float), around)


def note_match(
    found: Sequence[tuple[float, int]], truth: Sequence[tuple[float, int]], *, tolerance: float = 0.05
) -> NoteMatch:
    """Precision, recall and F1 of notes (onset, pitch): same pitch, onset within `tolerance` (in the unit of the
    onsets), each note used once.

    Notes of one pitch are matched in order of onset, which pairs as many as can be paired. NaN where there are none.
    """
    hits = 0
    for pitch in {pitch for _, pitch in truth}:
        wanted = sorted(onset for onset, p in truth if p == pitch)
        have = sorted(onset for onset, p in found if p == pitch)
        i = j = 0
        while i < len(wanted) and j < len(have):
            if abs(wanted[i] - have[j]) <= tolerance + 1e-9:
                hits, i, j = hits + 1, i + 1, j + 1
            elif have[j] < wanted[i]:
                j += 1
            else:
                i += 1
    nothing = float("nan")
    return NoteMatch(
        hits / len(found) if found else nothing,
        hits / len(truth) if truth else nothing,
        2 * hits / (len(found) + len(truth)) if found or truth else nothing,
    )


def bits_per_note(negative_log_likelihoods: Sequence[float], *, notes: int) -> float:
    """Σ NLL (nats, of all tokens) / (notes · ln 2): comparable between tokenisers; NaN without notes."""
    return float(np.sum(negative_log_likelihoods) / notes / np.log(2)) if notes else float("nan")
