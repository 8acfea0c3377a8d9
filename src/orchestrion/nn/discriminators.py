"""Discriminators of waveforms: at several scales, several periods, and in bands of several spectra.

Each is called with waveforms [batch, channels, samples] and gives, for each of its parts, the list of its features, of
which the last is the score.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from orchestrion.analysis.spectra import Stft
from orchestrion.errors import OptionError

Features = list[Tensor]
DAC_BANDS = ((0.0, 0.1), (0.1, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0))


class ConvScore(nn.Module):
    """Weight-normalised strided convolutions, each doubling the channels, then a 1x1 convolution to the score. Features
    are what convolutions give, before the activation.

    Args:
        in_channels: of the input.
        capacity: channels after the first layer.
        layers: how many.
        kernel_size, stride: of each; along the first axis of a picture where `folded`.
        folded: whether the input is [batch, channels, time, period].
        slope: of the leaky rectifier.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        capacity: int,
        layers: int = 4,
        kernel_size: int = 15,
        stride: int | Sequence[int] = 4,
        folded: bool = False,
        slope: float = 0.2,
    ) -> None:
        super().__init__()
        strides = [stride] * layers if isinstance(stride, int) else list(stride)
        widths = [in_channels, *[capacity * 2**number for number in range(layers)]]
        pad = (kernel_size - 1) // 2
        net: list[nn.Module] = []
        for number, step in enumerate(strides):
            into, out = widths[number], widths[number + 1]
            conv: nn.Module = nn.Conv1d(into, out, kernel_size, step, pad)
            if folded:
                conv = nn.Conv2d(into, out, (kernel_size, 1), (step, 1), (pad, 0))
            net += [weight_norm(conv), nn.LeakyReLU(slope)]
        net.append(nn.Conv2d(widths[-1], 1, 1) if folded else nn.Conv1d(widths[-1], 1, 1))
        self.net = nn.Sequential(*net)

    def forward(self, x: Float[Tensor, "batch channels *axes"]) -> Features:
        return convolved(self.net, x)


def convolved(net: nn.Sequential, x: Tensor) -> Features:
    """What every convolution of a chain gives."""
    features = []
    for layer in net:
        x = layer(x)
        if isinstance(layer, nn.Conv1d | nn.Conv2d):
            features.append(x)
    return features


class GroupedConvScore(nn.Module):
    """MelGAN's discriminator of one scale (Kumar et al. 2019, arXiv 1910.06711, appendix A), without weight norm.

    Args:
        in_channels: of the input.
        capacity: channels after the first layer (k15).
        multiplier: factor of channels, stride, and factor of groups of each strided layer (k41).
        layers: strided ones.
        widest: most channels.
        hidden: layers whose output is no feature; RAVE's first code leaves out the first one.
    """

    def __init__(
        self,
        in_channels: int = 1,
        *,
        capacity: int = 16,
        multiplier: int = 4,
        layers: int = 4,
        widest: int = 1024,
        hidden: int = 0,
    ) -> None:
        super().__init__()
        self.hidden = hidden
        net: list[nn.Module] = [nn.Conv1d(in_channels, capacity, 15, padding=7), nn.LeakyReLU(0.2)]
        width = capacity
        for number in range(layers):
            wider = min(widest, capacity * multiplier ** (number + 1))
            groups = multiplier ** (number + 1)
            net += [nn.Conv1d(width, wider, 41, multiplier, 20, groups=groups), nn.LeakyReLU(0.2)]
            width = wider
        net += [nn.Conv1d(width, width, 5, padding=2), nn.LeakyReLU(0.2), nn.Conv1d(width, 1, 1)]
        self.net = nn.Sequential(*net)

    def forward(self, x: Float[Tensor, "batch channels time"]) -> Features:
        return convolved(self.net, x)[self.hidden :]


