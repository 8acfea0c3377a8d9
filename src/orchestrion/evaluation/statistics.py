"""Means with intervals, and comparisons of paired measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean, its 95 % bootstrap interval, and of how many values; values that are NaN do not count."""

    mean: float
    low: float
    high: float
    n: int


def bootstrap_mean(values: Sequence[float] | np.ndarray, *, resamples: int = 2000, seed: int = 0) -> Estimate:
    """The mean of the values that are not NaN and its percentile bootstrap interval (Efron 1979).

    All NaN where none is left; one value alone is its own interval.
    """
    known = np.asarray(values, float)
    known = known[~np.isnan(known)]
    if not len(known):
        return Estimate(float("nan"), float("nan"), float("nan"), 0)
    rng = np.random.default_rng(seed)
    if len(known) == 1 or np.ptp(known) == 0:
        return Estimate(float(known.mean()), float(known[0]), float(known[0]), len(known))
    block = max(int(2e6) // len(known), 1)
    means: list[np.ndarray] = []
    while sum(map(len, means)) < resamples:
        picks = rng.integers(len(known), size=(min(block, resamples), len(known)))
        means.append(known[picks].mean(1))
    low, high = np.quantile(np.concatenate(means)[:resamples], [0.025, 0.975])
    return Estimate(float(known.mean()), float(low), float(high), len(known))


def paired_test(first: Sequence[float], second: Sequence[float]) -> float:
    """p of Wilcoxon's signed-rank test on paired measurements, two-sided; 1 where no pair differs.

    Raises:
        ValueError: the lists differ in length or are empty.
    """
    from scipy.stats import wilcoxon

    if len(first) != len(second) or not len(first):
        raise ValueError(f"paired measurements are needed, not {len(first)} and {len(second)}")
    difference = np.asarray(first, float) - np.asarray(second, float)
    if not difference.any():
        return 1.0
    found: Any = wilcoxon(difference)
    return float(found.pvalue)


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Mean of first − second, its 95 % bootstrap interval, the two-sided p of no difference, and how many pairs."""

    mean: float
    low: float
    high: float
    p: float
    n: int


def paired_bootstrap(
    first: Sequence[float], second: Sequence[float], *, resamples: int = 10_000, seed: int = 0
) -> PairedDifference:
    """Compares two measurements of the same items by resampling the items (Koehn 2004; Efron & Tibshirani 1993).

    p is twice the share of resampled means on the other side of 0, at least 1/resamples. Pairs with a NaN do not count;
    without any left all is NaN.

    Raises:
        ValueError: the lists differ in length.
    """
    if len(first) != len(second):
        raise ValueError(f"paired measurements are needed, not {len(first)} and {len(second)}")
    difference = np.asarray(first, float) - np.asarray(second, float)
    difference = difference[~np.isnan(difference)]
    if not len(difference):
        unknown = float("nan")
        return PairedDifference(unknown, unknown, unknown, unknown, 0)
    rng = np.random.default_rng(seed)
    means = np.concatenate(
        [
            difference[rng.integers(len(difference), size=(100, len(difference)))].mean(1)
            for _ in range(resamples // 100)
        ]
    )
    low, high = np.quantile(means, [0.025, 0.975])
    tail = min((means <= 0).mean(), (means >= 0).mean())
    p = min(max(2 * float(tail), 1 / len(means)), 1.0)
    return PairedDifference(float(difference.mean()), float(low), float(high), p, len(difference))
