"""Brings sound to a loudness without clipping: ITU-R BS.1770 and a look-ahead limiter."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

TARGET_LUFS = -16.0
CEILING_DB = -1.0  # true peak, as EBU R 128 asks
BLOCK_SECONDS = 0.4  # of BS.1770's gate; nothing shorter can be measured
LOOK_AHEAD = 0.01  # seconds
TRIES = 4
CLOSE_ENOUGH = 0.1  # LU

Samples = Float[np.ndarray, "channels samples"]


def loudness(samples: Samples, rate: int) -> float:
    """Integrated loudness in LUFS (ITU-R BS.1770-4); minus infinity for silence. Sound shorter than one block is
    measured with silence after it."""
    import warnings

    import pyloudnorm

    n_block = int(np.ceil(BLOCK_SECONDS * rate)) + 1
    if samples.shape[1] < n_block:
        samples = np.pad(samples, ((0, 0), (0, n_block - samples.shape[1])))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the logarithm of silence
        return float(pyloudnorm.Meter(rate).integrated_loudness(samples.T.astype(np.float64)))


def true_peaks(samples: Samples) -> Float[np.ndarray, " samples"]:
    """The largest absolute value between each sample and the next, over the channels, at four times the rate
    (BS.1770-4, annex 2)."""
    from scipy.signal import resample_poly

    peaks = np.abs(samples).max(axis=0)
    for channel in samples:
        fine = np.abs(resample_poly(channel, 4, 1)).reshape(-1, 4).max(axis=1)
        np.maximum(peaks, fine, out=peaks)
    return peaks


def limiter_gain(peaks: Float[np.ndarray, " samples"], rate: int, *, ceiling: float) -> Float[np.ndarray, " samples"]:
    """The gain, at most 1, that keeps `peaks` below the ceiling; it begins to fall `LOOK_AHEAD` before each peak.

    The smallest gain that is needed within the window, then its mean over the same window: smooth, and never too large.
    """
    from scipy.ndimage import minimum_filter1d, uniform_filter1d

    needed = ceiling / np.maximum(peaks, ceiling)
    if needed.min() >= 1.0:
        return np.ones_like(peaks)
    window = 2 * int(LOOK_AHEAD * rate) + 1
    lowest = minimum_filter1d(needed.astype(np.float64), window, mode="nearest")
    return uniform_filter1d(lowest, window, mode="nearest").astype(np.float32)


def mastering_gain(
    mix: Samples, rate: int, *, target: float = TARGET_LUFS, ceiling_db: float = CEILING_DB
) -> Float[np.ndarray, " samples"]:
    """The gain at each sample that brings `mix` to `target` LUFS with no true peak above `ceiling_db`.

    Where the limiter makes sound softer it is raised again, a few times; sound that is one short click may stay softer
    than the target. Silence keeps the gain 1.
    """
    measured = loudness(mix, rate)
    if not np.isfinite(measured):
        return np.ones(mix.shape[1], np.float32)
    ceiling = 10 ** (ceiling_db / 20)
    peaks = true_peaks(mix)
    gain_db = target - measured
    curve = np.ones(mix.shape[1], np.float32)
    for _ in range(TRIES):
        factor = np.float32(10 ** (gain_db / 20))
        curve = factor * limiter_gain(peaks * factor, rate, ceiling=ceiling)
        missing = target - loudness(mix * curve, rate)
        if missing < CLOSE_ENOUGH:
            break
        gain_db += missing
    return curve
