"""Reverberation: Freeverb with the numbers of SoX, and convolution with decaying noise.

Freeverb (public domain, by "Jezar at Dreampoint"): eight comb filters side by side, each with a one-pole low-pass in
its loop, then four all-passes one after the other. Lengths are in samples at 44.1 kHz.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from orchestrion.data.augment.chain import Sound, check_range, integers, uniform
from orchestrion.data.augment.compiled import compiled

COMBS = (1116, 1188, 1277, 1356, 1422, 1491, 1557, 1617)
ALL_PASSES = (225, 341, 441, 556)  # the last comes first
SPREAD = 12  # samples by which the lengths of the right side differ, up and down in turn
ALL_PASS_FEEDBACK = 0.5
WET_GAIN = 0.015


def tank_lengths(rate: int, room: float, side: int) -> tuple[list[int], list[int]]:
    """Lengths of the combs and of the all-passes for a room of size `room` (0 to 100), side 0 or 1."""
    scale, per_sample = 0.1 + 0.9 * room / 100, rate / 44100
    signs = [1 - 2 * (number % 2) for number in range(len(COMBS) + len(ALL_PASSES))]
    combs = [
        int(scale * per_sample * (length + side * SPREAD * sign) + 0.5)
        for length, sign in zip(COMBS, signs, strict=False)
    ]
    passes = [
        int(per_sample * (length + side * SPREAD * sign) + 0.5)
        for length, sign in zip(ALL_PASSES, signs[len(COMBS) :], strict=True)
    ]
    return [max(n, 1) for n in combs], [max(n, 1) for n in passes]


def feedback(reverberance: float) -> float:
    """Of the combs, for a reverberance from 0 to 100: 1 − 0.7 (0.02 / 0.7)^(r / 100)."""
    return 1 - 0.7 * (0.02 / 0.7) ** (reverberance / 100)


def _tank(
    sound: NDArray, combs: NDArray, passes: NDArray, back: float, damping: float, all_pass_back: float, out: NDArray
) -> None:
    """Adds to `out` what one side of the tank answers; filter by filter, so that each stays in the cache."""
    n_samples = len(sound)
    wet = np.zeros(n_samples, np.float32)
    buffer = np.zeros(max(combs.max(), passes.max()), np.float32)
    rest, tiny = np.float32(1 - damping), np.float32(1e-20)  # so that silence never becomes subnormal, which is slow
    for number in range(len(combs)):
        length = combs[number]
        buffer[:length] = 0
        stored = np.float32(0)
        for first in range(0, n_samples, length):  # nothing written in a round is read before the next one
            count = min(length, n_samples - first)
            for n in range(count):
                wet[first + n] += buffer[n]
            for n in range(count):
                stored = buffer[n] * rest + stored * np.float32(damping)
                buffer[n] = stored
            for n in range(count):
                buffer[n] = sound[first + n] + buffer[n] * np.float32(back) + tiny
    for number in range(len(passes) - 1, -1, -1):
        length = passes[number]
        buffer[:length] = 0
        for first in range(0, n_samples, length):
            for n in range(min(length, n_samples - first)):
                heard, dry = buffer[n], wet[first + n]
                buffer[n] = dry + heard * np.float32(all_pass_back) + tiny
                wet[first + n] = heard - dry
    for n in range(n_samples):
        out[n] += wet[n]


_tank_fast = compiled(_tank)


class Freeverb:
    """The reverb of SoX 14.4.2 (`reverb R D S`), its three numbers drawn as whole percents.

    A mono item gets the mean of both sides, as `channels 1` after the effect; of more channels the even ones get the
    left side of what all together send into the room, the odd ones the right side.

    Args:
        rate: Hz.
        low, high: of all three: reverberance, damping of the highs, size of the room.
        clamp: cut the result at ±1, as SoX does.
    """

    def __init__(self, rate: int, low: int = 0, high: int = 99, *, clamp: bool = True) -> None:
        check_range("reverb", (low, high), 0, 100)
        self.rate, self.low, self.high, self.clamp = rate, low, high, clamp

    def __call__(self, audio: Sound, generator: torch.Generator) -> Sound:
        """With its room."""
        drawn = integers(self.low, self.high, 3 * len(audio), generator).reshape(-1, 3)
        return self.apply(audio, drawn)

    def apply(self, audio: Sound, settings: torch.Tensor) -> Sound:
        """With (reverberance, damping, size) [batch, 3] of each item, in percent."""
        result = torch.empty_like(audio, device="cpu")
        sides = min(audio.shape[1], 2)
        for item, sound, (reverberance, damping, room) in zip(result, audio.cpu(), settings.tolist(), strict=True):
            sent = sound.mean(dim=0).contiguous().numpy()
            wet = np.zeros((sides, sound.shape[1]), np.float32)
            for side in range(2):
                combs, passes = tank_lengths(self.rate, room, side)
                _tank_fast(
                    sent,
                    np.array(combs),
                    np.array(passes),
                    feedback(reverberance),
                    0.2 + 0.3 * damping / 100,
                    ALL_PASS_FEEDBACK,
                    wet[side if sides == 2 else 0],
                )
            answer = torch.from_numpy(wet * np.float32(WET_GAIN if sides == 2 else WET_GAIN / 2))
            item.copy_(sound + answer[torch.arange(sound.shape[0]) % sides])
        return (result.clamp_(-1, 1) if self.clamp else result).to(audio.device)


class NoiseReverb:
    """Convolution with noise that dies away, as rooms answer: cheap, any length, no two rooms alike.

    Args:
        rate: Hz.
        seconds: range of the time in which the answer falls by 60 dB, uniform in its logarithm.
        wet: range of the level of the answer, whose energy is 1, beside the dry sound.
    """

    def __init__(
        self, rate: int, *, seconds: tuple[float, float] = (0.1, 2.0), wet: tuple[float, float] = (0.1, 0.7)
    ) -> None:
        self.rate, self.wet = rate, check_range("wet", wet, 0, 10)
        self.seconds = check_range("seconds", seconds, 0.01, 10)

    def __call__(self, audio: Sound, generator: torch.Generator) -> Sound:
        """With its room."""
        from scipy.fft import next_fast_len

        low, high = np.log(self.seconds).tolist()
        seconds = uniform(low, high, len(audio), generator).exp()
        wet = uniform(*self.wet, len(audio), generator)
        n_answer = min(int(float(seconds.max()) * self.rate), audio.shape[2])
        time = torch.arange(n_answer) / self.rate
        answer = torch.randn(len(audio), n_answer, generator=generator) * 10 ** (-3 * time / seconds[:, None])
        answer = answer / answer.square().sum(dim=1, keepdim=True).sqrt() * wet[:, None]
        size = next_fast_len(audio.shape[2] + n_answer, real=True)
        spectrum = torch.fft.rfft(audio, size) * torch.fft.rfft(answer.to(audio), size)[:, None]
        return audio + torch.fft.irfft(spectrum, size)[..., : audio.shape[2]]