class MultiScale(nn.Module):
    """The same kind of discriminator at full rate, half of it, a quarter … (mean of two samples each time).

    Args:
        make: a discriminator for one scale.
        scales: how many.
    """

    def __init__(self, make: Callable[[], nn.Module], *, scales: int = 3) -> None:
        super().__init__()
        self.layers = nn.ModuleList([make() for _ in range(scales)])

    def forward(self, x: Float[Tensor, "batch channels samples"]) -> list[Features]:
        made = []
        for layer in self.layers:
            made.append(layer(x))
            x = functional.avg_pool1d(x, 2)
        return made


class MultiPeriod(nn.Module):
    """The waveform folded into rows of a period (Kong et al. 2020, HiFi-GAN, arXiv 2010.05646, section 2.3).

    Args:
        make: a discriminator of pictures.
        periods: in samples.
    """

    def __init__(self, make: Callable[[], nn.Module], *, periods: Sequence[int] = (2, 3, 5, 7, 11)) -> None:
        super().__init__()
        self.periods = tuple(periods)
        self.layers = nn.ModuleList([make() for _ in periods])

    def forward(self, x: Float[Tensor, "batch channels samples"]) -> list[Features]:
        made = []
        for layer, period in zip(self.layers, self.periods, strict=True):
            filled = functional.pad(x, (0, -x.shape[-1] % period))
            made.append(layer(filled.unflatten(-1, (-1, period))))
        return made


