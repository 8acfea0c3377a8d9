"""Windows of equal length over a sound that comes in blocks, at constant memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from orchestrion.media.audio import Audio


@dataclass(frozen=True, slots=True)
class Windows:
    """Some windows that follow each other.

    Attributes:
        samples: mono.
        first: number of the first of them in the sound.
        padded: whether the sound was shorter than a window and zeros were added.
        done: seconds of the sound that were read so far.
    """

    samples: Float[np.ndarray, "windows samples"]
    first: int
    padded: bool
    done: float


def audio_windows(
    blocks: Iterable[Audio], *, rate: int, window: int, hop: int | None = None, batch: int = 16
) -> Iterator[Windows]:
    """All whole windows of a sound. What is left at the end and fills no window is dropped; a sound that is shorter
    than one window is padded with zeros to one.

    Args:
        blocks: the sound piece by piece, at one rate; channels are mixed to one.
        rate: Hz that it is brought to (soxr, high quality; the joints between blocks are not heard).
        window, hop: samples at `rate`; windows follow each other without overlap by default.
        batch: windows in one result, at most.

    Raises:
        ValueError: a number is not positive.
    """
    hop = window if hop is None else hop
    if min(rate, window, hop, batch) < 1:
        raise ValueError("rate, window, hop and batch must be positive")
    held, number, done = np.zeros(0, np.float32), 0, 0.0
    skip = 0  # samples to pass over first, where the hop is longer than the window
    for samples, seconds in _resampled(blocks, rate):
        done = seconds
        held = np.concatenate([held, samples])
        dropped = min(skip, len(held))
        held, skip = held[dropped:], skip - dropped
        while len(held) >= window:
            count = min((len(held) - window) // hop + 1, batch)
            view = np.lib.stride_tricks.sliding_window_view(held, window)[::hop][:count]
            yield Windows(np.ascontiguousarray(view), number, False, done)
            number += count
            skip = max(count * hop - len(held), 0)
            held = held[count * hop :]
    if number == 0:
        padded = np.zeros((1, window), np.float32)
        padded[0, : len(held)] = held
        yield Windows(padded, 0, True, done)


def split_windows(
    samples: Float[np.ndarray, " samples"], window: int, *, hop: int | None = None, quirks: str = "none"
) -> Float[np.ndarray, "windows samples"]:
    """The whole windows of a sound in memory; none if it is shorter than one.

    Args:
        quirks: "official" drops the last chunk even when it is whole, as CLMR's published evaluation does.

    Raises:
        ValueError: `quirks` is unknown.
    """
    if quirks not in ("none", "official"):
        raise ValueError(f"quirks is {quirks!r}; it must be 'none' or 'official'")
    hop = window if hop is None else hop
    if quirks == "official":
        samples = samples[: max(-(-len(samples) // window) - 1, 0) * window]
    if len(samples) < window:
        return np.zeros((0, window), np.float32)
    return np.lib.stride_tricks.sliding_window_view(samples, window)[::hop].copy()


def _resampled(blocks: Iterable[Audio], rate: int) -> Iterator[tuple[np.ndarray, float]]:
    """Mono samples at `rate`, and seconds read so far."""
    import soxr

    stream, seconds = None, 0.0
    held: Audio | None = None
    for block in blocks:
        seconds += block.seconds
        mono = block.mono()
        if mono.rate == rate:
            yield mono.samples[0], seconds
            continue
        if stream is None:
            stream = soxr.ResampleStream(mono.rate, rate, 1, dtype="float32", quality="HQ")
        if held is not None:
            yield stream.resample_chunk(held.samples[0]), seconds - block.seconds
        held = mono
    if stream is not None and held is not None:
        yield stream.resample_chunk(held.samples[0], last=True), seconds
