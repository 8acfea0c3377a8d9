"""Encoder and decoder of strided convolutions with a residual stack after each upsampling, and separate heads for the
shape of a signal, its loudness and its noise (RAVE, arXiv 2111.05011, section 3.2 and appendix)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from orchestrion.nn.activations import Activation, activation, modified_sigmoid
from orchestrion.nn.convolution import Conv1d, ConvTranspose1d, Residual, Summed, normalised
from orchestrion.nn.filtered_noise import FilteredNoise, Silence
from orchestrion.nn.streaming import Place, Plan, aligned


class UnitChannels(nn.Module):
    """Every frame divided by its length as a vector over channels."""

    pointwise = True

    def forward(self, x: Float[Tensor, "batch channels time"]) -> Float[Tensor, "batch channels time"]:
        return x / x.norm(dim=1, keepdim=True)


class StridedEncoder(nn.Module):
    """Conv k7; then for each ratio r: normalisation, activation, conv of kernel 2r + 1 and stride r that doubles the
    channels, and `repeats` − 1 convs k3; at last activation and conv k5.

    Args:
        in_channels: of the signal.
        capacity: channels after the first layer.
        out_channels: of all groups together.
        ratios: strides.
        groups: of the last layer: means and scales are computed from halves of the channels.
        repeats: convolutions a level.
        norm: "batch", or "unit" for `UnitChannels`.
        act: activation.
        bias, padding: of the convolutions.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        capacity: int,
        out_channels: int,
        ratios: Sequence[int],
        groups: int = 2,
        repeats: int = 1,
        norm: str = "batch",
        act: Activation | None = None,
        bias: bool = False,
        padding: str = "centred",
    ) -> None:
        super().__init__()
        act = act or activation("leaky_relu")
        layers: list[nn.Module] = [Conv1d(in_channels, capacity, 7, bias=bias, padding=padding)]
        width = capacity
        for ratio in ratios:
            for number in range(repeats):
                layers += [nn.BatchNorm1d(width) if norm == "batch" else UnitChannels(), act(width)]
                if number:
                    layers.append(Conv1d(width, width, 3, bias=bias, padding=padding))
                    continue
                layers.append(Conv1d(width, 2 * width, 2 * ratio + 1, stride=ratio, bias=bias, padding=padding))
                width *= 2
        layers += [act(width), Conv1d(width, out_channels, 5, groups=groups, bias=bias, padding=padding)]
        self.net = nn.Sequential(*layers)

    def forward(self, x: Float[Tensor, "batch channels time"]) -> Float[Tensor, "batch latent frames"]:
        return self.net(x)

    def streaming(self, plan: Plan, place: Place) -> tuple[nn.Module, Place]:
        """For `streaming.Plan.build`."""
        return plan.build(self.net, place)


def residual_stack(
    channels: int,
    *,
    kernel_sizes: Sequence[int],
    dilations: Sequence[Sequence[int]],
    act: Activation,
    bias: bool = False,
    padding: str = "centred",
) -> Summed:
    """The sum over kernel sizes of chains of residual layers; a layer has an activation and a convolution for each of
    its dilations (HiFi-GAN's multi-receptive field fusion)."""

    def layer(size: int, chain: Sequence[int]) -> Residual:
        parts: list[nn.Module] = []
        for dilation in chain:
            conv = Conv1d(channels, channels, size, dilation=dilation, bias=bias, padding=padding)
            parts += [act(channels), normalised(conv, weight_norm_=True)]
        return Residual(nn.Sequential(*parts))

    return Summed([nn.Sequential(*[layer(size, chain) for chain in dilations]) for size in kernel_sizes])


