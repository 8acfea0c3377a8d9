"""The convolutional encoder and decoder of latent diffusion's autoencoders (Esser et al. 2021, arXiv 2012.09841)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from orchestrion.nn.image_blocks import Downsample, ResidualBlock, Upsample, convolution, doubled, halved, silu
from orchestrion.nn.spatial_attention import SpatialSelfAttention


class _Change(nn.Module):
    """Halves or doubles both axes; of "long" levels the first axis by four, with a kernel of five."""

    def __init__(self, channels: int, way: str, *, learned: bool, long: bool) -> None:
        super().__init__()
        self.way, self.long = way, long
        self.layer: nn.Module | None = None
        if learned and long:
            down = {"stride": (4, 2), "padding": 1} if way == "down" else {"padding": 2}
            self.layer = nn.Conv2d(channels, channels, 5, **down)  # type: ignore[arg-type]
        elif learned:
            self.layer = Downsample(channels, padding="end") if way == "down" else Upsample(channels)

    def forward(self, x: Tensor) -> Tensor:
        if not self.long:
            if self.layer is not None:
                return self.layer(x)
            return halved(x) if self.way == "down" else doubled(x)
        if self.way == "down":
            return (
                functional.avg_pool2d(x, (4, 2)) if self.layer is None else self.layer(functional.pad(x, (0, 1, 0, 1)))
            )
        x = functional.interpolate(x, scale_factor=(4.0, 2.0), mode="nearest")
        return x if self.layer is None else self.layer(x)


class _Level(nn.Module):
    """Residual blocks, attention after each where there is any, and the change of size that follows."""

    def __init__(self, blocks: Sequence[nn.Module], attention: Sequence[nn.Module], change: nn.Module | None) -> None:
        super().__init__()
        self.blocks, self.attention, self.change = nn.ModuleList(blocks), nn.ModuleList(attention), change

    def forward(self, x: Tensor) -> Tensor:
        for number, block in enumerate(self.blocks):
            x = block(x)
            if len(self.attention):
                x = self.attention[number](x)
        return x if self.change is None else self.change(x)


class _Coder(nn.Module):
    """What both directions share."""

    def __init__(self, groups: int, dropout: float) -> None:
        super().__init__()
        self._groups, self._dropout = groups, dropout

    def _block(self, into: int, out: int) -> ResidualBlock:
        sizes = {"groups": self._groups, "eps": 1e-6, "dropout": self._dropout}
        return ResidualBlock(in_channels=into, out_channels=out, **sizes)

    def _middle(self, count: int, attention: bool) -> nn.Sequential:
        attends = [SpatialSelfAttention(count, groups=self._groups)] if attention else []
        return nn.Sequential(self._block(count, count), *attends, self._block(count, count))


class ConvEncoder(_Coder):
    """Picture → features of 1 / 2^(levels − 1) its size.

    Args:
        in_channels, out_channels: of the picture and of the features.
        width: channels after the first convolution.
        channels: of each level, from the finest.
        blocks: residual blocks a level.
        attention_levels: whose blocks are each followed by attention.
        middle_attention: whether the middle attends.
        long_levels: those after which the first axis is divided by four instead of two.
        learned_resampling: convolutions rather than means.
        groups: of the norms, whose eps is 1e-6.
        dropout: in residual blocks.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        width: int = 128,
        channels: Sequence[int] = (128, 256, 512),
        blocks: int = 2,
        attention_levels: Sequence[int] = (),
        middle_attention: bool = True,
        long_levels: Sequence[int] = (),
        learned_resampling: bool = True,
        groups: int = 32,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(groups, dropout)
        self.first = convolution(in_channels, width, 3)
        levels, count = [], width
        for number, out in enumerate(channels):
            parts = [self._block(count if place == 0 else out, out) for place in range(blocks)]
            attends = [SpatialSelfAttention(out, groups=groups) for _ in parts] if number in attention_levels else []
            last = number == len(channels) - 1
            change = _Change(out, "down", learned=learned_resampling, long=number in long_levels)
            levels.append(_Level(parts, attends, None if last else change))
            count = out
        self.levels = nn.ModuleList(levels)
        self.middle = self._middle(count, middle_attention)
        self.norm = nn.GroupNorm(groups, count, 1e-6)
        self.last = convolution(count, out_channels, 3)

    def forward(self, x: Float[Tensor, "batch in_channels height width"]) -> Float[Tensor, "batch out_channels h w"]:
        x = self.first(x.contiguous(memory_format=torch.channels_last))
        for level in self.levels:
            x = level(x)
        return self.last(silu(self.norm(self.middle(x))))


class ConvDecoder(_Coder):
    """Features → picture; the arguments are those of `ConvEncoder`, with one residual block more a level.

    Args:
        bounded: whether the picture goes through tanh.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        channels: Sequence[int] = (128, 256, 512),
        blocks: int = 2,
        attention_levels: Sequence[int] = (),
        middle_attention: bool = True,
        long_levels: Sequence[int] = (),
        learned_resampling: bool = True,
        groups: int = 32,
        dropout: float = 0.0,
        bounded: bool = False,
    ) -> None:
        super().__init__(groups, dropout)
        count = channels[-1]
        self.bounded = bounded
        self.first = convolution(in_channels, count, 3)
        self.middle = self._middle(count, middle_attention)
        levels = []
        for number, out in reversed(list(enumerate(channels))):
            parts = [self._block(count if place == 0 else out, out) for place in range(blocks + 1)]
            attends = [SpatialSelfAttention(out, groups=groups) for _ in parts] if number in attention_levels else []
            change = _Change(out, "up", learned=learned_resampling, long=number - 1 in long_levels)
            levels.append(_Level(parts, attends, change if number else None))
            count = out
        self.levels = nn.ModuleList(levels)
        self.norm = nn.GroupNorm(groups, count, 1e-6)
        self.last = convolution(count, out_channels, 3)

    def forward(self, x: Float[Tensor, "batch in_channels h w"]) -> Float[Tensor, "batch out_channels height width"]:
        x = self.middle(self.first(x.contiguous(memory_format=torch.channels_last)))
        for level in self.levels:
            x = level(x)
        return self.finish(silu(self.norm(x)))

    def finish(self, features: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch out height width"]:
        """The last convolution alone."""
        x = self.last(features)
        return x.tanh() if self.bounded else x
