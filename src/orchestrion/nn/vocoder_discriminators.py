"""The discriminators that HiFi-GAN trains with (Kong et al. 2020, arXiv 2010.05646, sections 2.3 and appendix): of the
waveform folded by periods, and of the waveform at several rates.

Each gives the list of its features, taken after the activation, of which the last is the score.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from orchestrion.nn.discriminators import Features, Joined

SLOPE = 0.1


class FoldedScore(nn.Module):
    """The waveform in rows of `period` samples, filled up by reflection where the last row is not full.

    Args:
        period: in samples.
        widths: channels of the layers; all but the last have stride 3.
    """

    def __init__(self, period: int, *, widths: Sequence[int] = (32, 128, 512, 1024, 1024)) -> None:
        super().__init__()
        self.period = period
        pairs = list(zip((1, *widths[:-1]), widths, strict=True))
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(into, out, (5, 1), (1 if number == len(pairs) - 1 else 3, 1), (2, 0)))
            for number, (into, out) in enumerate(pairs)
        )
        self.last = weight_norm(nn.Conv2d(widths[-1], 1, (3, 1), padding=(1, 0)))

    def forward(self, x: Float[Tensor, "batch 1 samples"]) -> Features:
        x = functional.pad(x, (0, -x.shape[-1] % self.period), mode="reflect").unflatten(-1, (-1, self.period))
        return _climbed(self.layers, self.last, x)


class PooledScore(nn.Module):
    """MelGAN's discriminator at a rate that is halved `halvings` times (mean of four samples, stride 2).

    Args:
        halvings: the first scale, at full rate, has spectral norm and the others weight norm.
        width: channels after the first layer.
    """

    def __init__(self, halvings: int, *, width: int = 128) -> None:
        super().__init__()
        self.halvings, norm = halvings, weight_norm if halvings else spectral_norm
        shapes = (
            (1, width, 15, 1, 1), (width, width, 41, 2, 4), (width, 2 * width, 41, 2, 16),
            (2 * width, 4 * width, 41, 4, 16), (4 * width, 8 * width, 41, 4, 16), (8 * width, 8 * width, 41, 1, 16),
            (8 * width, 8 * width, 5, 1, 1),
        )  # fmt: skip
        self.layers = nn.ModuleList(
            norm(nn.Conv1d(into, out, size, stride, size // 2, groups=groups))
            for into, out, size, stride, groups in shapes
        )
        self.last = norm(nn.Conv1d(8 * width, 1, 3, padding=1))

    def forward(self, x: Float[Tensor, "batch 1 samples"]) -> Features:
        for _ in range(self.halvings):
            x = functional.avg_pool1d(x, 4, 2, padding=2)
        return _climbed(self.layers, self.last, x)


def _climbed(layers: nn.ModuleList, last: nn.Module, x: Tensor) -> Features:
    features = []
    for layer in layers:
        x = functional.leaky_relu(layer(x), SLOPE)
        features.append(x)
    return [*features, last(x)]


def hifigan_discriminator(
    *,
    periods: Sequence[int] = (2, 3, 5, 7, 11),
    widths: Sequence[int] = (32, 128, 512, 1024, 1024),
    scales: int = 3,
    scale_width: int = 128,
) -> Joined:
    """All of them as one; the defaults are the published sizes."""
    parts: list[nn.Module] = [FoldedScore(period, widths=widths) for period in periods]
    parts += [PooledScore(number, width=scale_width) for number in range(scales)]
    return Joined(parts)
