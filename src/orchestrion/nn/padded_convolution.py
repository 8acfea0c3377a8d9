"""Convolutions that pad so that every sample counts, as EnCodec's SEANet has them (arXiv 2210.13438, section 3.1)."""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from orchestrion.errors import OptionError
from orchestrion.nn.convolution import normalised

NORMS = ("weight_norm", "time_group_norm", "none")


def pad_signal(
    x: Float[Tensor, "batch channels time"], left: int, right: int, *, mode: str = "reflect"
) -> Float[Tensor, "batch channels padded"]:
    """Padding also by reflections that are longer than the signal, to which zeros are added first."""
    if mode != "reflect":
        return functional.pad(x, (left, right), mode)
    short = max(max(left, right) - x.shape[-1] + 1, 0)
    padded = functional.pad(functional.pad(x, (0, short)), (left, right), mode)
    return padded[..., : padded.shape[-1] - short]


def _norm(kind: str, channels: int, *, eps: float, affine: bool) -> nn.Module:
    if kind not in NORMS:
        raise OptionError(f"There is no normalisation {kind!r} of convolutions; choose one of {', '.join(NORMS)}.")
    return nn.GroupNorm(1, channels, eps=eps, affine=affine) if kind == "time_group_norm" else nn.Identity()


class PaddedConv1d(nn.Module):
    """A convolution that gives ⌈time / stride⌉ frames: padded by kernel − stride and by what fills the last window.

    Args:
        causal: all padding is on the left, but for what fills the last window; otherwise it is on both sides.
        norm: weight_norm, time_group_norm (over all channels and the whole time), or none.
        norm_eps, norm_affine: of time_group_norm, what is added to the variance; whether gains and shifts are learned.
        pad_mode: as of torch's `pad`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        bias: bool = True,
        causal: bool = False,
        norm: str = "weight_norm",
        norm_eps: float = 1e-5,
        norm_affine: bool = True,
        pad_mode: str = "reflect",
    ) -> None:
        super().__init__()
        if causal and norm == "time_group_norm":
            raise OptionError("A norm over the whole time is not causal; take weight_norm or none.")
        conv = nn.Conv1d(in_channels, out_channels, kernel_size, stride, dilation=dilation, bias=bias)
        self.conv = normalised(conv, weight_norm_=norm == "weight_norm")
        self.norm = _norm(norm, out_channels, eps=norm_eps, affine=norm_affine)
        self.reach, self.stride = (kernel_size - 1) * dilation + 1, stride
        self.causal, self.pad_mode = causal, pad_mode

    def forward(self, x: Float[Tensor, "batch channels time"]) -> Float[Tensor, "batch out frames"]:
        total = self.reach - self.stride
        frames = math.ceil((x.shape[-1] - self.reach + total) / self.stride) + 1
        extra = (frames - 1) * self.stride + self.reach - total - x.shape[-1]
        right = 0 if self.causal else total // 2
        return self.norm(self.conv(pad_signal(x, total - right, right + extra, mode=self.pad_mode)))


class PaddedConvTranspose1d(nn.Module):
    """A transposed convolution that gives `stride` samples a frame: what is more is cut off.

    Args:
        causal: a share of `trim_right` is cut on the right, the rest on the left; otherwise half on each side.
        norm, norm_eps, norm_affine: as of `PaddedConv1d`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int,
        causal: bool = False,
        norm: str = "weight_norm",
        norm_eps: float = 1e-5,
        norm_affine: bool = True,
        trim_right: float = 1.0,
    ) -> None:
        super().__init__()
        if causal and norm == "time_group_norm":
            raise OptionError("A norm over the whole time is not causal; take weight_norm or none.")
        conv = nn.ConvTranspose1d(in_channels, out_channels, kernel_size, stride)
        self.conv = normalised(conv, weight_norm_=norm == "weight_norm")
        self.norm = _norm(norm, out_channels, eps=norm_eps, affine=norm_affine)
        whole, self.causal = kernel_size - stride, causal
        self.right = math.ceil(whole * trim_right) if causal else whole // 2
        self.left = whole - self.right

    def forward(self, x: Float[Tensor, "batch channels frames"]) -> Float[Tensor, "batch out time"]:
        y = self.norm(self.conv(x))
        return y[..., self.left : y.shape[-1] - self.right]


class Shortcut(nn.Module):
    """shortcut(x) + body(x).

    Args:
        body, shortcut: from so many channels to as many.
    """

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Float[Tensor, "batch channels time"]) -> Float[Tensor, "batch channels time"]:
        return self.shortcut(x) + self.body(x)


class ResidualLSTM(nn.Module):
    """x + LSTM(x) over time.

    Args:
        channels: in and out.
        layers: of the LSTM.
    """

    def __init__(self, channels: int, layers: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(channels, channels, layers)

    def forward(self, x: Float[Tensor, "batch channels time"]) -> Float[Tensor, "batch channels time"]:
        return x + self.lstm(x.permute(2, 0, 1))[0].permute(1, 2, 0)
