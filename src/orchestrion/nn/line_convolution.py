"""One-dimensional convolutions as matrix products, for blocks of a stream on a CPU.

Blocks are short, and the library's convolutions make ready for each as for long ones: over a few dozen frames of many
channels they take up to three times as long as the products themselves.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

GATHERED = 1 << 17  # numbers up to which all taps of a block are gathered for one product,
FEW_CHANNELS = 32  # and channels up to which they always are, since products of so few are slow;
FEWEST_FRAMES = 256  # more numbers are gathered in several parts, which fit the cache, but of no fewer frames


def tap_kernels(weight: Float[Tensor, "out channels taps"]) -> Float[Tensor, "out taps channels"]:
    """A kernel as `line_convolution` takes it."""
    return weight.transpose(1, 2).contiguous()


def line_convolution(
    x: Float[Tensor, "batch channels time"],
    kernels: Float[Tensor, "out taps channels"],
    bias: Float[Tensor, " out"] | None = None,
    *,
    stride: int = 1,
    dilation: int = 1,
) -> Float[Tensor, "batch out frames"]:
    """A convolution without padding.

    Args:
        kernels: of `tap_kernels`.
    """
    out, taps, channels = kernels.shape
    frames = (x.shape[-1] - (taps - 1) * dilation - 1) // stride + 1
    made = x.new_empty(len(x), out, frames)
    for row, place in zip(x.unbind(), made.unbind(), strict=True):
        if taps > 1 and (stride > 1 or channels <= FEW_CHANNELS or taps * channels * frames <= GATHERED):
            steps = (row.stride(1) * dilation, row.stride(0), row.stride(1) * stride)
            gathered = row.as_strided((taps, channels, frames), steps)
            size = max(GATHERED // (taps * channels), FEWEST_FRAMES)
            for part, into in zip(gathered.split(size, -1), place.split(size, -1), strict=True):
                torch.mm(kernels.flatten(1), part.reshape(taps * channels, -1), out=into)
            continue
        torch.mm(kernels[:, 0], row[:, ::stride][:, :frames], out=place)
        for tap in range(1, taps):
            place.addmm_(kernels[:, tap], row[:, tap * dilation : tap * dilation + frames])
    return made if bias is None else made.add_(bias[:, None])


def phase_kernels(
    weight: Float[Tensor, "channels out taps"], stride: int
) -> Float[Tensor, "out parts_stride channels"]:
    """A kernel as `line_transposed` takes it: filled up with zeros to `parts` times the stride."""
    lacking = -weight.shape[2] % stride
    filled = torch.nn.functional.pad(weight, (0, lacking)) if lacking else weight
    return filled.permute(1, 2, 0).contiguous()


def line_transposed(
    x: Float[Tensor, "batch channels frames"],
    kernels: Float[Tensor, "out parts_stride channels"],
    *,
    stride: int,
) -> Float[Tensor, "batch out time"]:
    """A transposed convolution without padding; the last frames are as many as the filled up kernel gives.

    Args:
        kernels: of `phase_kernels`.
    """
    batch, _, frames = x.shape
    out, wide, _ = kernels.shape
    parts = wide // stride
    made = x.new_empty(batch, out, frames + parts - 1, stride)
    for row, place in zip(x.unbind(), made.unbind(), strict=True):
        products = torch.mm(kernels.flatten(0, 1), row).view(out, parts, stride, frames).transpose(2, 3)
        place[:, :frames] = products[:, 0]
        place[:, frames:] = 0
        for part in range(1, parts):
            place[:, part : part + frames] += products[:, part]
    return made.flatten(2)
