"""Activations beyond those of torch, and how they are chosen by name."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from orchestrion.errors import OptionError
from orchestrion.nn.planar_convolution import plainly

Activation = Callable[[int], nn.Module]
"""Channels → module."""


def _with_wave(
    x: Float[Tensor, "batch channels time"], rate: Float[Tensor, "channels 1"], divisor: Float[Tensor, "channels 1"]
) -> Float[Tensor, "batch channels time"]:
    """x + sin²(rate·x) / divisor."""
    height = (divisor + 1e-9).reciprocal()  # as published: to divide rounds otherwise, and many layers add up
    if plainly(x):  # one tensor instead of five
        return (rate * x).sin_().square_().mul_(height).add_(x)
    return x + height * (rate * x).sin().square()


class Snake(nn.Module):
    """x + sin²(αx) / α with one learned α a channel (Ziyin et al. 2020, arXiv 2006.08195, eq. 3).

    Args:
        channels: of the input.
    """

    pointwise = True  # for streams

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(channels, 1))

    def forward(self, x: Float[Tensor, "batch channels time"]) -> Float[Tensor, "batch channels time"]:
        return _with_wave(x, self.alpha, self.alpha)


class SnakeBeta(nn.Module):
    """x + sin²(e^a·x) / e^b with learned a and b a channel: how fast and how high the wave is (BigVGAN's variant of
    Snake, arXiv 2206.04658, in its logarithmic form, where both begin at 0).

    Args:
        channels: of the input.
    """

    pointwise = True  # for streams

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(channels, 1))
        self.beta = nn.Parameter(torch.zeros(channels, 1))

    def forward(self, x: Float[Tensor, "batch channels time"]) -> Float[Tensor, "batch channels time"]:
        return _with_wave(x, self.alpha.exp(), self.beta.exp())


def activation(name: str, *, slope: float = 0.2) -> Activation:
    """What makes an activation for a number of channels.

    Args:
        name: "leaky_relu", "elu", "snake" or "snake_beta".
        slope: of leaky rectifiers below 0.

    Raises:
        OptionError: there is no such activation.
    """
    known: dict[str, Activation] = {
        "leaky_relu": lambda channels: nn.LeakyReLU(slope),
        "elu": lambda channels: nn.ELU(),
        "snake": Snake,
        "snake_beta": SnakeBeta,
    }
    if name not in known:
        raise OptionError(f"There is no activation {name!r}; choose one of {', '.join(known)}.")
    return known[name]


def modified_sigmoid(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """2σ(x)^ln 10 + 1e-7, which goes over a wide range of amplitudes (DDSP, Engel et al. 2020, arXiv 2001.04643).

    The exponent is 2.3, as RAVE rounds ln 10.
    """
    return 2 * torch.sigmoid(x) ** 2.3 + 1e-7


def gelu_in_place(x: Tensor) -> Tensor:
    """GELU of a tensor that nobody reads afterwards: without gradient it is written over, which spares the memory."""
    return torch.ops.aten.gelu_(x) if plainly(x) else functional.gelu(x)


def add_in_place(branch: Tensor, x: Tensor) -> Tensor:
    """x + branch, where nobody reads the branch afterwards: without gradient it is written over."""
    return x + branch if torch.is_grad_enabled() or branch.dtype != x.dtype else branch.add_(x)
