"""A stack of residual dilated convolutions over time, the temporal network of beat and chord listeners."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn


class DilatedBlock(nn.Module):
    """Convolution at one dilation, normalised over channels, with a residual connection; looks both ways.

    Args:
        width: channels.
        kernel_size: odd.
        dilation: frames between the taps.
        dropout: share of channels left out in training.
    """

    def __init__(self, *, width: int, kernel_size: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(
            width, width, kernel_size, padding=dilation * (kernel_size // 2), dilation=dilation
        )
        self.norm = nn.GroupNorm(1, width, affine=True)
        self.mix = nn.Conv1d(width, width, 1)
        self.dropout = nn.Dropout1d(dropout)
        self.activation = nn.ELU()

    def forward(self, x: Float[Tensor, "batch width frames"]) -> Float[Tensor, "batch width frames"]:
        """Frames as they came, and what their surroundings add."""
        # The norm is over channels at each frame alone, so that what is heard does not depend on where sound was cut.
        inner = self.activation(self.convolution(x))
        inner = self.norm(inner.transpose(1, 2).flatten(0, 1)[..., None]).view(x.shape[0], x.shape[2], x.shape[1])
        return x + self.mix(self.dropout(inner.transpose(1, 2)))


class DilatedStack(nn.Module):
    """Blocks with growing dilations (the temporal convolutional network of Davies & Böck, EUSIPCO 2019).

    Args:
        width: channels.
        dilations: of the blocks.
        kernel_size: odd.
        dropout: share of channels left out in training.
    """

    def __init__(self, *, width: int, dilations: Sequence[int], kernel_size: int = 5, dropout: float = 0.1) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *(
                DilatedBlock(width=width, kernel_size=kernel_size, dilation=dilation, dropout=dropout)
                for dilation in dilations
            )
        )
        self.reach = sum(dilation * (kernel_size // 2) for dilation in dilations)
        """Frames before and after that a frame's output depends on."""

    def forward(self, x: Float[Tensor, "batch width frames"]) -> Float[Tensor, "batch width frames"]:
        """Each frame in the light of those around it."""
        return self.blocks(x)
