"""A compressor."""

from __future__ import annotations

import numpy as np
import torch

from orchestrion.data.augment.chain import Sound, check_range, uniform


class Compand:
    """Softens what is louder than a threshold, with a smooth gain; the peak of each item stays.

    The level is the larger of two one-pole followers of |x|, one for rising and one for falling sound; above the
    threshold it rises by 1 / ratio dB a dB.

    Args:
        rate: Hz.
        threshold_db: range, in dB below full scale.
        ratio: range.
        attack, release: time constants in seconds.
    """

    def __init__(
        self,
        rate: int,
        *,
        threshold_db: tuple[float, float] = (-40.0, -10.0),
        ratio: tuple[float, float] = (1.5, 6.0),
        attack: float = 0.005,
        release: float = 0.1,
    ) -> None:
        self.rate = rate
        self.threshold_db = check_range("threshold", threshold_db, -90, 0)
        self.ratio = check_range("ratio", ratio, 1, 100)
        self.attack, self.release = attack, release

    def __call__(self, audio: Sound, generator: torch.Generator) -> Sound:
        """Compressed."""
        return self.apply(
            audio, uniform(*self.threshold_db, len(audio), generator), uniform(*self.ratio, len(audio), generator)
        )

    def apply(self, audio: Sound, threshold_db: torch.Tensor, ratio: torch.Tensor) -> Sound:
        """With the threshold in dB and the ratio of each item, [batch] each."""
        from scipy.signal import lfilter

        size = audio.abs().amax(dim=1).cpu().numpy()
        level = np.zeros_like(size)
        for seconds in (self.attack, self.release):
            keep = np.float32(np.exp(-1 / (seconds * self.rate)))
            follower = lfilter(np.array([1 - keep], np.float32), np.array([1, -keep], np.float32), size, axis=-1)
            np.maximum(level, np.asarray(follower, np.float32), out=level)
        level_db = 20 * torch.log10(torch.from_numpy(level).clamp(min=1e-6))
        over = (level_db - threshold_db[:, None]).clamp(min=0)
        gain = 10 ** (-over * (1 - 1 / ratio[:, None]) / 20)
        softer = audio * gain[:, None].to(audio)
        before, after = audio.abs().amax(dim=(1, 2)), softer.abs().amax(dim=(1, 2))
        return softer * (before / after.clamp(min=1e-9))[:, None, None]
