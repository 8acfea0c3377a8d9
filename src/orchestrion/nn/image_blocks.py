"""Blocks of convolutional networks over pictures and spectrograms: residual blocks, halving and doubling.

They are those of the U-Nets of diffusion (Dhariwal & Nichol 2021, arXiv 2105.05233) and of the autoencoders of latent
diffusion (Rombach et al. 2022, arXiv 2112.10752). Where gradients are not wanted, work is saved that training needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from orchestrion.nn.activations import add_in_place
from orchestrion.nn.planar_convolution import Convolution2d

Layer = TypeVar("Layer", bound=nn.Module)


def convolution(
    in_channels: int, out_channels: int, kernel: int, *, dims: int = 2, stride: int | Sequence[int] = 1
) -> nn.Conv2d | nn.Conv3d:
    """A convolution over two or three axes that keeps their lengths, but for its stride."""
    kind = {2: Convolution2d, 3: nn.Conv3d}[dims]
    return kind(in_channels, out_channels, kernel, stride=stride, padding=kernel // 2)  # type: ignore[arg-type]


def zeroed(layer: Layer) -> Layer:
    """The layer with all its weights 0, so that a block begins as the identity."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def silu(x: Tensor) -> Tensor:
    """x · sigmoid(x); in place where no gradient is wanted, so `x` must be nobody else's."""
    return functional.silu(x, inplace=not torch.is_grad_enabled())


class ResidualBlock(nn.Module):
    """Norm, SiLU, convolution; the embedding is added (or scales and shifts); norm, SiLU, convolution; plus the input.

    Args:
        in_channels, out_channels: where they differ, a 1 × 1 convolution takes the input past.
        embedding: width of the vector that is taken in, of time and condition; None: there is none.
        scale_shift: whether it scales and shifts the second norm instead of being added before it.
        groups, eps: of the group norms.
        dropout: before the last convolution.
        kernel: of the convolutions.
        resample: "down" halves, "up" doubles the axes on both ways, without weights; None keeps them.
        dims: axes, 2 or 3; of three the first keeps its length.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        embedding: int | None = None,
        scale_shift: bool = False,
        groups: int = 32,
        eps: float = 1e-5,
        dropout: float = 0.0,
        kernel: int = 3,
        resample: str | None = None,
        dims: int = 2,
    ) -> None:
        super().__init__()
        if resample not in (None, "down", "up"):
            raise ValueError(f"resample is {resample!r}; it must be 'down', 'up' or None")
        self.scale_shift, self.resample, self.dims = scale_shift, resample, dims
        self.norm_in = nn.GroupNorm(groups, in_channels, eps)
        self.conv_in = convolution(in_channels, out_channels, kernel, dims=dims)
        self.embed = nn.Linear(embedding, out_channels * (1 + scale_shift)) if embedding is not None else None
        self.norm_out = nn.GroupNorm(groups, out_channels, eps)
        self.dropout = nn.Dropout(dropout)
        self.conv_out = convolution(out_channels, out_channels, kernel, dims=dims)
        self.skip = convolution(in_channels, out_channels, 1, dims=dims) if in_channels != out_channels else None

    def forward(
        self, x: Float[Tensor, "batch in_channels *axes"], embedded: Float[Tensor, "batch embedding"] | None = None
    ) -> Float[Tensor, "batch out_channels *new_axes"]:
        """`embedded` is the vector after its SiLU, which all blocks of a network share.

        Raises:
            ValueError: a vector is missing, or given to a block that takes none.
        """
        h = silu(self.norm_in(x))
        if self.resample is not None:
            h, x = self._resampled(h), self._resampled(x)
        h = self.conv_in(h)
        if (self.embed is None) != (embedded is None):
            raise ValueError("the block takes no vector" if self.embed is None else "the block needs a vector")
        if self.embed is None:
            h = self.norm_out(h)
        else:
            vector = self.embed(embedded).view(len(h), -1, *[1] * self.dims).to(h.dtype)
            if self.scale_shift:
                scale, shift = vector.chunk(2, dim=1)
                h = self.norm_out(h) * (1 + scale) + shift
            else:
                h = self.norm_out(h + vector if torch.is_grad_enabled() else h.add_(vector))
        h = self.conv_out(self.dropout(silu(h)))
        past = x if self.skip is None else self.skip(x)
        return add_in_place(h, past)

    def _resampled(self, x: Tensor) -> Tensor:
        return halved(x, self.dims) if self.resample == "down" else doubled(x, self.dims)


def halved(x: Tensor, dims: int = 2) -> Tensor:
    """The last two axes at half their length, by means."""
    return functional.avg_pool2d(x, 2) if dims == 2 else functional.avg_pool3d(x, (1, 2, 2))


def doubled(x: Tensor, dims: int = 2) -> Tensor:
    """The last two axes at double their length, by repetition."""
    return functional.interpolate(x, scale_factor=(1.0,) * (dims - 2) + (2.0, 2.0), mode="nearest")


class Downsample(nn.Module):
    """Halves the last two axes with a convolution of stride 2.

    Args:
        padding: "both" pads an element on each side, "end" only at the end, as autoencoders of latent diffusion do.
    """

    def __init__(self, channels: int, *, padding: str = "both", kernel: int = 3, dims: int = 2) -> None:
        super().__init__()
        if padding not in ("both", "end"):
            raise ValueError(f"padding is {padding!r}; it must be 'both' or 'end'")
        self.conv = convolution(channels, channels, kernel, dims=dims, stride=(1,) * (dims - 2) + (2, 2))
        self.at_end = padding == "end"
        if self.at_end:
            self.conv.padding = (0,) * dims

    def forward(self, x: Float[Tensor, "batch channels *axes"]) -> Float[Tensor, "batch channels *half_axes"]:
        """Odd lengths are rounded up, or with padding at the end alone down."""
        return self.conv(functional.pad(x, (0, 1, 0, 1)) if self.at_end else x)


class Upsample(nn.Module):
    """Doubles the last two axes by repetition, then a convolution."""

    def __init__(self, channels: int, *, kernel: int = 3, dims: int = 2) -> None:
        super().__init__()
        self.conv = convolution(channels, channels, kernel, dims=dims)
        self.dims = dims

    def forward(self, x: Float[Tensor, "batch channels *axes"]) -> Float[Tensor, "batch channels *double_axes"]:
        return self.conv(doubled(x, self.dims))
