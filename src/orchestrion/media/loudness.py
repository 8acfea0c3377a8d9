"""Brings sound to a loudness without clipping: ITU-R BS.1770 and a look-ahead limiter."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

TARGET_LUFS = -16.0
CEILING_DB = -1.0  # true peak, as EBU R 128 asks
BLOCK_SECONDS = 0.4  # of BS.1770's gate; nothing shorter can be measured
LOOK_AHEAD = 0.01  # seconds
TRIES = 6
CLOSE_ENOUGH = 1.01  # of the power, 0.04 dB
BLOCK, MARGIN = 1024, 32  # samples; where peaks between samples are looked for, and what their filter needs around
UNSEEN = 0.5  # of the ceiling: between two samples below this none lies beyond it, but for sound near half the rate

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


def true_peaks(samples: Samples, *, above: float = 0.0) -> Float[np.ndarray, " samples"]:
    """The largest absolute value between each sample and the next, over the channels, at four times the rate
    (BS.1770-4, annex 2).

    Args:
        above: only blocks with a sample beyond this are looked at between their samples; it saves most of the time.
    """
    from scipy.signal import resample_poly

    peaks = np.abs(samples[0])
    for channel in samples[1:]:
        np.maximum(peaks, np.abs(channel), out=peaks)
    n_blocks = -(-len(peaks) // BLOCK)
    loud = np.pad(peaks, (0, n_blocks * BLOCK - len(peaks))).reshape(n_blocks, BLOCK).max(axis=1) > above
    starts = np.flatnonzero(loud) * BLOCK
    places = starts[:, None] + np.arange(-MARGIN, BLOCK + MARGIN)
    inside = np.clip(places[:, MARGIN:-MARGIN], 0, len(peaks) - 1)
    for channel in samples:
        around = np.pad(channel, (MARGIN, MARGIN + BLOCK))[places + MARGIN]
        fine = np.abs(resample_poly(around, 4, 1, axis=1)[:, 4 * MARGIN : -4 * MARGIN])
        largest = np.maximum(np.maximum(fine[:, ::4], fine[:, 1::4]), np.maximum(fine[:, 2::4], fine[:, 3::4]))
        peaks[inside] = np.maximum(peaks[inside], largest)
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

    What the limiter takes of the power is given back by a larger gain, in a few tries; sound that is one short click
    may stay softer than the target. Silence keeps the gain 1.
    """
    loudest = float(np.abs(mix).max(initial=0.0))
    if loudest == 0:
        return np.ones(mix.shape[1], np.float32)
    measured = loudness(mix, rate)
    if not np.isfinite(measured):  # softer than the gate of the measure, or so short that it is lost in it
        measured = loudness(mix / np.float32(loudest), rate) + 20 * np.log10(loudest)
    if not np.isfinite(measured):
        return np.full(mix.shape[1], 10 ** (ceiling_db / 20) / loudest, np.float32)
    ceiling = 10 ** (ceiling_db / 20)
    factor = 10 ** ((target - measured) / 20)
    peaks = true_peaks(mix, above=ceiling / factor * UNSEEN)
    if peaks.max(initial=0.0) * factor <= ceiling:
        return np.full(mix.shape[1], factor, np.float32)
    power = np.square(mix).sum(axis=0)
    wanted = float(power.sum(dtype=np.float64)) * factor**2
    raised = factor
    for _ in range(TRIES):
        curve = limiter_gain(peaks * np.float32(raised), rate, ceiling=ceiling) * np.float32(raised)
        missing = wanted / float((power * np.square(curve)).sum(dtype=np.float64))
        if missing < CLOSE_ENOUGH:
            break
        raised *= np.sqrt(missing)
    return curve


def at_safe_peak(samples: Samples, *, ceiling_db: float = CEILING_DB) -> Samples:
    """The samples as they are, or softer as a whole where a true peak lies above `ceiling_db`: no wave is bent, as it
    would be by cutting samples off at full scale."""
    ceiling = 10 ** (ceiling_db / 20)
    peak = float(true_peaks(samples, above=UNSEEN * ceiling).max(initial=0.0)) if len(samples) else 0.0
    return samples if peak <= ceiling else (samples * np.float32(ceiling / peak)).astype(np.float32)
