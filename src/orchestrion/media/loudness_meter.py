"""Loudness of sound that comes in blocks, in constant memory (ITU-R BS.1770-4)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

ABSOLUTE_GATE, RELATIVE_GATE = -70.0, -10.0  # LUFS, LU
SURROUND = (1.0, 1.0, 1.0, 1.41, 1.41)  # weights of left, right, centre and the two behind


class LoudnessMeter:
    """Integrated loudness and peak of what was added so far; equals `media.loudness` for sound in one block.

    Args:
        rate: Hz.
        channels: one to five are weighted as the standard says; of more, all alike.
    """

    def __init__(self, rate: int, channels: int) -> None:
        import pyloudnorm

        stages = pyloudnorm.Meter(rate)._filters.values()
        self._stages = [(np.atleast_1d(stage.b), np.atleast_1d(stage.a)) for stage in stages]
        self._states = [np.zeros((channels, max(len(b), len(a)) - 1)) for b, a in self._stages]
        self.weights = np.array(SURROUND[:channels] if channels <= len(SURROUND) else (1.0,) * channels)
        self._rate, self._step = rate, rate / 10
        self._energies: list[float] = []  # of tenths of a second, weighted over the channels
        self._rest = np.zeros(0)
        self._added, self.peak = 0, 0.0

    def add(self, samples: Float[np.ndarray, "channels samples"]) -> None:
        """Hears what comes next."""
        from scipy.signal import lfilter

        self.peak = max(self.peak, float(np.abs(samples).max(initial=0.0)))
        heard = samples.astype(np.float64)
        for place, (b, a) in enumerate(self._stages):
            heard, self._states[place] = lfilter(b, a, heard, axis=1, zi=self._states[place])
        power = np.concatenate([self._rest, self.weights @ np.square(heard)])
        first = len(self._energies)
        begin = round(first * self._step)
        while round((first + 1) * self._step) - begin <= len(power):
            end = round((first + 1) * self._step)
            self._energies.append(float(power[: end - begin].sum()))
            power, begin, first = power[end - begin :], end, first + 1
        self._rest = power
        self._added += samples.shape[1]

    @property
    def loudness(self) -> float:
        """In LUFS; minus infinity for silence. Sound shorter than one block is measured with silence after it."""
        tenths = np.array([*self._energies, float(self._rest.sum())] if len(self._energies) < 4 else self._energies)
        tenths = np.pad(tenths, (0, max(4 - len(tenths), 0)))
        blocks = np.lib.stride_tricks.sliding_window_view(tenths, 4).sum(1) / (0.4 * self._rate)
        with np.errstate(divide="ignore"):
            levels = -0.691 + 10 * np.log10(blocks)
            kept = levels > ABSOLUTE_GATE
            if not kept.any():
                return float("-inf")
            gate = -0.691 + 10 * np.log10(blocks[kept].mean()) + RELATIVE_GATE
            kept &= levels > gate
            return float(-0.691 + 10 * np.log10(blocks[kept].mean())) if kept.any() else float("-inf")
