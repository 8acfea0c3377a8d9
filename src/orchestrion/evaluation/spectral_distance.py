"""Distances of spectra: multi-resolution STFT and mel distances of a waveform to its reference.

Tensors in, a differentiable number out, the mean over the batch: metrics that can also be trained with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from orchestrion.analysis.mel_filters import mel_filters
from orchestrion.errors import OptionError

FFTS, HOPS, WINDOWS = (1024, 2048, 512), (120, 240, 50), (600, 1200, 240)  # Parallel WaveGAN's three resolutions
EPSILON = 1e-8  # least power
MEL_WINDOWS, MEL_BANDS = (32, 64, 128, 256, 512, 1024, 2048), (5, 10, 20, 40, 80, 160, 320)  # DAC's scales

Waves = Float[Tensor, "batch channels samples"]


@dataclass(frozen=True, slots=True)
class SpectralDistance:
    """A distance and its parts, each the mean over resolutions.

    Attributes:
        total: the weighted sum.
        convergence: ‖|S| − |Ŝ|‖ / ‖|S|‖ (Frobenius).
        log_magnitude: mean |ln|S| − ln|Ŝ||.
        magnitude: mean ||S| − |Ŝ||.
    """

    total: Tensor
    convergence: Tensor
    log_magnitude: Tensor
    magnitude: Tensor


def multi_resolution_stft(
    estimate: Waves,
    reference: Waves,
    *,
    n_ffts: Sequence[int] = FFTS,
    hop_lengths: Sequence[int] = HOPS,
    win_lengths: Sequence[int] = WINDOWS,
    convergence: float = 1.0,
    log_magnitude: float = 1.0,
    magnitude: float = 0.0,
    sample_rate: int | None = None,
    n_mels: int | None = None,
    quirks: str | None = None,
) -> SpectralDistance:
    """Spectral convergence, log-magnitude and magnitude distances at several resolutions (Yamamoto et al. 2020, arXiv
    1910.11480).

    Args:
        convergence, log_magnitude, magnitude: weights of the parts.
        sample_rate, n_mels: compare so many mel bands (Slaney's) in place of frequencies.
        quirks: "official" takes one norm over all of the batch in place of one a signal, as auraloss does for its
            convergence.

    Raises:
        OptionError: shapes differ, samples are too few, or options do not fit together.
    """
    _check(estimate, reference)
    if not len(n_ffts) == len(hop_lengths) == len(win_lengths) > 0:
        raise OptionError("Each resolution needs an FFT size, a hop and a window length.")
    if (n_mels is None) != (sample_rate is None):
        raise OptionError("Mel bands need both n_mels and sample_rate.")
    if quirks not in (None, "official"):
        raise OptionError(f"There are no quirks {quirks!r} of this distance; leave them out or write 'official'.")
    parts = []
    for n_fft, hop, window in zip(n_ffts, hop_lengths, win_lengths, strict=True):
        made, known = (_magnitudes(x, n_fft, hop, window) for x in (estimate, reference))
        if n_mels is not None and sample_rate is not None:
            filters = _filters(sample_rate, n_fft, n_mels).to(made)
            made, known = filters @ made, filters @ known
        joined = (
            (made.flatten()[None], known.flatten()[None])
            if quirks == "official"
            else (made.flatten(1), known.flatten(1))
        )
        parts.append(
            torch.stack(
                [
                    _convergence(*joined),
                    (known.log() - made.log()).abs().mean(),
                    (known - made).abs().mean(),
                ]
            )
        )
    found = torch.stack(parts).mean(0)
    total = convergence * found[0] + log_magnitude * found[1] + magnitude * found[2]
    return SpectralDistance(total, *found)


def multi_scale_mel(
    estimate: Waves,
    reference: Waves,
    *,
    sample_rate: int,
    win_lengths: Sequence[int] = MEL_WINDOWS,
    n_mels: Sequence[int] = MEL_BANDS,
    floor: float = 1e-5,
) -> Float[Tensor, ""]:
    """Sum over scales of the mean absolute difference of log₁₀ mel magnitudes, hop a quarter of the window (Kumar et
    al. 2023, arXiv 2306.06546).

    Args:
        floor: least magnitude.

    Raises:
        OptionError: shapes differ, or samples are too few.
    """
    _check(estimate, reference)
    if len(win_lengths) != len(n_mels):
        raise OptionError("Each scale needs a window length and a number of mel bands.")
    total = estimate.new_zeros(())
    for window, bands in zip(win_lengths, n_mels, strict=True):
        filters = _filters(sample_rate, window, bands).to(estimate)
        made, known = (filters @ _magnitudes(x, window, window // 4, window) for x in (estimate, reference))
        total = total + (known.clamp(min=floor).log10() - made.clamp(min=floor).log10()).abs().mean()
    return total


def log_mel(
    estimate: Waves,
    reference: Waves,
    *,
    sample_rate: int,
    n_fft: int = 1024,
    hop_length: int = 256,
    n_mels: int = 80,
    floor: float = 1e-5,
) -> Float[Tensor, ""]:
    """Mean absolute difference of natural logarithms of mel magnitudes: the mel distance of codecs and vocoders.

    Raises:
        OptionError: shapes differ, or samples are too few.
    """
    _check(estimate, reference)
    filters = _filters(sample_rate, n_fft, n_mels).to(estimate)
    made, known = (filters @ _magnitudes(x, n_fft, hop_length, n_fft) for x in (estimate, reference))
    return (known.clamp(min=floor).log() - made.clamp(min=floor).log()).abs().mean()


def _convergence(made: Float[Tensor, "signals values"], known: Float[Tensor, "signals values"]) -> Float[Tensor, ""]:
    return ((known - made).norm(dim=1) / known.norm(dim=1)).mean()


@lru_cache(maxsize=64)
def _filters(sample_rate: int, n_fft: int, n_mels: int) -> Float[Tensor, "n_mels bins"]:
    """Slaney's mel bands from 0 Hz to half the rate."""
    bands = mel_filters(sample_rate=sample_rate, n_fft=n_fft, n_mels=n_mels, f_min=0.0, f_max=sample_rate / 2)
    return torch.from_numpy(bands).float()


def _check(estimate: Tensor, reference: Tensor) -> None:
    if estimate.shape != reference.shape:
        raise OptionError(
            f"Sounds of shapes {list(estimate.shape)} and {list(reference.shape)} cannot be compared; cut both to one "
            "length and number of channels."
        )
    if not estimate.numel():
        raise OptionError("There is no sample to compare.")


def _magnitudes(waves: Tensor, n_fft: int, hop: int, window: int) -> Float[Tensor, "batch bins frames"]:
    """Magnitudes of the centred STFT (Hann window, edges reflected) of every channel, at least √EPSILON."""
    flat = waves.reshape(-1, waves.shape[-1])
    if flat.shape[-1] <= n_fft // 2:
        raise OptionError(f"Sounds of {flat.shape[-1]} samples are too short for an FFT of {n_fft}; give longer ones.")
    shape = torch.hann_window(window, dtype=flat.dtype, device=flat.device)
    spectrum = torch.stft(flat, n_fft, hop, window, shape, return_complex=True)
    return (spectrum.real.square() + spectrum.imag.square()).clamp(min=EPSILON).sqrt()
