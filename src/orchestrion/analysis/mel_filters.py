"""Triangular filters on the mel scale, in the two forms of the field."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from orchestrion.errors import OptionError

SCALES = ("slaney", "htk")
NORMS = ("slaney", None)
# Slaney's scale (Auditory Toolbox, 1998): linear up to 1 kHz, then 27 steps to each factor of 6.4.
LINEAR_STEP, LOG_START, LOG_STEP = 200 / 3, 1000.0, float(np.log(6.4)) / 27


def hertz_to_mel(hertz: Float[np.ndarray, " n"], *, scale: str = "slaney") -> Float[np.ndarray, " n"]:
    """Frequencies in Hz as mels.

    Args:
        scale: "slaney", or "htk": 2595 log10(1 + f / 700) (O'Shaughnessy 1987).
    """
    if scale == "htk":
        return 2595 * np.log10(1 + hertz / 700)
    logarithmic = LOG_START / LINEAR_STEP + np.log(np.maximum(hertz, LOG_START) / LOG_START) / LOG_STEP
    return np.where(hertz < LOG_START, hertz / LINEAR_STEP, logarithmic)


def mel_to_hertz(mels: Float[np.ndarray, " n"], *, scale: str = "slaney") -> Float[np.ndarray, " n"]:
    """The inverse of `hertz_to_mel`."""
    if scale == "htk":
        return 700 * (10 ** (mels / 2595) - 1)
    start = LOG_START / LINEAR_STEP
    return np.where(mels < start, mels * LINEAR_STEP, LOG_START * np.exp(LOG_STEP * (np.maximum(mels, start) - start)))


def mel_filters(
    *,
    sample_rate: int,
    n_fft: int,
    n_mels: int,
    f_min: float,
    f_max: float,
    mel_scale: str = "slaney",
    norm: str | None = "slaney",
) -> Float[np.ndarray, "n_mels bins"]:
    """Weights of the bins 0 … n_fft / 2 in each band, float64.

    Args:
        f_min, f_max: Hz, the lower edge of the first band and the upper edge of the last.
        mel_scale: "slaney" or "htk"; see `hertz_to_mel`.
        norm: "slaney" gives all bands the area 1 in Hz (times 2 / width); None the height 1.

    Raises:
        OptionError: a name is unknown or the band is empty.
    """
    if mel_scale not in SCALES:
        raise OptionError(f"The mel scale {mel_scale!r} is unknown; choose one of {', '.join(SCALES)}.")
    if norm not in NORMS:
        raise OptionError(f"The norm of mel filters {norm!r} is unknown; choose 'slaney' or None.")
    if not 0 <= f_min < f_max <= sample_rate / 2 + 1e-6:
        raise OptionError(f"Mel bands from {f_min:g} to {f_max:g} Hz do not lie between 0 and {sample_rate / 2:g} Hz.")
    low, high = hertz_to_mel(np.array([f_min, f_max], np.float64), scale=mel_scale)
    edges = mel_to_hertz(np.linspace(low, high, n_mels + 2), scale=mel_scale)
    bins = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    weights = np.maximum(0.0, np.minimum(rising, falling))
    return weights * (2 / (edges[2:] - edges[:-2]))[:, None] if norm == "slaney" else weights
