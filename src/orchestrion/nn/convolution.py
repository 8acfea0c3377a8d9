"""One-dimensional convolutions that know their padding on either side, and can so be turned into streams."""

from __future__ import annotations

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from orchestrion.errors import OptionError
from orchestrion.nn.derived import Derived
from orchestrion.nn.line_convolution import phase_kernels, tap_kernels

PADDINGS = ("centred", "causal", "anticausal")


def same_padding(kernel_size: int, *, dilation: int = 1, padding: str = "centred") -> tuple[int, int]:
    """Zeros on the left and on the right after which a convolution of stride s gives ceil(time / s) frames.

    Args:
        padding: "centred" sees as much future as past (one frame more for even kernels), "causal" no future,
            "anticausal" no past.

    Raises:
        OptionError: there is no such padding.
    """
    whole = (kernel_size - 1) * dilation
    if padding not in PADDINGS:
        raise OptionError(f"There is no padding {padding!r}; choose one of {', '.join(PADDINGS)}.")
    right = {"centred": (whole + 1) // 2, "causal": 0, "anticausal": whole}[padding]
    return whole - right, right


def delayed_frames(reach: int, stride: int, late: int, left: int) -> tuple[int, int]:
    """By how many frames the output of a streaming convolution must be late, and how many frames it must remember
    (below 0: how many it must pass over, where the stride is longer than the kernel).

    Output m needs the input up to frame m·stride − left + reach − 1; when a block of `stride` frames has come, the
    newest frame of an input that is late by `late` frames has the number (block + 1)·stride − 1 − late.

    Args:
        reach: (kernel_size − 1)·dilation + 1.
        left: zeros on the left.
    """
    out = -((reach - stride - left + late) // -stride)  # rounded up
    out = max(out, 0)
    return out, out * stride + left - late


class Conv1d(nn.Conv1d):
    """A convolution with its own padding on either side.

    Args:
        padding: zeros on the left and on the right; one of `PADDINGS` for as many as `same_padding` says.

    Attributes:
        knows_delay: whether it takes the delay before it into account in a stream that is as published.
    """

    knows_delay: bool = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
        padding: str | tuple[int, int] = "centred",
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride=stride, dilation=dilation, groups=groups, bias=bias
        )
        if isinstance(padding, str):
            padding = same_padding(kernel_size, dilation=dilation, padding=padding)
        self.pads = tuple(padding)
        self._settled = Derived()

    def settled_weight(self) -> Float[Tensor, "out channels taps"]:
        """The weight as `line_convolution` wants it in memory, without gradient; kept until a parameter changes."""
        return self._settled.of(_of_weight(self), lambda: tap_kernels(self.weight)).transpose(1, 2)

    @property
    def reach(self) -> int:
        """Input frames that one output frame depends on, from the first to the last."""
        return (self.kernel_size[0] - 1) * self.dilation[0] + 1

    def forward(self, input: Float[Tensor, "batch channels time"]) -> Float[Tensor, "batch out frames"]:
        left, right = self.pads
        if left == right:
            return functional.conv1d(input, self.weight, self.bias, self.stride, (left,), self.dilation, self.groups)
        padded = functional.pad(input, (left, right))
        return functional.conv1d(padded, self.weight, self.bias, self.stride, (0,), self.dilation, self.groups)


class ConvTranspose1d(nn.ConvTranspose1d):
    """A transposed convolution whose output has `stride` frames for each of the input, where `kernel_size` = 2·stride,
    `padding` = stride / 2 and the stride is even."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int,
        padding: int | None = None,
        output_padding: int = 0,
        bias: bool = True,
    ) -> None:
        pad = stride // 2 if padding is None else padding
        super().__init__(
            in_channels, out_channels, kernel_size, stride=stride, padding=pad, output_padding=output_padding, bias=bias
        )
        self._settled = Derived()

    def settled_weight(self) -> Float[Tensor, "channels out taps"]:
        """As of `Conv1d`, for `line_transposed`; with taps of zeros up to a multiple of the stride."""
        return self._settled.of(_of_weight(self), lambda: phase_kernels(self.weight, self.stride[0])).permute(2, 0, 1)


def _of_weight(conv: nn.Module) -> list[Tensor]:
    return [parameter for name, parameter in conv.named_parameters() if name != "bias"]


def normalised(module: nn.Module, *, weight_norm_: bool) -> nn.Module:
    """The module, its weight split into direction and length where asked (Salimans & Kingma 2016)."""
    return weight_norm(module) if weight_norm_ else module


class Residual(nn.Module):
    """x + body(x) for a body that keeps the shape."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Float[Tensor, "batch channels time"]) -> Float[Tensor, "batch channels time"]:
        return x + self.body(x)


class Summed(nn.Module):
    """The sum of branches that all see the same input."""

    def __init__(self, branches: list[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Float[Tensor, "batch channels time"]) -> Float[Tensor, "batch channels time"]:
        total = self.branches[0](x)
        for branch in list(self.branches)[1:]:
            total = total + branch(x)
        return cast(Tensor, total)
