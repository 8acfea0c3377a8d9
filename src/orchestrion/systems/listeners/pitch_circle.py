"""A convolution round the circle of pitch classes, which treats all twelve roots alike."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad


class Circular(nn.Module):
    """A convolution over all twelve pitch classes, which go round."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, (12, 1))

    def forward(self, x: Float[Tensor, "batch inputs 12 frames"]) -> Float[Tensor, "batch outputs 12 frames"]:
        """Each class in the light of all others, by how far they are above it."""
        return self.convolution(pad(x, (0, 0, 0, 11), mode="circular"))
