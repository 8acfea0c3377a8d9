"""One echo."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from orchestrion.data.augment.chain import Sound
from orchestrion.errors import OptionError


class Delay:
    """y = (x + factor · x delayed) / 2: one echo, and the dry sound at half its level (torchaudio-augmentations).

    Args:
        rate: Hz.
        milliseconds: delays to draw from.
        factor: level of the echo.
    """

    def __init__(
        self, rate: int, *, milliseconds: Sequence[float] = (200, 250, 300, 350, 400, 450), factor: float = 0.5
    ) -> None:
        if not milliseconds or min(milliseconds) < 0:
            raise OptionError(f"The delays {list(milliseconds)} ms are not all 0 or longer; give some that are.")
        self.rate, self.milliseconds, self.factor = rate, tuple(milliseconds), factor

    def __call__(self, audio: Sound, generator: torch.Generator) -> Sound:
        """With an echo."""
        drawn = torch.randint(len(self.milliseconds), (len(audio),), generator=generator)
        return self.apply(audio, torch.tensor(self.milliseconds, dtype=torch.float64)[drawn])

    def apply(self, audio: Sound, milliseconds: Tensor) -> Sound:
        """With the delay [batch] of each item, in milliseconds."""
        result = audio * 0.5
        for item, dry, delay in zip(result, audio, milliseconds.tolist(), strict=True):
            n_late = int(delay * self.rate / 1000)
            if n_late < audio.shape[2]:
                item[:, n_late:].add_(dry[:, : audio.shape[2] - n_late], alpha=self.factor / 2)
        return result
