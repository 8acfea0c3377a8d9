"""Pseudo quadrature mirror filters: a waveform as critically sampled sub-bands, and back, nearly without loss."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from orchestrion.errors import OptionError, check_choice


@lru_cache(maxsize=16)
def prototype_filter(bands: int, attenuation: float, *, quirks: str = "none") -> Float[np.ndarray, " taps"]:
    """Low-pass filter of odd length from which the bank is modulated (Lin & Vaidyanathan 1998, a Kaiser window whose
    cut-off makes the filter's autocorrelation vanish at multiples of 2·bands).

    Args:
        attenuation: of the stop-band, in dB.
        quirks: "official" stops the search for the cut-off at four digits, as the published code does. With 16 bands
            and 100 dB tones between two bands then come back with 49 dB instead of 63.
    """
    from scipy.optimize import minimize
    from scipy.signal import firwin, kaiserord

    def kaiser(cutoff: float) -> np.ndarray:
        taps, beta = kaiserord(attenuation, cutoff / np.pi)
        window: Any = ("kaiser", beta)  # scipy's annotations know names only
        return np.asarray(firwin(2 * (taps // 2) + 1, cutoff, window=window, scale=False, fs=2 * np.pi))

    def ripple(cutoff: np.ndarray) -> float:
        filter_ = kaiser(float(cutoff[0]))
        correlation = np.convolve(filter_, filter_[::-1])
        return float(np.abs(correlation[len(correlation) // 2 :: 2 * bands][1:]).max())

    exact = {} if quirks == "official" else {"xatol": 1e-12, "fatol": 1e-14, "maxiter": 1000}
    found = minimize(ripple, [1 / bands], method="Nelder-Mead", options=exact)
    return kaiser(float(found.x[0]))


def filter_bank(bands: int, attenuation: float, *, quirks: str = "none") -> Float[np.ndarray, "bands taps"]:
    """The modulated bank, filled up with zeros on both sides to a power of two of taps.

    h_k[n] = 2 h[n] cos((2k + 1) π n / 2M + (−1)^k π / 4), n counted from the middle.

    Args:
        attenuation, quirks: as of `prototype_filter`.
    """
    prototype = prototype_filter(bands, attenuation, quirks=quirks)
    half = len(prototype) // 2
    n, k = np.arange(-half, half + 1), np.arange(bands)[:, None]
    bank = 2 * prototype * np.cos((2 * k + 1) * np.pi / (2 * bands) * n + (-1.0) ** k * np.pi / 4)
    lacking = 2 ** math.ceil(math.log2(len(prototype))) - len(prototype)
    return np.pad(bank, ((0, 0), (lacking // 2, lacking - lacking // 2)))


class Pqmf(nn.Module):
    """Waveform ↔ sub-bands at 1 / bands of the rate.

    Odd bands come with their spectrum upside down; changing the sign of every second frame turns them round, so that
    in all bands low frequencies are low. Both directions are convolutions of frames of `bands` samples.

    Args:
        bands: a power of two; 1 leaves the waveform as it is.
        attenuation: of the stop-band, in dB.
        quirks: "official" has the filters of RAVE's published code, and gives the signal back one frame of `bands`
            samples late.
        padding: of both convolutions, as of `same_padding`: other than "centred" is for the published code with such
            convolutions, and gives the signal back late, or early.

    Raises:
        OptionError: the number of bands is no power of two, or there is no such padding.
    """

    analysis_weight: Tensor
    synthesis_weight: Tensor

    def __init__(
        self, *, bands: int = 16, attenuation: float = 100.0, quirks: str = "none", padding: str = "centred"
    ) -> None:
        super().__init__()
        check_choice("padding", padding, "centred", "causal", "anticausal")
        if bands < 1 or bands & (bands - 1):
            raise OptionError(f"A filter bank of {bands} bands cannot be made; give a power of two.")
        self.bands = bands
        if bands == 1:
            return
        bank = torch.from_numpy(filter_bank(bands, attenuation, quirks=quirks)).float()
        self.taps = bank.shape[1] // bands  # in frames
        official = quirks == "official"  # a frame of zeros more, as in the published filters
        self.analysis_pads = (self.taps // 2, self.taps // 2 - (not official))
        self.synthesis_pads = (self.taps // 2, self.taps // 2) if official else (self.taps // 2 - 1, self.taps // 2)
        if padding != "centred":
            whole = sum(self.analysis_pads)
            self.analysis_pads = self.synthesis_pads = (whole, 0) if padding == "causal" else (0, whole)
        forward = bank.reshape(bands, self.taps, bands).transpose(1, 2)
        inverse = bands * bank.flip(-1).reshape(bands, self.taps, bands).permute(2, 0, 1).flip(0)
        if official:
            forward, inverse = functional.pad(forward, (0, 1)), functional.pad(inverse, (0, 1))
        self.register_buffer("analysis_weight", forward.contiguous(), persistent=False)
        self.register_buffer("synthesis_weight", inverse.contiguous(), persistent=False)

    def analyse(
        self, waveform: Float[Tensor, "batch channels samples"]
    ) -> Float[Tensor, "batch channels*bands frames"]:
        """Sub-bands, those of the first channel first. The number of samples must be a multiple of `bands`."""
        if self.bands == 1:
            return waveform
        channels = waveform.shape[1]
        frames = functional.pad(to_frames(waveform, self.bands), self.analysis_pads)
        bands = functional.conv1d(frames, self.analysis_weight.repeat(channels, 1, 1), groups=channels)
        return bands * turned_bands(bands, self.bands)

    def synthesise(
        self, bands: Float[Tensor, "batch channels*bands frames"]
    ) -> Float[Tensor, "batch channels samples"]:
        """The waveform of sub-bands."""
        if self.bands == 1:
            return bands
        channels = bands.shape[1] // self.bands
        turned = functional.pad(bands * turned_bands(bands, self.bands), self.synthesis_pads)
        frames = functional.conv1d(turned, self.synthesis_weight.repeat(channels, 1, 1), groups=channels)
        return from_frames(frames, self.bands)


def to_frames(
    waveform: Float[Tensor, "batch channels samples"], size: int
) -> Float[Tensor, "batch channels*size frames"]:
    """Neighbouring samples as channels of one frame."""
    batch, channels, samples = waveform.shape
    return waveform.reshape(batch, channels, samples // size, size).transpose(2, 3).reshape(batch, channels * size, -1)


def from_frames(
    frames: Float[Tensor, "batch channels*size frames"], size: int
) -> Float[Tensor, "batch channels samples"]:
    """The inverse of `to_frames`."""
    batch, wide, count = frames.shape
    return frames.reshape(batch, wide // size, size, count).transpose(2, 3).reshape(batch, wide // size, count * size)


def turned_bands(
    like: Float[Tensor, "batch wide frames"], bands: int, *, first: int = 0
) -> Float[Tensor, "wide frames"]:
    """−1 at even frames of odd bands, else 1.

    Args:
        first: number of the first frame.
    """
    frames = torch.arange(first, first + like.shape[-1], device=like.device)
    odd = torch.arange(like.shape[1], device=like.device) % bands % 2
    turned = (odd[:, None] == 1) & (frames % 2 == 0)
    return torch.where(turned, -1.0, 1.0).to(like.dtype)
