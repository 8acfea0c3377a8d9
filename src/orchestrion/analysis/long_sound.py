"""Hearing sound of any length window by window, as if it were heard at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


@torch.inference_mode()
def in_windows(
    hear: Callable[[Tensor], Tensor],
    samples: Float[np.ndarray, " samples"],
    *,
    hop_length: int,
    step: int = 1 << 20,
    margin: int = 1 << 18,
) -> Float[np.ndarray, "outputs frames"]:
    """What `hear` ([1, samples] → [1, outputs, frames], a frame centred on every hop) gives, in constant memory.

    Where a frame depends on no more than `margin` samples at each side, the result is that of hearing all at once.

    Args:
        hop_length: samples from frame to frame.
        step: samples by which windows follow each other, rounded down to whole frames.
        margin: samples at each side that are heard besides, and left to the neighbouring windows.
    """
    step = max(step // hop_length, 1) * hop_length
    margin = -(-margin // hop_length) * hop_length
    frames = len(samples) // hop_length + 1
    parts: list[np.ndarray] = []
    start, done = 0, 0
    while done < frames:
        begin = max(start - margin, 0)
        end = min(start + step + margin, len(samples))
        heard = hear(torch.from_numpy(samples[begin:end])[None])[0].numpy()
        stop = frames if end == len(samples) else (start + step) // hop_length
        parts.append(heard[:, done - begin // hop_length : stop - begin // hop_length])
        done, start = stop, start + step
    return np.concatenate(parts, axis=1)
