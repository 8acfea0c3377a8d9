"""Encoder and decoder of dilated residual units between strided convolutions, the shape that waveform codecs share
(SoundStream, arXiv 2107.03312, figure 3; RAVE v2)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import prod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from orchestrion.errors import OptionError
from orchestrion.nn.activations import Activation, activation
from orchestrion.nn.adain import AdaptiveInstanceNorm
from orchestrion.nn.convolution import Conv1d, ConvTranspose1d, Residual, normalised
from orchestrion.nn.filtered_noise import FilteredNoise
from orchestrion.nn.streaming import Gate, Place, Plan, aligned

Dilations = Sequence[int] | Sequence[Sequence[int]]


def residual_unit(
    channels: int, *, kernel_size: int, dilation: int, act: Activation, bias: bool, padding: str, weight_norm: bool
) -> Residual:
    """x + conv1(act(conv_dilated(act(x))))."""
    wide = Conv1d(channels, channels, kernel_size, dilation=dilation, bias=bias, padding=padding)
    narrow = Conv1d(channels, channels, 1, bias=bias)
    parts = [normalised(conv, weight_norm_=weight_norm) for conv in (wide, narrow)]
    return Residual(nn.Sequential(act(channels), parts[0], act(channels), parts[1]))


def level_dilations(dilations: Dilations, levels: int) -> list[Sequence[int]]:
    """Dilations of each level; a flat list counts for all.

    Raises:
        OptionError: there are fewer lists than levels.
    """
    listed: list[Sequence[int]] = [one for one in dilations if not isinstance(one, int)]
    if not listed:
        return [[int(one) for one in dilations if isinstance(one, int)]] * levels
    if len(listed) < levels:
        raise OptionError(
            f"There are dilations for {len(listed)} levels and ratios for {levels}; give one list a level."
        )
    return listed[:levels]


def residual_units(width: int, dilations: Sequence[int], *, style: bool, **shared: Any) -> list[nn.Module]:
    """The units of a level, one a dilation, each after an `AdaptiveInstanceNorm` where there is `style`."""
    layers: list[nn.Module] = []
    for dilation in dilations:
        layers += [AdaptiveInstanceNorm(width)] if style else []
        layers.append(residual_unit(width, dilation=dilation, **shared))
    return layers


class ResidualEncoder(nn.Module):
    """Conv; for each ratio r residual units, activation and conv of kernel 2r and stride r; activation and conv.

    Args:
        in_channels: of the signal.
        capacity: channels after the first layer.
        out_channels: of the last.
        ratios: strides.
        dilations: of the units of each level, or of every level.
        kernel_size: of the units and the last layer; the first has 2·kernel_size + 1.
        keep_dim: a level multiplies the channels by its ratio instead of 2.
        style: whether an `AdaptiveInstanceNorm` stands before each unit.
        act: activation between units.
        unit_act: inside them; the same by default.
        bias, padding, weight_norm: of the convolutions.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        capacity: int,
        out_channels: int,
        ratios: Sequence[int],
        dilations: Dilations,
        kernel_size: int = 3,
        keep_dim: bool = False,
        style: bool = False,
        act: Activation | None = None,
        unit_act: Activation | None = None,
        bias: bool = False,
        padding: str = "centred",
        weight_norm: bool = True,
    ) -> None:
        super().__init__()
        act = act or activation("leaky_relu")
        units = partial(
            residual_units, kernel_size=kernel_size, style=style, act=unit_act or act, bias=bias, padding=padding,
            weight_norm=weight_norm,
        )  # fmt: skip

        def conv(into: int, out: int, size: int, stride: int = 1) -> nn.Module:
            made = Conv1d(into, out, size, stride=stride, bias=bias, padding=padding)
            made.knows_delay = False
            return normalised(made, weight_norm_=weight_norm)

        layers: list[nn.Module] = [conv(in_channels, capacity, 2 * kernel_size + 1)]
        width = capacity
        for ratio, chain in zip(ratios, level_dilations(dilations, len(ratios)), strict=True):
            layers += units(width, chain)
            wider = width * (ratio if keep_dim else 2)
            layers += [act(width), conv(width, wider, 2 * ratio, ratio)]
            width = wider
        layers += [act(width), conv(width, out_channels, kernel_size)]
        self.net = nn.Sequential(*layers)

    def forward(self, x: Float[Tensor, "batch channels time"]) -> Float[Tensor, "batch latent frames"]:
        return self.net(x)

    def streaming(self, plan: Plan, place: Place) -> tuple[nn.Module, Place]:
        """For `streaming.Plan.build`."""
        return plan.build(self.net, place)


