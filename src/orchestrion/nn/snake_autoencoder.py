"""Encoder and decoder of dilated residual units with periodic activations, as DAC has them (arXiv 2306.06546, section
3.1) and X-Codec and the Oobleck autoencoder after it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from orchestrion.nn.activations import Activation, activation
from orchestrion.nn.convolution import Conv1d, ConvTranspose1d, Residual, normalised
from orchestrion.nn.streaming import Place, Plan

DILATIONS = (1, 3, 9)


def _conv(
    into: int, out: int, size: int, *, stride: int | None = None, dilation: int = 1, bias: bool = True
) -> nn.Module:
    """Weight norm; the same padding on both sides: ⌈stride / 2⌉ where a stride is given, also where it is 1 and the
    output then a frame longer."""
    pad = (size - 1) * dilation // 2 if stride is None else -(-stride // 2)
    made = Conv1d(into, out, size, stride=stride or 1, dilation=dilation, bias=bias, padding=(pad, pad))
    return normalised(made, weight_norm_=True)


def residual_unit(channels: int, *, dilation: int, act: Activation) -> Residual:
    """x + conv1(act(conv7_dilated(act(x))))."""
    wide, narrow = _conv(channels, channels, 7, dilation=dilation), _conv(channels, channels, 1)
    return Residual(nn.Sequential(act(channels), wide, act(channels), narrow))


class SnakeEncoder(nn.Module):
    """Conv k7; a level for each stride s: units of dilation 1, 3 and 9, activation, conv of kernel 2s, stride s and
    padding ⌈s/2⌉; activation, conv k3.

    Args:
        in_channels: of the signal.
        widths: channels before the first level and after each.
        strides: one a level.
        latent: channels of the output.
        act: name of the activation.
    """

    def __init__(
        self, *, in_channels: int, widths: Sequence[int], strides: Sequence[int], latent: int, act: str = "snake"
    ) -> None:
        super().__init__()
        make = activation(act)
        layers: list[nn.Module] = [_conv(in_channels, widths[0], 7)]
        for (into, out), stride in zip(pairwise(widths), strides, strict=True):
            units = [residual_unit(into, dilation=dilation, act=make) for dilation in DILATIONS]
            layers.append(nn.Sequential(*units, make(into), _conv(into, out, 2 * stride, stride=stride)))
        layers += [make(widths[-1]), _conv(widths[-1], latent, 3)]
        self.net = nn.Sequential(*layers)

    def forward(self, x: Float[Tensor, "batch channels time"]) -> Float[Tensor, "batch latent frames"]:
        return self.net(x)

    def streaming(self, plan: Plan, place: Place) -> tuple[nn.Module, Place]:
        """For `streaming.Plan.build`."""
        return plan.build(self.net, place)


class SnakeDecoder(nn.Module):
    """Conv k7; a level for each rate r: activation, transposed conv of kernel 2r, stride r and padding ⌈r/2⌉, units of
    dilation 1, 3 and 9; activation, conv k7.

    Args:
        latent: channels of the input.
        widths: channels before the first level and after each.
        rates: one a level.
        out_channels: of the signal.
        act: name of the activation.
        full_length: odd rates give r samples a frame; otherwise, as DAC has it, one less for all frames together.
        last_bias: whether the last convolution has one.
        tanh: at the end.
    """

    def __init__(
        self,
        *,
        latent: int,
        widths: Sequence[int],
        rates: Sequence[int],
        out_channels: int,
        act: str = "snake",
        full_length: bool = False,
        last_bias: bool = True,
        tanh: bool = True,
    ) -> None:
        super().__init__()
        make = activation(act)
        layers: list[nn.Module] = [_conv(latent, widths[0], 7)]
        for (into, out), rate in zip(pairwise(widths), rates, strict=True):
            extra = rate % 2 if full_length else 0
            up = ConvTranspose1d(into, out, 2 * rate, stride=rate, padding=-(-rate // 2), output_padding=extra)
            units = [residual_unit(out, dilation=dilation, act=make) for dilation in DILATIONS]
            layers.append(nn.Sequential(make(into), normalised(up, weight_norm_=True), *units))
        layers += [make(widths[-1]), _conv(widths[-1], out_channels, 7, bias=last_bias)]
        self.net = nn.Sequential(*layers, *([nn.Tanh()] if tanh else []))

    def forward(self, z: Float[Tensor, "batch latent frames"]) -> Float[Tensor, "batch out time"]:
        return self.net(z)

    def streaming(self, plan: Plan, place: Place) -> tuple[nn.Module, Place]:
        """For `streaming.Plan.build`."""
        return plan.build(self.net, place)
