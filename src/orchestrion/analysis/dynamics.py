"""How loud a sound is over time, as a control for generation and for pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from orchestrion.media.audio import Audio

FLOOR_DB = -160.0  # the dynamic range that Music ControlNet keeps


@dataclass(frozen=True, slots=True)
class Dynamics:
    """Times in seconds, and the level in dB of a spectrum's energy, smoothed."""

    times: Float[np.ndarray, " frames"]
    decibels: Float[np.ndarray, " frames"]


def dynamics_curve(
    audio: Audio,
    *,
    rate: int = 22050,
    n_fft: int = 2048,
    hop_length: int = 256,
    smoothing: float = 1.0,
    order: int = 2,
) -> Dynamics:
    """The dynamics control of Music ControlNet (arXiv 2311.07069, section III-B): energy of the linear spectrum in dB,
    smoothed by a Savitzky–Golay filter.

    Args:
        rate: Hz that the sound is brought to.
        smoothing: seconds of the filter's window; the paper says one second.
        order: of its polynomial, which the paper leaves open; 2 keeps swells and loses onsets.
    """
    from scipy.signal import savgol_filter

    from orchestrion.analysis.long_sound import in_windows
    from orchestrion.analysis.spectra import Stft

    stft = Stft(n_fft=n_fft, hop_length=hop_length)
    wave = audio.mono().resample(rate).samples[0]
    energy = in_windows(
        lambda x: stft(x).abs().square().sum(1, keepdim=True), wave, hop_length=hop_length, margin=n_fft
    )
    decibels = np.maximum(10 * np.log10(np.maximum(energy[0].astype(np.float64), 1e-30)), FLOOR_DB)
    window = min(round(smoothing * rate / hop_length), len(decibels))
    window -= 1 - window % 2
    if window > order:
        decibels = np.asarray(savgol_filter(decibels, window, order))
    return Dynamics(np.arange(len(decibels)) * hop_length / rate, decibels)