class SpectralScore(nn.Module):
    """EnCodec's discriminator of one complex spectrum (arXiv 2210.13438, figure 2).

    Args:
        n_fft: of the spectrum; the hop is a quarter.
        channels: of the waveform.
        capacity: channels of the layers.
    """

    def __init__(self, n_fft: int, *, channels: int = 1, capacity: int = 32) -> None:
        super().__init__()
        self.stft = Stft(n_fft=n_fft, hop_length=n_fft // 4, center=False, normalized=True)

        def conv(
            into: int, out: int, kernel: tuple[int, int], stride: tuple[int, int] = (1, 1), dilation: tuple = (1, 1)
        ) -> nn.Module:
            pads = tuple((size - 1) * apart // 2 for size, apart in zip(kernel, dilation, strict=True))
            return weight_norm(nn.Conv2d(into, out, kernel, stride, pads, dilation))  # type: ignore[arg-type]

        act = nn.LeakyReLU(0.2)
        self.net = nn.ModuleList(
            [
                nn.Sequential(conv(2 * channels, capacity, (9, 3)), act),
                *[nn.Sequential(conv(capacity, capacity, (9, 3), (2, 1), (1, wide)), act) for wide in (1, 2, 4)],
                nn.Sequential(conv(capacity, capacity, (3, 3)), act),
                conv(capacity, 1, (3, 3)),
            ]
        )

    def forward(self, x: Float[Tensor, "batch channels samples"]) -> Features:
        spectrum = self.stft(x)
        x = torch.cat([spectrum.real, spectrum.imag], 1)
        features = []
        for layer in self.net:
            x = layer(x)
            features.append(x)
        return features


class Joined(nn.Module):
    """Several discriminators as one.

    Args:
        parts: each gives one list of features, or a list of such lists.
        levelled: whether waveforms are freed of their mean and brought to a peak of 0.8 before.
    """

    def __init__(self, parts: Sequence[nn.Module], *, levelled: bool = False) -> None:
        super().__init__()
        self.discriminators = nn.ModuleList(parts)
        self.levelled = levelled

    def forward(self, x: Float[Tensor, "batch channels samples"]) -> list[Features]:
        if self.levelled:
            x = x - x.mean(-1, keepdim=True)
            x = 0.8 * x / (x.abs().amax(-1, keepdim=True) + 1e-9)
        made: list[Features] = []
        for part in self.discriminators:
            found = part(x)
            made += [found] if isinstance(found[0], Tensor) else found
        return made


# Those of the Descript Audio Codec (Kumar et al. 2023, arXiv 2306.06546, section 3.3); features are taken after the
# activation.


def _active(conv: nn.Module) -> nn.Module:
    return nn.Sequential(weight_norm(conv), nn.LeakyReLU(0.1))


class PeriodScore(nn.Module):
    """The waveform folded into rows of `period` samples.

    Args:
        period: in samples.
        channels: of the waveform.
        widths: channels of the layers.
    """

    def __init__(self, period: int, *, channels: int = 1, widths: Sequence[int] = (32, 128, 512, 1024, 1024)) -> None:
        super().__init__()
        self.period = period
        pairs = zip((channels, *widths[:-1]), widths, strict=True)
        steps = [3] * (len(widths) - 1) + [1]
        self.convs = nn.ModuleList(
            [
                _active(nn.Conv2d(into, out, (5, 1), (step, 1), (2, 0)))
                for (into, out), step in zip(pairs, steps, strict=True)
            ]
        )
        self.conv_post = weight_norm(nn.Conv2d(widths[-1], 1, (3, 1), padding=(1, 0)))

    def forward(self, x: Float[Tensor, "batch channels samples"]) -> Features:
        filled = functional.pad(x, (0, self.period - x.shape[-1] % self.period), mode="reflect")
        return _climbed(self.convs, self.conv_post, filled.unflatten(-1, (-1, self.period)))


class ScaleScore(nn.Module):
    """The waveform at 1 / rate of its rate, after a Kaiser low-pass of 140 dB.

    Args:
        rate: by how much it is reduced.
        channels: of the waveform.
    """

    def __init__(self, rate: int, *, channels: int = 1) -> None:
        super().__init__()
        self.rate = rate
        shapes = ((channels, 16, 15, 1, 1), (16, 64, 41, 4, 4), (64, 256, 41, 4, 16), (256, 1024, 41, 4, 64),
                  (1024, 1024, 41, 4, 256), (1024, 1024, 5, 1, 1))  # fmt: skip
        self.convs = nn.ModuleList(
            [_active(nn.Conv1d(i, o, k, step, k // 2, groups=groups)) for i, o, k, step, groups in shapes]
        )
        self.conv_post = weight_norm(nn.Conv1d(1024, 1, 3, padding=1))
        if rate > 1:
            from scipy.signal import firwin, kaiserord

            taps, beta = kaiserord(140.0, 1 / rate)
            window: Any = ("kaiser", beta)  # scipy's annotations know names only
            low_pass = firwin(2 * (taps // 2) + 1, 1 / rate, window=window, scale=False)
            self.register_buffer("low_pass", torch.from_numpy(low_pass).float(), persistent=False)

    def forward(self, x: Float[Tensor, "batch channels samples"]) -> Features:
        if self.rate > 1:
            low_pass = self.get_buffer("low_pass").expand(x.shape[1], 1, -1)
            x = functional.conv1d(x, low_pass, stride=self.rate, padding=low_pass.shape[-1] // 2, groups=x.shape[1])
        return _climbed(self.convs, self.conv_post, x)


class BandScore(nn.Module):
    """Complex spectra in bands, each with convolutions of its own.

    Args:
        n_fft: of the spectrum; the hop is a quarter.
        channels: of the waveform.
        bands: shares of the spectrum, low end and high end.
        width: channels of the layers.
    """

    def __init__(
        self,
        n_fft: int,
        *,
        channels: int = 1,
        bands: Sequence[tuple[float, float]] = DAC_BANDS,
        width: int = 32,
    ) -> None:
        super().__init__()
        bins = n_fft // 2 + 1
        self.bands = [(int(low * bins), int(high * bins)) for low, high in bands]
        self.stft = Stft(n_fft=n_fft, hop_length=n_fft // 4)
        shapes = [((3, 9), (1, 1)), *[((3, 9), (1, 2))] * 3, ((3, 3), (1, 1))]

        def stack() -> nn.ModuleList:
            layers = []
            for number, (kernel, stride) in enumerate(shapes):
                pads = (kernel[0] // 2, kernel[1] // 2)
                layers.append(_active(nn.Conv2d(width if number else 2 * channels, width, kernel, stride, pads)))
            return nn.ModuleList(layers)

        self.band_convs = nn.ModuleList([stack() for _ in self.bands])
        self.conv_post = weight_norm(nn.Conv2d(width, 1, (3, 3), padding=(1, 1)))

    def forward(self, x: Float[Tensor, "batch channels samples"]) -> Features:
        spectrum = torch.view_as_real(self.stft(x))  # [batch, channels, bins, frames, 2]
        picture = spectrum.permute(0, 1, 4, 3, 2).flatten(1, 2)
        features, ends = [], []
        for (low, high), stack in zip(self.bands, self.band_convs, strict=True):
            band = picture[..., low:high]
            for layer in stack:  # type: ignore[union-attr]
                band = layer(band)
                features.append(band)
            ends.append(band)
        return [*features, self.conv_post(torch.cat(ends, -1))]


def _climbed(layers: nn.ModuleList, last: nn.Module, x: Tensor) -> Features:
    features = []
    for layer in layers:
        x = layer(x)
        features.append(x)
    return [*features, last(x)]


def dac_discriminator(
    *,
    channels: int = 1,
    rates: Sequence[int] = (),
    periods: Sequence[int] = (2, 3, 5, 7, 11),
    sizes: Sequence[int] = (2048, 1024, 512),
    bands: Sequence[tuple[float, float]] = DAC_BANDS,
) -> Joined:
    """All that the Descript Audio Codec trains with.

    Raises:
        OptionError: no part is asked for.
    """
    parts: list[nn.Module] = [PeriodScore(period, channels=channels) for period in periods]
    parts += [ScaleScore(rate, channels=channels) for rate in rates]
    parts += [BandScore(size, channels=channels, bands=bands) for size in sizes]
    if not parts:
        raise OptionError("A discriminator needs at least one period, rate or size of a spectrum.")
    return Joined(parts, levelled=True)


def waveform_discriminator(
    *,
    kind: str,
    channels: int,
    capacity: int,
    layers: int = 4,
    scales: int = 3,
    periods: Sequence[int] = (2, 3, 5, 7, 11),
    multiplier: int = 4,
) -> nn.Module:
    """Discriminators of the published waveform autoencoders by name.

    Args:
        kind: "scales", "periods and scales", "melgan" (grouped convolutions at several scales), "spectra and scales"
            (EnCodec's beside the scales) or "dac".
        channels: of the waveform.
        capacity: channels after the first layer, except of "dac".
        layers: of each part.
        scales, periods, multiplier: as of `MultiScale`, `MultiPeriod` and `GroupedConvScore`.

    Raises:
        OptionError: there is no such kind.
    """

    def at_scales() -> nn.Module:
        return MultiScale(lambda: ConvScore(channels, capacity=capacity, layers=layers), scales=scales)

    def folded() -> nn.Module:
        return ConvScore(channels, capacity=capacity, layers=layers, kernel_size=5, folded=True)

    def grouped() -> nn.Module:
        return GroupedConvScore(channels, capacity=capacity, multiplier=multiplier, layers=layers, hidden=1)

    known: dict[str, Callable[[], nn.Module]] = {
        "scales": at_scales,
        "periods and scales": lambda: Joined([MultiPeriod(folded, periods=periods), at_scales()]),
        "melgan": lambda: MultiScale(grouped, scales=scales),
        "spectra and scales": lambda: Joined(
            [at_scales(), *[SpectralScore(size, channels=channels) for size in (4096, 2048, 1024, 512, 256)]]
        ),
        "dac": lambda: dac_discriminator(channels=channels, periods=periods),
    }
    if kind not in known:
        raise OptionError(f"There is no discriminator {kind!r}; choose one of {', '.join(known)}.")
    return known[kind]()
