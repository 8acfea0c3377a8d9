"""Vocos: frames of features to the magnitudes and phases of a spectrogram, and so to sound (Siuzdak 2023, arXiv
2306.00814)."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from orchestrion.errors import OptionError

LOUDEST = 100.0  # largest magnitude, against explosions


class ChosenLayerNorm(nn.Module):
    """Layer norm whose gain and shift belong to one of several conditions, for instance bandwidths.

    Args:
        conditions: how many there are.
        width: channels.
    """

    def __init__(self, conditions: int, width: int) -> None:
        super().__init__()
        self.gain, self.shift = nn.Embedding(conditions, width), nn.Embedding(conditions, width)
        nn.init.ones_(self.gain.weight)
        nn.init.zeros_(self.shift.weight)

    def forward(
        self, x: Float[Tensor, "batch frames width"], condition: Int[Tensor, " batch_or_one"]
    ) -> Float[Tensor, "batch frames width"]:
        normed = functional.layer_norm(x, x.shape[-1:], eps=1e-6)
        return normed * self.gain(condition)[:, None] + self.shift(condition)[:, None]


class ConvNeXtBlock(nn.Module):
    """x + γ·(depthwise conv k7, norm, linear, GELU, linear) (Liu et al. 2022).

    Args:
        width: channels.
        hidden: channels between the linear layers.
        scale: γ at the start.
        conditions: of the norm; 0: an ordinary one.
    """

    def __init__(self, width: int, hidden: int, *, scale: float, conditions: int = 0) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(width, width, 7, padding=3, groups=width)
        self.norm = ChosenLayerNorm(conditions, width) if conditions else nn.LayerNorm(width, eps=1e-6)
        self.widen, self.narrow = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.scale = nn.Parameter(torch.full((width,), scale))

    def forward(
        self, x: Float[Tensor, "batch width frames"], condition: Int[Tensor, " batch_or_one"] | None = None
    ) -> Float[Tensor, "batch width frames"]:
        y = _normed(self.norm, self.depthwise(x).mT, condition)
        return x + (self.scale * self.narrow(functional.gelu(self.widen(y)))).mT


def _normed(norm: nn.Module, x: Tensor, condition: Tensor | None) -> Tensor:
    if not isinstance(norm, ChosenLayerNorm):
        return norm(x)
    if condition is None:
        raise OptionError("This Vocos needs to know the condition (bandwidth) of its input; give its number.")
    return norm(x, condition)


class VocosBackbone(nn.Module):
    """Conv k7, norm, blocks, norm; no frame is ever lost or added.

    Args:
        in_channels: of the features.
        width, hidden: of the blocks.
        layers: blocks.
        conditions: how many the norms tell apart; 0: none.
        scale: γ at the start; 1 / layers by default.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        width: int,
        hidden: int,
        layers: int,
        conditions: int = 0,
        scale: float | None = None,
    ) -> None:
        super().__init__()
        self.embed = nn.Conv1d(in_channels, width, 7, padding=3)
        self.norm = ChosenLayerNorm(conditions, width) if conditions else nn.LayerNorm(width, eps=1e-6)
        start = 1 / layers if scale is None else scale
        self.blocks = nn.ModuleList(
            [ConvNeXtBlock(width, hidden, scale=start, conditions=conditions) for _ in range(layers)]
        )
        self.last_norm = nn.LayerNorm(width, eps=1e-6)
        for module in self.modules():
            if isinstance(module, nn.Conv1d | nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(
        self, x: Float[Tensor, "batch channels frames"], condition: Int[Tensor, " batch_or_one"] | None = None
    ) -> Float[Tensor, "batch frames width"]:
        x = _normed(self.norm, self.embed(x).mT, condition).mT
        for block in self.blocks:
            x = block(x, condition)
        return self.last_norm(x.mT)


class SpectrogramHead(nn.Module):
    """Log magnitudes and phases from a linear layer, and the inverse transform.

    Args:
        width: channels of the input.
        n_fft, hop_length: samples of a window and from one to the next.
        padding: "same" gives frames·hop_length samples, "center" one hop less.
    """

    window: Tensor

    def __init__(self, *, width: int, n_fft: int, hop_length: int, padding: str = "same") -> None:
        super().__init__()
        if padding not in ("same", "center"):
            raise OptionError(f"There is no padding {padding!r} of a spectrogram; choose same or center.")
        self.n_fft, self.hop_length, self.padding = n_fft, hop_length, padding
        self.out = nn.Linear(width, n_fft + 2)
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)

    def forward(self, x: Float[Tensor, "batch frames width"]) -> Float[Tensor, "batch samples"]:
        magnitude, phase = self.out(x).float().mT.chunk(2, 1)
        spectrogram = torch.polar(magnitude.exp().clamp(max=LOUDEST), phase)
        if self.padding == "center":
            return torch.istft(spectrogram, self.n_fft, self.hop_length, self.n_fft, self.window, center=True)
        frames = torch.fft.irfft(spectrogram, self.n_fft, dim=1) * self.window[:, None]
        total = (x.shape[1] - 1) * self.hop_length + self.n_fft
        cut = (self.n_fft - self.hop_length) // 2
        weights = self.window.square()[:, None].expand(self.n_fft, x.shape[1])
        made, weight = (self._overlapped(value, total)[:, cut : total - cut] for value in (frames, weights[None]))
        return made / weight

    def _overlapped(self, frames: Tensor, total: int) -> Tensor:
        folded = functional.fold(frames, (1, total), (1, self.n_fft), stride=(1, self.hop_length))
        return folded[:, 0, 0]


class Vocos(nn.Module):
    """Features to sound.

    Args:
        in_channels: of the features: mel bands, or the dimension of code vectors.
        width, hidden, layers, conditions: as of `VocosBackbone`.
        n_fft, hop_length, padding: as of `SpectrogramHead`.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        width: int,
        hidden: int,
        layers: int,
        n_fft: int,
        hop_length: int,
        padding: str,
        conditions: int = 0,
        scale: float | None = None,
    ) -> None:
        super().__init__()
        self.backbone = VocosBackbone(
            in_channels=in_channels, width=width, hidden=hidden, layers=layers, conditions=conditions, scale=scale
        )
        self.head = SpectrogramHead(width=width, n_fft=n_fft, hop_length=hop_length, padding=padding)

    def forward(
        self, features: Float[Tensor, "batch channels frames"], condition: Int[Tensor, " batch_or_one"] | None = None
    ) -> Float[Tensor, "batch samples"]:
        return self.head(self.backbone(features, condition))


def mel_24k() -> Vocos:
    """For 100 mel bands at 24 kHz, hop 256 (charactr/vocos-mel-24khz)."""
    return Vocos(in_channels=100, width=512, hidden=1536, layers=8, n_fft=1024, hop_length=256, padding="center")


def encodec_24k() -> Vocos:
    """For code vectors of the 24 kHz EnCodec; the condition is the place of the bandwidth among 1.5, 3, 6 and 12 kbit/s
    (charactr/vocos-encodec-24khz)."""
    return Vocos(
        in_channels=128, width=384, hidden=1152, layers=8, n_fft=1280, hop_length=320, padding="same", conditions=4
    )


def xcodec_44k() -> Vocos:
    """For summed code vectors of YuE's X-Codec at 50 Hz, to 44.1 kHz."""
    return Vocos(in_channels=1024, width=512, hidden=1536, layers=8, n_fft=3528, hop_length=882, padding="same")
