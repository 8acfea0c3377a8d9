"""Plain convolutional encoder and decoder of frames of features, as X-Codec has them around its quantiser (Ye et al.
2024, arXiv 2408.17175, section 3)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from orchestrion.nn.convolution import Residual


def feature_unit(width: int) -> Residual:
    """x + conv1(ELU(conv3(ELU(x)))), without biases."""
    wide, narrow = nn.Conv1d(width, width, 3, padding=1, bias=False), nn.Conv1d(width, width, 1, bias=False)
    return Residual(nn.Sequential(nn.ELU(), wide, nn.ELU(), narrow))


class FeatureEncoder(nn.Module):
    """Conv k3; blocks of units and a conv k3; no frame is lost.

    Args:
        width: channels in and out.
        blocks, units: how many, and how many in each.
    """

    def __init__(self, width: int, *, blocks: int = 2, units: int = 2) -> None:
        super().__init__()
        self.first = nn.Conv1d(width, width, 3, padding=1, bias=False)
        self.blocks = nn.Sequential(
            *[
                nn.Sequential(*[feature_unit(width) for _ in range(units)], nn.Conv1d(width, width, 3, padding=1))
                for _ in range(blocks)
            ]
        )

    def forward(self, x: Float[Tensor, "batch width frames"]) -> Float[Tensor, "batch width frames"]:
        return self.blocks(self.first(x))


class FeatureDecoder(nn.Module):
    """The mirror of `FeatureEncoder`: in blocks the conv comes first, and a conv k3 ends.

    Args:
        width, blocks, units: as of the encoder.
    """

    def __init__(self, width: int, *, blocks: int = 2, units: int = 2) -> None:
        super().__init__()
        self.first = nn.Conv1d(width, width, 3, padding=1, bias=False)
        self.blocks = nn.Sequential(
            *[
                nn.Sequential(nn.Conv1d(width, width, 3, padding=1), *[feature_unit(width) for _ in range(units)])
                for _ in range(blocks)
            ]
        )
        self.last = nn.Conv1d(width, width, 3, padding=1, bias=False)

    def forward(self, x: Float[Tensor, "batch width frames"]) -> Float[Tensor, "batch width frames"]:
        return self.last(self.blocks(self.first(x)))
