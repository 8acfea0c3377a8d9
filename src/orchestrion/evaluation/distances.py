"""Distances between sets of pieces and between histograms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

TAIL = 5.0  # standard deviations of a sample, many times what a kernel has
GRID = 1000  # points on which densities are compared
MANY = 20_000  # samples from which on densities are made from a histogram


@dataclass(frozen=True, slots=True)
class SetDistance:
    """Overlap area (1: alike) and Kullback–Leibler divergence (0: alike, nats) of two distributions."""

    overlap: float
    divergence: float


def density(samples: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Gaussian kernel density of samples, bandwidth by Scott's rule (n^(−1/5) standard deviations), at some points.

    Samples that are all equal get a bandwidth of 10⁻⁶ of their size (at least 10⁻⁶), so that nothing is singular. From
    20,000 samples on, they are first shared between the two nearest of 4,096 points.
    """
    samples = np.asarray(samples, float)
    spread = samples.std(ddof=1) if len(samples) > 1 else 0.0
    width = max(float(spread * len(samples) ** -0.2), 1e-6 * max(1.0, float(np.abs(samples).max())))
    weights = np.ones(len(samples))
    if len(samples) > MANY:
        low, high = samples.min(), samples.max()
        place = (samples - low) / max(high - low, 1e-300) * 4095
        left = np.minimum(place.astype(int), 4094)
        share = place - left
        weights = np.bincount(left, 1 - share, 4096) + np.bincount(left + 1, share, 4096)
        samples = np.linspace(low, high, 4096)
    result = np.zeros(len(at))
    for block in range(0, len(samples), 2000):
        z = (at[:, None] - samples[None, block : block + 2000]) / width
        result += np.exp(-0.5 * z * z) @ weights[block : block + 2000]
    return result / (weights.sum() * width * np.sqrt(2 * np.pi))


def overlap_area(first: np.ndarray, second: np.ndarray, *, whole_line: bool = False, points: int = 20 * GRID) -> float:
    """OA: ∫ min(p, q) of the Gaussian kernel densities of two samples, from the least to the greatest of all values
    (MGEval, Yang & Lerch 2018). NaN where a sample is empty.

    Values that are NaN do not count. As published, the tails beyond the outermost values are cut, so that equal samples
    give less than 1: 0.9 to 0.97 as a rule, but 0.7 where half of the values are the least one, as in structure
    indicators, which are 0 for pieces that are too short.

    Args:
        whole_line: keeps the tails, so that equal samples give 1.
        points: of the trapezoidal rule.
    """
    a, b = _known(first), _known(second)
    if not len(a) or not len(b):
        return float("nan")
    low, high = min(a.min(), b.min()), max(a.max(), b.max())
    if high - low < 1e-12:
        return 1.0
    tail = TAIL * max(a.std(), b.std()) if whole_line else 0.0
    at = np.linspace(low - tail, high + tail, points)
    return float(np.trapezoid(np.minimum(density(a, at), density(b, at)), at))


def kernel_divergence(first: np.ndarray, second: np.ndarray, *, mgeval_compat: bool = False) -> float:
    """KLD: Σ p ln(p/q) of the kernel densities of two samples on 1,000 points of their common range, both normalised.

    Args:
        mgeval_compat: as published: each density on 1,000 points of its own range, so that a shift is not seen.
    """
    a, b = _known(first), _known(second)
    if not len(a) or not len(b):
        return float("nan")
    if mgeval_compat:
        p, q = (density(x, np.linspace(x.min(), x.max(), GRID)) for x in (a, b))
    else:
        at = np.linspace(min(a.min(), b.min()), max(a.max(), b.max()), GRID)
        p, q = density(a, at), density(b, at)
    return relative_entropy(p, q)


def relative_entropy(p: np.ndarray, q: np.ndarray) -> float:
    """Σ p ln(p/q) of two histograms that are normalised first, nats; infinite where q lacks what p has."""
    p, q = np.asarray(p, float) / np.sum(p), np.asarray(q, float) / np.sum(q)
    some = p > 0
    with np.errstate(divide="ignore"):
        return float((p[some] * np.log(p[some] / q[some])).sum())


def jensen_shannon(p: np.ndarray, q: np.ndarray) -> float:
    """Jensen–Shannon divergence of two histograms in bits: 0 for equal ones, 1 for ones that share nothing."""
    p, q = np.asarray(p, float) / np.sum(p), np.asarray(q, float) / np.sum(q)
    middle = (p + q) / 2
    return (relative_entropy(p, middle) + relative_entropy(q, middle)) / (2 * float(np.log(2)))


def histogram_divergence(
    original: Float[np.ndarray, " n"], generated: Float[np.ndarray, " n"], *, epsilon: float = 1e-5
) -> float:
    """Σ (p+ε) ln((p+ε)/(q+ε)), not normalised again: ImprovNet's pitch-class KL, on histograms weighted by duration and
    velocity. A C major against a C minor triad of equal weights gives 3.471."""
    p, q = np.asarray(original, float) + epsilon, np.asarray(generated, float) + epsilon
    return float((p * np.log(p / q)).sum())


def matrix_cosine(first: np.ndarray, second: np.ndarray) -> float:
    """|Σ A∘B| / (‖A‖ ‖B‖) of two matrices, for instance pitch-class transitions (ImprovNet); NaN where one is empty."""
    norm = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(abs((first * second).sum()) / norm) if norm > 0 else float("nan")


def distances_to_set(
    vector: np.ndarray, others: np.ndarray, *, measure: str = "euclidean", mgeval_compat: bool = False
) -> np.ndarray:
    """[pieces] distance of one piece's feature to those of others (MGEval's c_dist).

    Args:
        vector: [dimensions]; others: [pieces, dimensions].
        measure: "euclidean"; "emd", the Earth mover's distance of the values without their places; or "kl", Σ p ln(p/q)
            of both normalised.
        mgeval_compat: as published, zeros of the others become 10⁻⁸ in "kl", which is infinite otherwise.

    Raises:
        ValueError: the measure is unknown.
    """
    if measure == "euclidean":
        return np.linalg.norm(others - vector, axis=1)
    if measure == "emd":
        return np.abs(np.sort(others, axis=1) - np.sort(vector)).mean(1)
    if measure == "kl":
        others = np.where(others == 0, 1e-8, others) if mgeval_compat else others
        return np.array([relative_entropy(vector, other) for other in others])
    raise ValueError(f"distance {measure!r} is unknown; known are euclidean, emd, kl")


def set_distance(
    generated: Float[np.ndarray, "generated dimensions"], reference: Float[np.ndarray, "reference dimensions"]
) -> SetDistance:
    """MGEval's comparison of a feature: the distances inside the reference set against those between the sets.

    Both are all Euclidean distances of pairs; the two samples of distances are compared by `overlap_area` and
    `kernel_divergence` on a common grid. Pieces with a NaN do not count; NaN with fewer than two reference pieces.
    """
    from scipy.spatial.distance import cdist

    made, known = (x[~np.isnan(x).any(1)] for x in (np.atleast_2d(generated), np.atleast_2d(reference)))
    if len(known) < 2 or not len(made):
        return SetDistance(float("nan"), float("nan"))
    inside = cdist(known, known)[~np.eye(len(known), dtype=bool)]
    between = cdist(made, known).reshape(-1)
    return SetDistance(overlap_area(inside, between, points=2 * GRID), kernel_divergence(inside, between))


def _known(samples: np.ndarray) -> np.ndarray:
    samples = np.asarray(samples, float).reshape(-1)
    return samples[~np.isnan(samples)]
