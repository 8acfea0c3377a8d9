"""Low-pass and high-pass filters, steep and gentle, and an all-pass that turns phases.

The steep ones are windowed sincs as in julius: N zero crossings on each side, a Hann window, unit gain at 0 Hz, ends
repeated outwards; the high-pass is the sound less its low-pass. The gentle ones are of first order (Zölzer, DAFX, 2nd
ed., section 2.2), the filters of Essentia.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from orchestrion.data.augment.chain import Sound, check_range, uniform
from orchestrion.errors import OptionError

ZEROS = 8  # zero crossings, as julius
GROUP = 8  # items filtered together: their spectra stay in the cache


def sinc_low_pass(audio: Sound, cutoffs: Tensor, *, zeros: int = ZEROS) -> Sound:
    """Each item without what lies above its cutoff [batch], in cycles a sample (at most 0.5)."""
    from scipy.fft import next_fast_len

    result = torch.empty_like(audio)
    for first in range(0, len(audio), GROUP):
        part, some = audio[first : first + GROUP], cutoffs[first : first + GROUP].double()
        halves = (zeros / some / 2).long()
        longest = int(halves.max())
        time = torch.arange(-longest, longest + 1, dtype=torch.float64)
        inside = time.abs() <= halves[:, None]
        window = 0.5 + 0.5 * torch.cos(math.pi * time / halves.clamp(min=1)[:, None])
        kernel = torch.sinc(2 * some[:, None] * time) * torch.where(inside, window, 0.0)
        kernel = (kernel / kernel.sum(dim=1, keepdim=True)).to(audio)
        padded = torch.nn.functional.pad(part, (longest, longest), mode="replicate")
        size = next_fast_len(padded.shape[2] + 2 * longest, real=True)
        spectrum = torch.fft.rfft(padded, size) * torch.fft.rfft(kernel, size)[:, None]
        result[first : first + GROUP] = torch.fft.irfft(spectrum, size)[..., 2 * longest : 2 * longest + part.shape[2]]
    return result


def first_order(audio: Sound, cutoffs: Tensor, *, high: bool) -> Sound:
    """First-order low-pass or high-pass at the cutoff [batch] of each item, in cycles a sample."""
    from scipy.signal import lfilter

    result = torch.empty_like(audio, device="cpu")
    for item, sound, cutoff in zip(result, audio.cpu(), cutoffs.tolist(), strict=True):
        tangent = math.tan(math.pi * cutoff)
        c = (tangent - 1) / (tangent + 1)
        b = [(1 - c) / 2, (c - 1) / 2] if high else [(1 + c) / 2, (1 + c) / 2]
        item.numpy()[:] = lfilter(np.array(b, np.float32), np.array([1, c], np.float32), sound.numpy(), axis=-1)
    return result.to(audio.device)


class LowPass:
    """A low-pass whose cutoff is drawn from a range in Hz.

    Args:
        order: "sinc" (windowed sinc) or "first" (first order).
        zeros: zero crossings of the sinc on each side: more of them are steeper.
        integer: whole Hz only.
    """

    high = False

    def __init__(
        self,
        rate: int,
        low: float = 2200.0,
        high: float = 4000.0,
        *,
        order: str = "sinc",
        zeros: int = ZEROS,
        integer: bool = False,
    ) -> None:
        check_range("cutoff", (low, high), 1.0, rate / 2)
        if order not in ("sinc", "first"):
            raise OptionError(f"There is no filter of order {order!r}; choose sinc or first.")
        self.rate, self.range, self.order, self.zeros, self.integer = rate, (low, high), order, zeros, integer

    def __call__(self, audio: Sound, generator: torch.Generator) -> Sound:
        """Filtered."""
        cutoffs = uniform(self.range[0], self.range[1] + self.integer, len(audio), generator)
        return self.apply(audio, cutoffs.floor() if self.integer else cutoffs)

    def apply(self, audio: Sound, cutoffs: Tensor) -> Sound:
        """With the cutoff [batch] of each item in Hz."""
        if self.order == "first":
            return first_order(audio, cutoffs / self.rate, high=self.high)
        below = sinc_low_pass(audio, cutoffs / self.rate, zeros=self.zeros)
        return torch.sub(audio, below, out=below) if self.high else below


class HighPass(LowPass):
    """A high-pass; arguments as `LowPass`."""

    high = True

    def __init__(
        self,
        rate: int,
        low: float = 200.0,
        high: float = 1200.0,
        *,
        order: str = "sinc",
        zeros: int = ZEROS,
        integer: bool = False,
    ) -> None:
        super().__init__(rate, low, high, order=order, zeros=zeros, integer=integer)


class BandFilter:
    """For each item a fair coin between two filters."""

    def __init__(self, first: LowPass, second: LowPass) -> None:
        self.filters = (first, second)

    def __call__(self, audio: Sound, generator: torch.Generator) -> Sound:
        """Filtered one way or the other."""
        tails = torch.rand(len(audio), generator=generator) < 0.5
        result = torch.empty_like(audio)
        for side, filter in ((tails, self.filters[0]), (~tails, self.filters[1])):
            if side.any():
                result[side] = filter(audio[side], generator)
        return result


class AllPass:
    """RAVE's phase mangling: a second-order all-pass, its angle drawn uniformly in the logarithm.

    H(z) = (r² − 2 r cos θ z⁻¹ + z⁻²) / (1 − 2 r cos θ z⁻¹ + r² z⁻²) leaves every magnitude as it is.

    Args:
        low, high: range of the frequency of the pole, in Hz.
        radius: of the pole, r.
    """

    def __init__(self, rate: int, low: float = 20.0, high: float = 2000.0, *, radius: float = 0.99) -> None:
        check_range("frequency", (low, high), 0.1, rate / 2)
        if not 0 <= radius < 1:
            raise OptionError(f"A pole of radius {radius:g} is not stable; give one below 1.")
        self.rate, self.range, self.radius = rate, (low, high), radius

    def angles(self, draws: Tensor) -> Tensor:
        """Angles in radians from draws in [0, 1)."""
        low, high = (math.log(2 * math.pi * frequency / self.rate) for frequency in self.range)
        return torch.exp(low + (high - low) * draws)

    def coefficients(self, angle: float) -> tuple[list[float], list[float]]:
        """Numerator and denominator, from the newest sample on."""
        back = [1.0, -2 * self.radius * math.cos(angle), self.radius**2]
        return back[::-1], back

    def __call__(self, audio: Sound, generator: torch.Generator) -> Sound:
        """The same magnitudes at other phases."""
        from scipy.signal import lfilter

        angles = self.angles(torch.rand(len(audio), generator=generator, dtype=torch.float64))
        result = torch.empty_like(audio, device="cpu")
        for item, sound, angle in zip(result, audio.cpu(), angles.tolist(), strict=True):
            forward, back = self.coefficients(angle)
            item.numpy()[:] = lfilter(forward, back, sound.numpy(), axis=-1)
        return result.to(audio.device)
