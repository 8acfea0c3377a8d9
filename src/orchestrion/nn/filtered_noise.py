"""Noise through filters that a network draws: the part of a sound that no waveform model needs to know sample by sample
(DDSP, Engel et al. 2020, arXiv 2001.04643, section 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from orchestrion.nn.activations import Activation, modified_sigmoid
from orchestrion.nn.convolution import Conv1d, same_padding
from orchestrion.nn.streaming import Place, Plan, StreamedSequence


def impulse_response(amplitudes: Float[Tensor, "*batch points"], length: int) -> Float[Tensor, "*batch length"]:
    """Zero-phase filters with the given amplitudes from 0 to half the rate, 2·(points − 1) taps under a Hann window,
    turned so that tap 0 is the middle.

    Where `length` is shorter than the filter, its first `length` taps are kept before it is turned, as RAVE does.
    """
    taps = torch.fft.irfft(torch.complex(amplitudes, torch.zeros_like(amplitudes)))
    size = taps.shape[-1]
    window = torch.hann_window(size, dtype=taps.dtype, device=taps.device)
    taps = taps.roll(size // 2, -1) * window
    taps = nn.functional.pad(taps, (0, length - size))
    return taps.roll(-(size // 2), -1)


def convolve(
    signal: Float[Tensor, "*batch time"], kernel: Float[Tensor, "*batch time"]
) -> Float[Tensor, "*batch time"]:
    """The first samples of the convolution, by Fourier transforms of twice the length."""
    size = 2 * signal.shape[-1]
    product = torch.fft.rfft(signal, size) * torch.fft.rfft(kernel, size)
    return torch.fft.irfft(product, size)[..., : signal.shape[-1]]


class FilteredNoise(nn.Module):
    """Convolutions that draw a filter for every band and frame, and white noise that goes through it.

    Args:
        channels: of the input.
        hidden: of the layers between.
        bands: signals to make.
        ratios: strides; a frame is their product long.
        points: amplitudes of a filter.
        kernels: "short" (three taps) or "wide" (twice the stride, looking back only).
        act: between the layers.
        bias, padding: as of `Conv1d`; padding counts for short kernels.
    """

    def __init__(
        self,
        channels: int,
        *,
        bands: int,
        ratios: Sequence[int],
        points: int,
        act: Activation,
        hidden: int | None = None,
        kernels: str = "short",
        bias: bool = False,
        padding: str = "centred",
    ) -> None:
        super().__init__()
        widths = [channels, *[hidden or channels] * (len(ratios) - 1), bands * points]
        layers: list[nn.Module] = []
        for number, ratio in enumerate(ratios):
            size = 3 if kernels == "short" else 2 * ratio
            pads = same_padding(size, padding=padding) if kernels == "short" else (ratio, 0)
            conv = Conv1d(widths[number], widths[number + 1], size, stride=ratio, bias=bias, padding=pads)
            conv.knows_delay = kernels == "short"
            layers.append(conv)
            if number + 1 < len(ratios):
                layers.append(act(widths[number + 1]))
        self.net = nn.Sequential(*layers)
        self.bands, self.frame = bands, prod(ratios)
        self.out_channels = bands

    def forward(
        self, x: Float[Tensor, "batch channels time"], uniform: Float[Tensor, "batch frames bands frame"] | None = None
    ) -> Float[Tensor, "batch bands time"]:
        """Args:
        uniform: random numbers in [0, 1); drawn by default.
        """
        return self.noise(self.net(x), uniform)

    def noise(
        self,
        drawn: Float[Tensor, "batch wide frames"],
        uniform: Float[Tensor, "batch frames bands frame"] | None = None,
    ) -> Float[Tensor, "batch bands time"]:
        """The noise for what the layers gave."""
        amplitudes = modified_sigmoid(drawn.float() - 5).transpose(1, 2)
        batch, frames, _ = amplitudes.shape
        kernel = impulse_response(amplitudes.reshape(batch, frames, self.bands, -1), self.frame)
        uniform = torch.rand_like(kernel) if uniform is None else uniform
        made = convolve(2 * uniform - 1, kernel).transpose(1, 2)
        return made.reshape(batch, self.bands, frames * self.frame).to(drawn.dtype)

    def streaming(self, plan: Plan, place: Place) -> tuple[nn.Module, Place]:
        """For `streaming.Plan.build`."""
        net, after = plan.build(self.net, place)
        return StreamedNoise(net, self), Place(after.rate * self.frame, after.late * self.frame)


class StreamedNoise(nn.Module):
    """`FilteredNoise`, block by block.

    Attributes:
        generator: draws the noise; None: torch's own.
        uniform: takes the place of what would be drawn next, where it is given.
    """

    def __init__(self, net: nn.Module, head: FilteredNoise) -> None:
        super().__init__()
        self.net, self.bands, self.frame = net, head.bands, head.frame
        self.generator: torch.Generator | None = None
        self.uniform: Tensor | None = None
        self._head = [head]

    def forward(self, x: Tensor, state: list[Tensor], present: Tensor) -> Tensor:
        drawn = self.net(x, state, present)
        uniform = self.uniform
        if uniform is None and self.generator is not None:
            shape = (drawn.shape[0], drawn.shape[-1], self.bands, self.frame)
            uniform = torch.rand(shape, generator=self.generator, device=drawn.device)
        return self._head[0].noise(drawn, uniform)


class Silence(StreamedSequence):
    """Zeros with so many channels, in the place of noise that is switched off."""

    def __init__(self, channels: int) -> None:
        super().__init__([])
        self.channels = channels

    def forward(self, x: Tensor, state: list[Tensor], present: Tensor) -> Tensor:
        return x.new_zeros(x.shape[0], self.channels, x.shape[-1])
