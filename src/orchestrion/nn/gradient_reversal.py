"""A layer that does nothing on the way up and turns the gradient round on the way down (Ganin & Lempitsky 2015)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return -ctx.strength * gradients[0], None


def reverse_gradient(x: Tensor, strength: float = 1.0) -> Tensor:
    """`x`, whose gradient is multiplied by −`strength`."""
    reversed_: Tensor = _Reversal.apply(x, strength)  # type: ignore[assignment]
    return reversed_