class ResidualDecoder(nn.Module):
    """The mirror of `ResidualEncoder` with transposed convolutions; the last layer gives a signal and, with
    `modulated`, the logit of its amplitude; filtered noise may be added; tanh at the end.

    Args:
        latent: channels of the input.
        out_channels: of the signal.
        capacity, ratios, dilations, kernel_size, keep_dim, style, act, unit_act, bias, padding, weight_norm: as of the
            encoder, levels in its order.
        up_bias: of the transposed convolutions; as `bias` by default.
        modulated: x · σ(a) instead of x.
        recurrent_layers: of a GRU before all else.
        noise_ratios, noise_hidden, noise_points: of the noise head; no ratios: none.
    """

    def __init__(
        self,
        *,
        latent: int,
        capacity: int,
        out_channels: int,
        ratios: Sequence[int],
        dilations: Dilations,
        kernel_size: int = 3,
        keep_dim: bool = False,
        style: bool = False,
        modulated: bool = True,
        recurrent_layers: int = 0,
        noise_ratios: Sequence[int] = (),
        noise_hidden: int = 128,
        noise_points: int = 5,
        act: Activation | None = None,
        unit_act: Activation | None = None,
        bias: bool = False,
        up_bias: bool | None = None,
        padding: str = "centred",
        weight_norm: bool = True,
    ) -> None:
        super().__init__()
        act = act or activation("leaky_relu")
        units = partial(
            residual_units, kernel_size=kernel_size, style=style, act=unit_act or act, bias=bias, padding=padding,
            weight_norm=weight_norm,
        )  # fmt: skip
        width = capacity * (prod(ratios) if keep_dim else 2 ** len(ratios))

        def conv(into: int, out: int, size: int) -> nn.Module:
            return normalised(Conv1d(into, out, size, bias=bias, padding=padding), weight_norm_=weight_norm)

        layers: list[nn.Module] = [Recurrent(latent, recurrent_layers)] if recurrent_layers else []
        layers.append(conv(latent, width, kernel_size))
        for ratio, chain in zip(ratios[::-1], level_dilations(dilations, len(ratios))[::-1], strict=True):
            narrower = width // (ratio if keep_dim else 2)
            up = ConvTranspose1d(width, narrower, 2 * ratio, stride=ratio, bias=bias if up_bias is None else up_bias)
            layers += [act(width), normalised(up, weight_norm_=weight_norm)]
            width = narrower
            layers += units(width, chain)
        layers.append(act(width))
        self.net = nn.Sequential(*layers)
        self.waveform = conv(width, out_channels * (2 if modulated else 1), 2 * kernel_size + 1)
        self.noise = (
            FilteredNoise(
                width, bands=out_channels, ratios=noise_ratios, points=noise_points, hidden=noise_hidden, act=act,
                kernels="wide", bias=bias,
            )
            if noise_ratios
            else None
        )  # fmt: skip
        self.modulated, self.out_channels = modulated, out_channels

    def forward(
        self,
        z: Float[Tensor, "batch latent frames"],
        uniform: Float[Tensor, "batch noise_frames bands frame"] | None = None,
    ) -> Float[Tensor, "batch out time"]:
        """Args:
        uniform: random numbers in [0, 1) for the noise; drawn by default.
        """
        hidden = self.net(z)
        noise = None if self.noise is None else self.noise(hidden, uniform)
        return _mixed(self.waveform(hidden), noise, self.modulated)

    def streaming(self, plan: Plan, place: Place) -> tuple[nn.Module, Place]:
        """For `streaming.Plan.build`."""
        trunk, place = plan.build(self.net, place)
        branches = [self.waveform, *([] if self.noise is None else [self.noise])]
        if plan.exact:
            heads, after = aligned(plan, branches, place)
        else:  # the published code does not let the noise wait
            built = [plan.build(branch, place) for branch in branches]
            heads, after = [stream for stream, _ in built], built[0][1]
        return StreamedMix(trunk, heads, self.modulated), after


def _mixed(signal: Tensor, noise: Tensor | None, modulated: bool) -> Tensor:
    if modulated:
        signal, amplitude = signal.chunk(2, 1)
        signal = signal * torch.sigmoid(amplitude)
    return torch.tanh(signal if noise is None else signal + noise)


class StreamedMix(nn.Module):
    """`ResidualDecoder`, block by block."""

    def __init__(self, trunk: nn.Module, heads: list[nn.Module], modulated: bool) -> None:
        super().__init__()
        self.trunk, self.heads, self.modulated = trunk, nn.ModuleList(heads), modulated

    def forward(self, x: Tensor, state: list[Tensor], present: Tensor) -> Tensor:
        hidden = self.trunk(x, state, present)
        made = [head(hidden, state, present) for head in self.heads]
        return _mixed(made[0], made[1] if len(made) > 1 else None, self.modulated)


class Recurrent(nn.Module):
    """A GRU over time that keeps the number of channels."""

    def __init__(self, channels: int, layers: int) -> None:
        super().__init__()
        self.gru = nn.GRU(channels, channels, layers, batch_first=True)

    def forward(self, x: Float[Tensor, "batch channels time"]) -> Float[Tensor, "batch channels time"]:
        return self.gru(x.transpose(1, 2))[0].transpose(1, 2)

    def streaming(self, plan: Plan, place: Place) -> tuple[nn.Module, Place]:
        """For `streaming.Plan.build`."""
        slot = plan.slot(self.gru.hidden_size, self.gru.num_layers)
        return StreamedRecurrent(self.gru, slot, Gate(plan, place)), place


class StreamedRecurrent(nn.Module):
    """`Recurrent` that goes on from its last state, and has none before the start of the sound."""

    def __init__(self, gru: nn.GRU, slot: int, gate: Gate) -> None:
        super().__init__()
        self.gru, self.slot, self.gate = gru, slot, gate

    def forward(self, x: Tensor, state: list[Tensor], present: Tensor) -> Tensor:
        here = self.gate.here(x, state, present)
        hidden = state[self.slot].permute(2, 0, 1).contiguous()
        x = x.transpose(1, 2)
        if here is None:
            made, hidden = self.gru(x, hidden)
        else:
            parts = []
            for frame in range(x.shape[1]):
                part, hidden = self.gru(x[:, frame : frame + 1], hidden)
                hidden = hidden * here[..., frame].view(1, -1, 1)
                parts.append(part)
            made = torch.cat(parts, 1)
        state[self.slot] = hidden.permute(1, 2, 0).contiguous()
        return made.transpose(1, 2)
