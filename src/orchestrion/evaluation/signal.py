"""How near an estimated waveform is to its reference, in decibels. All work on the last axis, one value a signal.

Silence as reference gives NaN; an estimate without any error gives infinity.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from orchestrion.errors import OptionError

FILTER_LENGTH = 512  # samples, of BSS Eval
Signals = Float[np.ndarray, "*signals samples"]


def _paired(estimate: Signals, reference: Signals, zero_mean: bool = False) -> tuple[np.ndarray, np.ndarray]:
    if estimate.shape != reference.shape or not estimate.shape[-1]:
        raise OptionError(
            f"Signals of shapes {list(estimate.shape)} and {list(reference.shape)} cannot be compared; cut both to one "
            "length and number of channels."
        )
    estimate, reference = np.asarray(estimate, np.float64), np.asarray(reference, np.float64)
    if not (np.isfinite(estimate).all() and np.isfinite(reference).all()):
        raise OptionError("A signal holds samples that are no numbers.")
    if zero_mean:
        estimate = estimate - estimate.mean(-1, keepdims=True)
        reference = reference - reference.mean(-1, keepdims=True)
    return estimate, reference


def _decibels(power: np.ndarray, noise: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(power > 0, 10 * np.log10(power / noise), np.where(noise > 0, -np.inf, np.nan))


def snr(estimate: Signals, reference: Signals, *, zero_mean: bool = False) -> np.ndarray:
    """Signal-to-noise ratio ‖s‖² / ‖s − ŝ‖² in dB.

    Raises:
        OptionError: the shapes differ, or samples are no numbers; so of all functions here.
    """
    estimate, reference = _paired(estimate, reference, zero_mean)
    power = np.square(reference).sum(-1)
    return np.where(power > 0, _decibels(power, np.square(reference - estimate).sum(-1)), np.nan)


def si_sdr(estimate: Signals, reference: Signals, *, zero_mean: bool = False) -> np.ndarray:
    """Scale-invariant signal-to-distortion ratio ‖αs‖² / ‖αs − ŝ‖² in dB, α = ⟨ŝ, s⟩ / ‖s‖² (Le Roux et al. 2019, arXiv
    1811.02508).

    Args:
        zero_mean: takes the means away first; that is SI-SNR.
    """
    estimate, reference = _paired(estimate, reference, zero_mean)
    energy = np.square(reference).sum(-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = np.sum(estimate * reference, -1, keepdims=True) / energy * reference
    return _decibels(np.square(scaled).sum(-1), np.square(scaled - estimate).sum(-1))


def si_snr(estimate: Signals, reference: Signals) -> np.ndarray:
    """`si_sdr` of signals whose means are taken away first."""
    return si_sdr(estimate, reference, zero_mean=True)


def sdr(
    estimate: Signals, reference: Signals, *, filter_length: int = FILTER_LENGTH, zero_mean: bool = False
) -> np.ndarray:
    """Signal-to-distortion ratio of BSS Eval 3 in dB: what of the estimate is no filtered reference is distortion.

    The filter of so many taps that explains most is found from the autocorrelation of the reference (Vincent et al.
    2006; Scheibler 2022, arXiv 2110.06440). Apollo takes the means away first.
    """
    estimate, reference = _paired(estimate, reference, zero_mean)
    shape = estimate.shape[:-1]
    rows = zip(estimate.reshape(-1, estimate.shape[-1]), reference.reshape(-1, estimate.shape[-1]), strict=True)
    return np.array([_filtered_sdr(one, other, filter_length) for one, other in rows]).reshape(shape)


def _filtered_sdr(estimate: np.ndarray, reference: np.ndarray, taps: int) -> float:
    from scipy.fft import irfft, next_fast_len, rfft
    from scipy.linalg import LinAlgError, cho_factor, cho_solve, lstsq, toeplitz

    power, energy = np.square(estimate).sum(), np.square(reference).sum()
    if not energy or not power:
        return float("nan") if not energy else float("-inf")
    estimate, reference = estimate / np.sqrt(power), reference / np.sqrt(energy)
    size = next_fast_len(2 * len(reference) + taps, real=True)
    spectrum = np.asarray(rfft(reference, size))
    auto = np.asarray(irfft(np.square(np.abs(spectrum)), size))[:taps]
    cross = np.asarray(irfft(np.asarray(rfft(estimate, size)) * np.conj(spectrum), size))[:taps]
    matrix = toeplitz(auto)
    try:
        found = cho_solve(cho_factor(matrix), cross)
    except LinAlgError:  # a pure tone is explained by many filters
        found = np.asarray(lstsq(matrix, cross)[0])  # type: ignore[index]
    explained = float(np.clip(cross @ found, 0, 1))
    return float(_decibels(np.array(explained), np.array(1 - explained)))


def log_spectral_distance(
    estimate: Signals, reference: Signals, *, n_fft: int = 2048, hop_length: int = 512, floor: float = 1e-10
) -> np.ndarray:
    """LSD in dB: mean over frames of the root mean square over frequencies of the difference of the log power spectra.

    Powers below `floor` count as it. Frames have a Hann window and lie inside the signal; a shorter one is padded with
    zeros. Papers that leave out the factor 10 (log₁₀ of powers) report a tenth of it.
    """
    estimate, reference = _paired(estimate, reference)
    difference = _log_power(estimate, n_fft, hop_length, floor) - _log_power(reference, n_fft, hop_length, floor)
    return np.sqrt(np.square(difference).mean(-1)).mean(-1)


def _log_power(signals: np.ndarray, n_fft: int, hop_length: int, floor: float) -> np.ndarray:
    """[…, frames, frequencies] power in dB."""
    from scipy.fft import rfft
    from scipy.signal.windows import hann

    lacking = max(n_fft - signals.shape[-1], 0)
    signals = np.pad(signals, [(0, 0)] * (signals.ndim - 1) + [(0, lacking)])
    frames = np.lib.stride_tricks.sliding_window_view(signals, n_fft, axis=-1)[..., ::hop_length, :]
    spectrum = np.asarray(rfft(frames * hann(n_fft, sym=False), axis=-1))
    return 10 * np.log10(np.maximum(np.square(np.abs(spectrum)), floor))
