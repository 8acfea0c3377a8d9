"""SEANet, the encoder and decoder of EnCodec (Tagliasacchi et al. 2020, arXiv 2009.02095; Défossez et al. 2022, arXiv
2210.13438, section 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from orchestrion.nn.padded_convolution import PaddedConv1d, PaddedConvTranspose1d, ResidualLSTM, Shortcut


class SeanetUnit(Shortcut):
    """The body is of an activation and a dilated convolution to fewer channels, and the same back.

    Args:
        channels: in and out.
        compress: by which they are divided inside.
        identity: the shortcut is x itself, not a convolution of kernel 1.
        conv: makes convolutions from channels in, channels out, kernel size and options.
    """

    def __init__(
        self,
        channels: int,
        *,
        kernel_size: int,
        dilation: int,
        compress: int,
        identity: bool,
        conv: Callable[..., nn.Module],
        act: Callable[[], nn.Module],
    ) -> None:
        hidden = channels // compress
        super().__init__(
            nn.Sequential(
                act(), conv(channels, hidden, kernel_size, dilation=dilation), act(), conv(hidden, channels, 1)
            ),
            nn.Identity() if identity else conv(channels, channels, 1),
        )


class _Seanet(nn.Module):
    """What encoder and decoder share.

    Args:
        channels: of the sound.
        dimension: channels of the latents.
        filters: channels next to the sound; they double with each ratio.
        ratios: from the latents to the sound, for encoder and decoder alike.
        units: residual units a level.
        kernel_size, last_kernel_size, unit_kernel_size: of the first and last convolution and of units.
        dilation_base: unit j of a level has dilation base^j.
        lstm: layers of the LSTM next to the latents; 0: none.
        compress, identity: as of `SeanetUnit`.
        causal, norm, norm_eps, norm_affine, pad_mode: of all convolutions.
        plain_outer: how many of the outermost levels (the first convolution counts as one) have no norm.
        alpha: of the ELU.
    """

    def __init__(
        self,
        *,
        channels: int,
        dimension: int,
        filters: int,
        ratios: Sequence[int],
        units: int = 1,
        kernel_size: int = 7,
        last_kernel_size: int = 7,
        unit_kernel_size: int = 3,
        dilation_base: int = 2,
        lstm: int = 2,
        compress: int = 2,
        identity: bool = False,
        causal: bool = False,
        norm: str = "weight_norm",
        norm_eps: float = 1e-5,
        norm_affine: bool = True,
        pad_mode: str = "reflect",
        plain_outer: int = 0,
        alpha: float = 1.0,
    ) -> None:
        super().__init__()
        self.ratios, self.plain_outer = tuple(ratios), plain_outer
        self.norm, self.causal, self.pad_mode, self.alpha = norm, causal, pad_mode, alpha
        self.norm_eps, self.norm_affine = norm_eps, norm_affine
        self.shape = (units, unit_kernel_size, dilation_base, compress, identity)

    def act(self) -> nn.Module:
        return nn.ELU(self.alpha)

    def norm_at(self, depth: int) -> str:
        """Of the level so many levels away from the sound."""
        return "none" if depth < self.plain_outer else self.norm

    def conv(self, into: int, out: int, size: int, *, depth: int, stride: int = 1, dilation: int = 1) -> nn.Module:
        return PaddedConv1d(
            into, out, size, stride=stride, dilation=dilation, causal=self.causal, norm=self.norm_at(depth),
            norm_eps=self.norm_eps, norm_affine=self.norm_affine, pad_mode=self.pad_mode,
        )  # fmt: skip

    def units(self, width: int, depth: int) -> list[nn.Module]:
        units, size, base, compress, identity = self.shape

        def conv(into: int, out: int, size: int, *, dilation: int = 1) -> nn.Module:
            return self.conv(into, out, size, depth=depth, dilation=dilation)

        return [
            SeanetUnit(
                width, kernel_size=size, dilation=base**number, compress=compress, identity=identity, conv=conv,
                act=self.act,
            )
            for number in range(units)
        ]  # fmt: skip


class SeanetEncoder(_Seanet):
    """Sound to latents: conv; for each ratio r, the last first, units, ELU, conv of kernel 2r and stride r that doubles
    the channels; LSTM; ELU, conv.

    Args:
        Others: as of the base class.
    """

    def __init__(
        self,
        *,
        channels: int,
        dimension: int,
        filters: int,
        kernel_size: int = 7,
        last_kernel_size: int = 7,
        lstm: int = 2,
        **shared: Any,
    ) -> None:
        super().__init__(channels=channels, dimension=dimension, filters=filters, **shared)
        depth, width = 0, filters
        layers = [self.conv(channels, width, kernel_size, depth=depth)]
        for depth, ratio in enumerate(self.ratios[::-1], start=1):
            layers += [*self.units(width, depth), self.act()]
            layers.append(self.conv(width, 2 * width, 2 * ratio, depth=depth, stride=ratio))
            width *= 2
        layers += [ResidualLSTM(width, lstm)] if lstm else []
        layers += [self.act(), self.conv(width, dimension, last_kernel_size, depth=len(self.ratios) + 1)]
        self.net = nn.Sequential(*layers)

    def forward(self, x: Float[Tensor, "batch channels time"]) -> Float[Tensor, "batch dimension frames"]:
        return self.net(x)


class SeanetDecoder(_Seanet):
    """Latents to sound: conv; LSTM; for each ratio r ELU, transposed conv of kernel 2r and stride r that halves the
    channels, units; ELU, conv.

    Args:
        trim_right: of the causal transposed convolutions.
        tanh: at the end.
        Others: as of the base class.
    """

    def __init__(
        self,
        *,
        channels: int,
        dimension: int,
        filters: int,
        kernel_size: int = 7,
        last_kernel_size: int = 7,
        lstm: int = 2,
        trim_right: float = 1.0,
        tanh: bool = False,
        **shared: Any,
    ) -> None:
        super().__init__(channels=channels, dimension=dimension, filters=filters, **shared)
        width = filters * 2 ** len(self.ratios)
        layers = [self.conv(dimension, width, kernel_size, depth=len(self.ratios) + 1)]
        layers += [ResidualLSTM(width, lstm)] if lstm else []
        for number, ratio in enumerate(self.ratios):
            depth = len(self.ratios) - number
            up = PaddedConvTranspose1d(
                width, width // 2, 2 * ratio, stride=ratio, causal=self.causal, norm=self.norm_at(depth),
                norm_eps=self.norm_eps, norm_affine=self.norm_affine, trim_right=trim_right,
            )  # fmt: skip
            width //= 2
            layers += [self.act(), up, *self.units(width, depth)]
        layers += [self.act(), self.conv(width, channels, last_kernel_size, depth=0)]
        self.net = nn.Sequential(*layers, *([nn.Tanh()] if tanh else []))

    def forward(self, z: Float[Tensor, "batch dimension frames"]) -> Float[Tensor, "batch channels time"]:
        return self.net(z)
