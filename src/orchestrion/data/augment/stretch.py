"""Pitch and tempo, together or one without the other.

Time is stretched by overlap and add of segments of the sound itself, each moved to where it fits best (WSOLA,
Verhelst & Roelands 1993), with the segment, search and overlap of SoX's `tempo` and `pitch`; pitch is then a matter of
resampling.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from orchestrion.data.augment.chain import Sound, check_range, integers, uniform
from orchestrion.data.augment.compiled import compiled
from orchestrion.errors import OptionError

SEGMENT, SEARCH, OVERLAP = 0.082, 0.01468, 0.012  # seconds


def _place(mono: NDArray, segment: int, search: int, overlap: int, advance: float, starts: NDArray) -> None:
    """Where in the sound each segment is taken from: near its place in time, where it best continues the one before."""
    starts[0] = 0
    last = len(mono) - segment - 1
    for number in range(1, len(starts)):
        first = min(max(int(number * advance), 0), max(last - search, 0))
        tail = starts[number - 1] + segment - overlap
        best, best_at = -np.inf, first
        energy = np.float32(1e-9)
        for n in range(overlap):
            energy += mono[first + n] * mono[first + n]
        for at in range(first, first + search):
            if at > last:
                break
            likeness = np.float32(0)
            for n in range(overlap):
                likeness += mono[tail + n] * mono[at + n]
            score = likeness / np.sqrt(energy)
            if score > best:
                best, best_at = score, at
            energy += mono[at + overlap] * mono[at + overlap] - mono[at] * mono[at]
            if energy < 1e-9:
                energy = np.float32(1e-9)
        starts[number] = best_at


_place_fast = compiled(_place, any_order=True)


def stretch(sound: NDArray[np.float32], factor: float, rate: int) -> NDArray[np.float32]:
    """Sound [channels, samples] that takes `factor` times as long at the same pitch; all channels move alike."""
    segment, search, overlap = (max(round(seconds * rate), 2) for seconds in (SEGMENT, SEARCH, OVERLAP))
    n_out = round(sound.shape[1] * factor)
    if factor == 1 or sound.shape[1] < segment + search + 2:
        return np.ascontiguousarray(sound[:, np.minimum(np.arange(n_out), sound.shape[1] - 1)])
    step = segment - overlap
    starts = np.zeros(-(-n_out // step), np.int64)
    _place_fast(np.ascontiguousarray(sound.mean(axis=0)), segment, search, overlap, step / factor, starts)
    ramp = np.linspace(0, 1, overlap, endpoint=False, dtype=np.float32)
    out = np.empty((sound.shape[0], len(starts) * step + overlap), np.float32)
    out[:, :segment] = sound[:, :segment]
    for number, start in enumerate(starts[1:].tolist(), 1):
        at = number * step
        piece = sound[:, start : start + segment]
        out[:, at : at + overlap] += (piece[:, :overlap] - out[:, at : at + overlap]) * ramp
        out[:, at + overlap : at + segment] = piece[:, overlap:]
    return out[:, :n_out]


def _fitted(sound: NDArray[np.float32], n_samples: int) -> NDArray[np.float32]:
    """Cut, or filled up with silence."""
    return np.pad(sound[:, :n_samples], ((0, 0), (0, max(n_samples - sound.shape[1], 0))))


class PitchShift:
    """Another pitch at the same tempo.

    Args:
        rate: Hz.
        low, high: range in cents.
        integer: whole cents only.
    """

    def __init__(self, rate: int, low: float = -700, high: float = 700, *, integer: bool = True) -> None:
        check_range("cents", (low, high), -2400, 2400)
        self.rate, self.low, self.high, self.integer = rate, low, high, integer

    def __call__(self, audio: Sound, generator: torch.Generator) -> Sound:
        """Higher or lower."""
        if self.integer:
            return self.apply(audio, integers(round(self.low), round(self.high), len(audio), generator))
        return self.apply(audio, uniform(self.low, self.high, len(audio), generator))

    def apply(self, audio: Sound, cents: Tensor) -> Sound:
        """By the cents [batch] of each item."""
        import soxr

        result = audio.cpu().clone()
        for item, shift in zip(result.numpy(), cents.tolist(), strict=True):
            if shift:
                ratio = 2.0 ** (shift / 1200)
                longer = stretch(item, ratio, self.rate)
                read = soxr.resample(np.ascontiguousarray(longer.T), self.rate * ratio, self.rate, quality="LQ")
                item[:] = _fitted(np.asarray(read.T, np.float32), item.shape[1])
        return result.to(audio.device)


class TimeStretch:
    """Another tempo at the same pitch; the end is cut, or silence follows.

    Args:
        rate: Hz.
        low, high: range of the factor of the tempo, uniform in its logarithm.
    """

    def __init__(self, rate: int, low: float = 0.8, high: float = 1.25) -> None:
        check_range("tempo factor", (low, high), 0.1, 10)
        self.rate, self.low, self.high = rate, low, high

    def __call__(self, audio: Sound, generator: torch.Generator) -> Sound:
        """Faster or slower."""
        low, high = np.log((self.low, self.high)).tolist()
        return self.apply(audio, uniform(low, high, len(audio), generator).exp())

    def apply(self, audio: Sound, factors: Tensor) -> Sound:
        """By the factor [batch] of each item's tempo."""
        result = audio.cpu().clone()
        for item, factor in zip(result.numpy(), factors.tolist(), strict=True):
            item[:] = _fitted(stretch(item, 1 / factor, self.rate), item.shape[1])
        return result.to(audio.device)


class Resample:
    """Pitch and tempo together, as a tape at another speed (RAVE's random pitch).

    The speed is one of the fractions down / up of whole numbers below `most`, so that the filter stays short. The
    result has as many samples: what is faster ends in silence, so take crops longer than needed and crop again.

    Args:
        low, high: range of up / down; RAVE's 0.7 to 1.3.
        most: bound of the whole numbers.
    """

    def __init__(self, low: float = 0.7, high: float = 1.3, *, most: int = 20) -> None:
        check_range("speed", (low, high), 0.1, 10)
        pairs = [(up, down) for up in range(1, most) for down in range(1, most) if up != down]
        self.fractions = sorted((up / down, up, down) for up, down in pairs if low <= up / down <= high)
        if not self.fractions:
            raise OptionError(f"No fraction of whole numbers below {most} lies from {low:g} to {high:g}; widen these.")
        self.low, self.high = low, high

    def nearest(self, wanted: float) -> tuple[int, int]:
        """Up and down of the first fraction that is not below `wanted`, of the last one if all are; in its longest
        form, as the official code has it.
        """
        value = next((one for one, _, _ in self.fractions if one >= wanted - 1e-12), self.fractions[-1][0])
        up, down = max((up, down) for one, up, down in self.fractions if one == value)
        return up, down

    def __call__(self, audio: Sound, generator: torch.Generator) -> Sound:
        """At another speed."""
        from scipy.signal import resample_poly

        result = audio.cpu().clone()
        for item, wanted in zip(result.numpy(), uniform(self.low, self.high, len(audio), generator), strict=True):
            read = resample_poly(item, *self.nearest(float(wanted)), axis=1, padtype="mean")
            item[:] = _fitted(np.asarray(read, np.float32), item.shape[1])
        return result.to(audio.device)
