"""From mel spectrograms to sound: HiFi-GAN's generator (Kong et al. 2020, arXiv 2010.05646)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


def _convolve(x: Tensor, layer: nn.Conv1d) -> Tensor:
    """A convolution over the last axis of [batch, channels, 1, time], whose channels lie last in memory: with few
    channels this is up to twice as fast on a CPU as over [batch, channels, time]."""
    padding, dilation = (0, int(layer.padding[0])), (1, layer.dilation[0])
    return functional.conv2d(x, layer.weight[:, :, None], layer.bias, padding=padding, dilation=dilation)


def _leaky(x: Tensor, slope: float, *, fresh: bool = False) -> Tensor:
    return functional.leaky_relu(x, slope, inplace=fresh and not torch.is_grad_enabled())


class ResidualStack(nn.Module):
    """Pairs of convolutions, the first of each dilated, each pair with its input added."""

    def __init__(self, channels: int, *, kernel: int, dilations: Sequence[int], slope: float) -> None:
        super().__init__()
        self.slope = slope
        self.dilated = nn.ModuleList(
            nn.Conv1d(channels, channels, kernel, dilation=dilation, padding=(kernel - 1) * dilation // 2)
            for dilation in dilations
        )
        self.plain = nn.ModuleList(nn.Conv1d(channels, channels, kernel, padding=(kernel - 1) // 2) for _ in dilations)

    def forward(self, x: Float[Tensor, "batch channels 1 time"]) -> Float[Tensor, "batch channels 1 time"]:
        for dilated, plain in zip(self.dilated, self.plain, strict=True):
            h = _convolve(_leaky(x, self.slope), dilated)  # type: ignore[arg-type]
            h = _convolve(_leaky(h, self.slope, fresh=True), plain)  # type: ignore[arg-type]
            x = x + h if torch.is_grad_enabled() else h.add_(x)
        return x


class HiFiGan(nn.Module):
    """Mel frames → samples, `hop_length` of them a frame. Weight norm of published files is folded when they are read.

    Args:
        n_mels: bands.
        channels: after the first convolution; halved by each upsampling.
        rates, kernels: of the transposed convolutions. Where kernel − rate is odd, a stage gives one sample more.
        residual_kernels, dilations: of the residual stacks of each stage, whose mean is taken.
        slope: of the leaky ReLUs.
        last_slope: of the one before the last convolution, which the published code leaves at torch's 0.01.
        normalize: whether frames are normalised by stored means and scales first.
    """

    def __init__(
        self,
        *,
        n_mels: int = 64,
        channels: int = 1024,
        rates: Sequence[int] = (5, 4, 2, 2, 2),
        kernels: Sequence[int] = (16, 16, 8, 4, 4),
        residual_kernels: Sequence[int] = (3, 7, 11),
        dilations: Sequence[Sequence[int]] = ((1, 3, 5), (1, 3, 5), (1, 3, 5)),
        slope: float = 0.1,
        last_slope: float = 0.01,
        normalize: bool = False,
    ) -> None:
        super().__init__()
        self.hop_length = math.prod(rates)
        self.slope, self.last_slope = slope, last_slope
        if normalize:
            self.register_buffer("mean", torch.zeros(n_mels))
            self.register_buffer("scale", torch.ones(n_mels))
        self.normalize = normalize
        self.first = nn.Conv1d(n_mels, channels, 7, padding=3)
        self.up, self.stacks = nn.ModuleList(), nn.ModuleList()
        count = channels
        for rate, kernel in zip(rates, kernels, strict=True):
            self.up.append(nn.ConvTranspose1d(count, count // 2, kernel, rate, padding=(kernel - rate) // 2))
            count //= 2
            self.stacks.append(
                nn.ModuleList(
                    ResidualStack(count, kernel=size, dilations=spread, slope=slope)
                    for size, spread in zip(residual_kernels, dilations, strict=True)
                )
            )
        self.last = nn.Conv1d(count, 1, 7, padding=3)

    def forward(self, mel: Float[Tensor, "batch n_mels frames"]) -> Float[Tensor, "batch samples"]:
        """Samples in (-1, 1), frames · hop_length of them and those that odd stages add."""
        return self.raw(mel).tanh()

    def raw(self, mel: Float[Tensor, "batch n_mels frames"]) -> Float[Tensor, "batch samples"]:
        """Samples before tanh."""
        if self.normalize:
            mean, scale = self.get_buffer("mean"), self.get_buffer("scale")
            mel = (mel - mean[:, None]) / scale[:, None]
        x = _convolve(mel[:, :, None].contiguous(memory_format=torch.channels_last), self.first)
        for up, stacks in zip(self.up, self.stacks, strict=True):
            x = self.upsample(_leaky(x, self.slope, fresh=True), up)  # type: ignore[arg-type]
            outs = [stack(x) for stack in stacks]  # type: ignore[union-attr]
            total = outs[0]
            for out in outs[1:]:
                total = total + out if torch.is_grad_enabled() else total.add_(out)
            x = total / len(outs)
        return _convolve(_leaky(x, self.last_slope, fresh=True), self.last)[:, 0, 0]

    @staticmethod
    def upsample(x: Float[Tensor, "batch channels 1 time"], layer: nn.ConvTranspose1d) -> Tensor:
        """A transposed convolution over the last axis."""
        stride, padding = (1, layer.stride[0]), (0, int(layer.padding[0]))
        return functional.conv_transpose2d(x, layer.weight[:, :, None], layer.bias, stride=stride, padding=padding)
