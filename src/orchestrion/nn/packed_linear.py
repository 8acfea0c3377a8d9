"""Linear layers that keep their weights in the order in which the processor reads them, where that is faster.

torch multiplies with Intel's MKL, which takes slower ways on the processors of others: there a product of few rows and
a large weight takes two to three times as long as with oneDNN and a weight that was packed before.
"""

from __future__ import annotations

import functools
import platform
from collections.abc import Callable
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from orchestrion.nn.derived import Derived
from orchestrion.nn.planar_convolution import plainly

LARGE = 1 << 18  # entries of a weight from which packing pays for two rows: the call itself takes 20 µs longer
MUCH = 1 << 24  # products of numbers from which it pays for any weight
ROWS = 8  # that weights are packed for; as fast for any other number
CACHED = 1 << 23  # weights of a stack of layers that a processor's cache holds: then one row is quicker as it is


class Linear(nn.Linear):
    """`nn.Linear` with the same weights and, to rounding, the same result; see `linear`."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__(in_features, out_features, bias)
        self._packed = Derived()

    def forward(self, input: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        if "weight" not in self._parameters:  # parametrised: made anew at every call
            return super().forward(input)
        return linear(input, self.weight, self.bias, self._packed)

    def projection(self, *, cold: bool = False) -> Callable[[Tensor], Tensor]:
        """See `projection`."""
        return projection(self.weight, self.bias, self._packed, cold=cold)


def linear(
    x: Float[Tensor, "*batch inputs"],
    weight: Float[Tensor, "outputs inputs"],
    bias: Float[Tensor, " outputs"] | None,
    kept: Derived,
    cold: bool = False,
) -> Float[Tensor, "*batch outputs"]:
    """`functional.linear`. Where much is multiplied, without gradient, `kept` holds the weight packed.

    Args:
        cold: whether the weight comes from memory, not from a cache: then one row, too, is quicker with it packed.
    """
    rows = x.shape[:-1].numel()
    small = weight.numel() < LARGE and rows * weight.numel() < MUCH
    if small or (rows == 1 and not cold) or not plainly(x) or not packs():
        return functional.linear(x, weight, bias)
    return product(x.contiguous(), kept(weight, _pack), bias)


def product(
    x: Float[Tensor, "*batch inputs"],
    weight: Float[Tensor, "outputs inputs"],
    bias: Float[Tensor, " outputs"] | None = None,
) -> Float[Tensor, "*batch outputs"]:
    """x weightᵀ + bias by oneDNN, where `packs()`; `x` is contiguous, and `weight` may be packed."""
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")


def projection(weight: Tensor, bias: Tensor | None, kept: Derived, *, cold: bool = False) -> Callable[[Tensor], Tensor]:
    """x → `linear(x, …)` for one row or a few, without looking at small weights again at every call."""
    if weight.numel() < LARGE or not packs():
        return functools.partial(functional.linear, weight=weight, bias=bias)
    return functools.partial(linear, weight=weight, bias=bias, kept=kept, cold=cold)


def few_rows(
    weight: Float[Tensor, "outputs inputs"], bias: Float[Tensor, " outputs"], kept: Derived
) -> Callable[[Tensor], Tensor]:
    """x → `functional.linear(x, weight, bias)` for loops over steps of a few rows, without gradient; `kept` holds the
    weight packed, or turned where MKL is at home."""
    if not packs():
        other_way = kept(weight, turned)
        return lambda x: torch.addmm(bias, x, other_way)
    return projection(weight, bias, kept)


def turned(weight: Float[Tensor, "outputs inputs"]) -> Float[Tensor, "inputs outputs"]:
    """The weight with its rows as columns, for `Derived`."""
    return weight.t().contiguous()


def _pack(weight: Tensor) -> Tensor:
    return torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), ROWS)


@functools.cache
def packs() -> bool:
    """Whether weights are packed on this machine: on x86 processors that are not Intel's."""
    return (
        platform.machine() in ("x86_64", "AMD64")
        and torch.backends.mkl.is_available()
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_reorder_linear_weight")
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        and "intel" not in _maker().lower()
    )


def _maker() -> str:
    told = Path("/proc/cpuinfo")
    return _vendor(told.read_text(errors="replace")) if told.exists() else platform.processor()


def _vendor(told: str) -> str:
    """The line that names the maker; Intel where none does, as nothing is gained there."""
    return next((line for line in told.splitlines() if line.startswith("vendor_id")), "Intel")
