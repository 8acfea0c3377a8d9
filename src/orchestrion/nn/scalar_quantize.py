"""Quantisers without codebooks: each number of a vector is rounded on its own, and the vector's code is written in the
digits that result."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from orchestrion.nn.quantize import Quantized


class FiniteScalarQuantizer(nn.Module):
    """Numbers are squashed to a range and rounded to a few levels (Mentzer et al. 2023, FSQ, arXiv 2309.15505).

    Args:
        levels: of each dimension; their product is the number of codes.
        margin: by how much the squashed range falls short of the outermost levels' edge.
    """

    basis: Tensor
    count: Tensor

    def __init__(self, levels: Sequence[int], *, margin: float = 1e-3) -> None:
        super().__init__()
        if min(levels) < 2:
            raise ValueError(f"every dimension needs at least two levels, not {list(levels)}")
        self.levels, self.margin = tuple(levels), margin
        self.register_buffer("count", torch.tensor(levels), persistent=False)
        self.register_buffer("basis", torch.tensor([1, *levels[:-1]]).cumprod(0), persistent=False)

    @property
    def size(self) -> int:
        """Number of codes."""
        return math.prod(self.levels)

    def bound(self, x: Float[Tensor, "batch dim frames"]) -> Float[Tensor, "batch dim frames"]:
        """tanh to (−L/2, L/2), moved by ½ for even L so that rounding gives L levels."""
        half = (self.count - 1) * (1 - self.margin) / 2
        offset = torch.where(self.count % 2 == 0, 0.5, 0.0)
        shift = (offset / half).tan()  # as in the listing of the paper
        half, offset, shift = (value[:, None].to(x) for value in (half, offset, shift))
        return (x + shift).tanh() * half - offset

    def forward(self, x: Float[Tensor, "batch dim frames"]) -> Quantized:
        """Values in [−1, 1], with gradients as if there was no rounding; no commitment is needed."""
        bounded = self.bound(x)
        rounded = bounded + (bounded.round() - bounded).detach()
        values = rounded / (self.count // 2)[:, None]
        return Quantized(values, self.encode(values.detach())[:, None], x.new_zeros(()))

    def encode(self, values: Float[Tensor, "batch dim frames"]) -> Int[Tensor, "batch frames"]:
        """The codes of quantised values."""
        half = (self.count // 2)[:, None]
        return ((values * half + half).round().long() * self.basis[:, None]).sum(1)

    def decode(self, codes: Int[Tensor, "batch 1 frames"]) -> Float[Tensor, "batch dim frames"]:
        """The values of codes."""
        digits = codes // self.basis[:, None] % self.count[:, None]
        half = (self.count // 2)[:, None]
        return (digits - half) / half


class LookupFreeQuantizer(nn.Module):
    """Each number becomes its sign, a bit of the code (Yu et al. 2023, MAGVIT-v2, arXiv 2310.05737, section 3.1).

    Args:
        bits: dimensions; there are 2^bits codes.
        temperature: of the softened choice in the entropy penalty.
    """

    def __init__(self, bits: int, *, temperature: float = 0.01) -> None:
        super().__init__()
        self.bits, self.temperature = bits, temperature

    @property
    def size(self) -> int:
        """Number of codes."""
        return 2**self.bits

    def forward(self, x: Float[Tensor, "batch dim frames"]) -> Quantized:
        """Values of ±1, with gradients as if there was no rounding; the commitment is the mean squared distance."""
        signs = torch.where(x > 0, 1.0, -1.0).to(x)
        values = x + (signs - x).detach()
        return Quantized(values, self.encode(signs)[:, None], functional.mse_loss(x, signs))

    def entropy_penalty(self, x: Float[Tensor, "batch dim frames"], *, diversity: float = 1.0) -> Float[Tensor, ""]:
        """E[H(q(x))] − diversity · H(E[q(x)]) in nats (equation 4): every choice sure, all codes used alike.

        The bits are independent given x, so that entropies are sums over bits; that of the average is one of the
        bits' averages, an upper bound which needs no table of all codes.
        """
        sure = torch.sigmoid(4 * x / self.temperature)  # of −‖x − c‖²/τ over c = ±1
        each, average = _bit_entropy(sure).sum(1).mean(), _bit_entropy(sure.mean((0, 2))).sum()
        return each - diversity * average

    def encode(self, values: Float[Tensor, "batch dim frames"]) -> Int[Tensor, "batch frames"]:
        """The codes of signs, the first dimension the highest bit."""
        powers = 2 ** torch.arange(self.bits - 1, -1, -1, device=values.device)
        return ((values > 0).long() * powers[:, None]).sum(1)

    def decode(self, codes: Int[Tensor, "batch 1 frames"]) -> Float[Tensor, "batch dim frames"]:
        """The signs of codes."""
        powers = 2 ** torch.arange(self.bits - 1, -1, -1, device=codes.device)
        return torch.where(codes // powers[:, None] % 2 == 1, 1.0, -1.0)


def _bit_entropy(p: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    return torch.special.entr(p) + torch.special.entr(1 - p)
