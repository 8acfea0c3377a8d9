"""A discriminator that judges each patch of a picture (Isola et al. 2017, arXiv 1611.07004, PatchGAN)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn


class PatchDiscriminator(nn.Module):
    """Convolutions of 4 × 4, halving with each of `layers`, batch norm but at both ends, leaky ReLU of slope 0.2.

    Args:
        in_channels: of the picture.
        width: channels of the first layer; doubled by each, at most eightfold.
        layers: that halve.
    """

    def __init__(self, *, in_channels: int = 1, width: int = 64, layers: int = 3) -> None:
        super().__init__()
        parts: list[nn.Module] = [nn.Conv2d(in_channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        count = width
        for number in range(1, layers + 1):
            out = width * min(2**number, 8)
            stride = 2 if number < layers else 1
            parts += [nn.Conv2d(count, out, 4, stride, 1, bias=False), nn.BatchNorm2d(out), nn.LeakyReLU(0.2)]
            count = out
        self.layers = nn.Sequential(*parts, nn.Conv2d(count, 1, 4, 1, 1))
        for part in self.layers:
            if isinstance(part, nn.Conv2d):
                nn.init.normal_(part.weight, 0.0, 0.02)
            elif isinstance(part, nn.BatchNorm2d):
                nn.init.normal_(part.weight, 1.0, 0.02)

    def forward(self, x: Float[Tensor, "batch in_channels height width"]) -> Float[Tensor, "batch 1 h w"]:
        """A score for each patch; above 0 means real."""
        return self.layers(x)
