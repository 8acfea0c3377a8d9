"""Brings a sound that comes in blocks to another rate, in constant memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from jaxtyping import Float

from orchestrion.errors import InputError
from orchestrion.media.audio import Audio


def resampled(blocks: Iterable[Audio], rate: int) -> Iterator[Float[np.ndarray, "channels samples"]]:
    """The samples of blocks at `rate` Hz (soxr, high quality; the joints between blocks are not heard).

    Raises:
        InputError: blocks differ in rate or channels, or hold samples that are no numbers.
    """
    import soxr

    stream: soxr.ResampleStream | None = None
    first: Audio | None = None
    for block in blocks:
        first = first or block
        if (block.rate, block.n_channels) != (first.rate, first.n_channels):
            raise InputError("The blocks of the sound differ in rate or number of channels; convert it first.")
        if not np.isfinite(block.samples).all():
            raise InputError("The sound holds samples that are no numbers; export it again.")
        if block.rate == rate:
            yield block.samples
            continue
        stream = stream or soxr.ResampleStream(block.rate, rate, block.n_channels, dtype="float32", quality="HQ")
        made = stream.resample_chunk(np.ascontiguousarray(block.samples.T))
        if len(made):
            yield np.ascontiguousarray(made.reshape(-1, block.n_channels).T)
    if stream is not None and first is not None:
        rest = stream.resample_chunk(np.zeros((0, first.n_channels), np.float32), last=True)
        if len(rest):
            yield np.ascontiguousarray(rest.reshape(-1, first.n_channels).T)
