"""A hole in a sound is bridged by what lies around it, and what was made is laid in without a click."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from orchestrion.errors import OptionError

FADE_SECONDS = 0.02
Samples = Float[np.ndarray, "channels samples"]


def bridged(samples: Samples, first: int, last: int) -> Samples:
    """The sound with its neighbours, mirrored at the edges, in the place of the samples [first, last): the first half
    of the hole from before, the second from behind, all of it from one side where nothing lies on the other.

    What was in the hole is of no account.

    Raises:
        OptionError: the hole is empty, lies outside the sound, or leaves nothing of it.
    """
    total = samples.shape[1]
    if not 0 <= first < last <= total or last - first == total:
        raise OptionError("The part to be made is empty, lies outside the sound, or is all of it.")
    before, after = samples[:, :first], samples[:, last:]
    length = last - first
    middle = length if last == total else 0 if first == 0 else length // 2
    left, right = before[:, :0], after[:, :0]
    if middle:
        left = np.pad(before, ((0, 0), (0, middle)), mode="symmetric")[:, first:]
    if middle < length:
        right = np.pad(after, ((0, 0), (length - middle, 0)), mode="symmetric")[:, : length - middle]
    return np.concatenate([before, left, right, after], axis=1)


def laid_in(samples: Samples, made: Samples, first: int, *, fade: int) -> Samples:
    """A sound with `made` in the place of its samples from `first` on; all others stay as they are, bit by bit.

    At an edge to sound that is kept, what was made comes in over `fade` samples of its own (sine), while the kept
    sound, mirrored at the edge, goes out (cosine): of equal power, as the two know nothing of each other.
    """
    length = made.shape[1]
    last = first + length
    bridge = bridged(samples, first, last)
    share = np.ones(length)
    fade = min(fade, length // 2)
    rise = (np.arange(fade) + 0.5) / max(fade, 1)
    if first > 0:
        share[:fade] = rise
    if last < samples.shape[1]:
        share[length - fade :] = rise[::-1]
    ours, theirs = np.sin(np.pi / 2 * share), np.cos(np.pi / 2 * share)
    result = bridge.copy()
    result[:, first:last] = (made * ours + bridge[:, first:last] * np.where(share < 1, theirs, 0)).astype(np.float32)
    return result