class HeadedDecoder(nn.Module):
    """Conv k7; for each ratio a transposed convolution that halves the channels, and a residual stack; then three
    heads: tanh(waveform) · loudness, one envelope for all bands, + filtered noise where `noisy`.

    Args:
        latent: channels of the input.
        capacity: channels before the heads.
        out_channels: of the signal.
        ratios: in the order of the layers.
        kernel_sizes, dilations: of the residual stacks.
        loudness_stride: of the loudness head.
        noise_ratios, noise_points: of the noise head; no ratios: no such head.
        bias, stack_bias, up_bias, noise_bias: of the first layer and the heads; of the residual stacks (and of layers
            of ratio 1, which do not go up); of the transposed convolutions; of the noise head, as `bias` by default.
        act, padding: as of `StridedEncoder`.
    """

    def __init__(
        self,
        *,
        latent: int,
        capacity: int,
        out_channels: int,
        ratios: Sequence[int],
        kernel_sizes: Sequence[int] = (3,),
        dilations: Sequence[Sequence[int]] = ((1, 1), (3, 1), (5, 1)),
        loudness_stride: int = 1,
        noise_ratios: Sequence[int] = (4, 4, 4),
        noise_points: int = 5,
        act: Activation | None = None,
        bias: bool = False,
        stack_bias: bool = False,
        up_bias: bool = False,
        noise_bias: bool | None = None,
        padding: str = "centred",
    ) -> None:
        super().__init__()
        act = act or activation("leaky_relu")
        width = capacity * 2 ** len(ratios)
        layers: list[nn.Module] = [normalised(Conv1d(latent, width, 7, bias=bias, padding=padding), weight_norm_=True)]
        for ratio in ratios:
            up: nn.Module = ConvTranspose1d(width, width // 2, 2 * ratio, stride=ratio, bias=up_bias)
            if ratio == 1:
                up = Conv1d(width, width // 2, 3, bias=stack_bias, padding=padding)
            layers.append(nn.Sequential(act(width), normalised(up, weight_norm_=True)))
            width //= 2
            layers.append(
                residual_stack(
                    width, kernel_sizes=kernel_sizes, dilations=dilations, act=act, bias=stack_bias, padding=padding
                )
            )
        self.net = nn.Sequential(*layers)
        self.waveform = normalised(Conv1d(width, out_channels, 7, bias=bias, padding=padding), weight_norm_=True)
        self.loudness = normalised(
            Conv1d(width, 1, 2 * loudness_stride + 1, stride=loudness_stride, bias=bias, padding=padding),
            weight_norm_=True,
        )
        self.noise = (
            FilteredNoise(
                width, bands=out_channels, ratios=noise_ratios, points=noise_points, act=activation("leaky_relu"),
                bias=bias if noise_bias is None else noise_bias, padding=padding,
            )
            if noise_ratios
            else None
        )  # fmt: skip
        self.loudness_stride, self.out_channels = loudness_stride, out_channels
        self.noisy = False

    def forward(
        self,
        z: Float[Tensor, "batch latent frames"],
        uniform: Float[Tensor, "batch noise_frames bands frame"] | None = None,
    ) -> Float[Tensor, "batch out time"]:
        """Args:
        uniform: random numbers in [0, 1) for the noise; drawn by default.
        """
        hidden = self.net(z)
        loudness = self.loudness(hidden).repeat_interleave(self.loudness_stride, -1)
        signal = torch.tanh(self.waveform(hidden)) * modified_sigmoid(loudness)
        return signal + self.noise(hidden, uniform) if self.noisy and self.noise is not None else signal

    def streaming(self, plan: Plan, place: Place) -> tuple[nn.Module, Place]:
        """For `streaming.Plan.build`."""
        trunk, place = plan.build(self.net, place)
        loudness: nn.Module = self.loudness
        if self.loudness_stride > 1:
            loudness = _Held(self.loudness, self.loudness_stride)
        branches = [self.waveform, loudness, *([] if self.noise is None else [self.noise])]
        heads, after = aligned(plan, branches, place)
        if self.noise is not None and not self.noisy:
            heads[2] = Silence(self.out_channels)
        return StreamedHeads(trunk, heads), after


class _Held(nn.Module):
    """A strided convolution whose output is held as long as the stride."""

    def __init__(self, conv: nn.Module, stride: int) -> None:
        super().__init__()
        self.conv, self.stride, self.out_channels = conv, stride, 1

    def streaming(self, plan: Plan, place: Place) -> tuple[nn.Module, Place]:
        conv, after = plan.build(self.conv, place)
        late = after.late * (self.stride if plan.exact else 1)  # the published code counts frames of the convolution
        return _StreamedHeld(conv, self.stride), Place(after.rate * self.stride, late)


class _StreamedHeld(nn.Module):
    def __init__(self, conv: nn.Module, stride: int) -> None:
        super().__init__()
        self.conv, self.stride = conv, stride

    def forward(self, x: Tensor, state: list[Tensor], present: Tensor) -> Tensor:
        return self.conv(x, state, present).repeat_interleave(self.stride, -1)


class StreamedHeads(nn.Module):
    """`HeadedDecoder`, block by block."""

    def __init__(self, trunk: nn.Module, heads: list[nn.Module]) -> None:
        super().__init__()
        self.trunk, self.heads = trunk, nn.ModuleList(heads)

    def forward(self, x: Tensor, state: list[Tensor], present: Tensor) -> Tensor:
        hidden = self.trunk(x, state, present)
        made = [head(hidden, state, present) for head in self.heads]
        signal = torch.tanh(made[0]) * modified_sigmoid(made[1])
        return signal + made[2] if len(made) > 2 else signal
