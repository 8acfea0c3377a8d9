"""What is computed from a weight and kept until the weight changes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable

import torch
from torch import Tensor


class Derived:
    """Keeps the last result of a function of weights; copies of a network begin without it.

    A weight has changed where another tensor stands in its place or it was written to.
    """

    def __init__(self) -> None:
        self._state: tuple[object, ...] | None = None
        self._value: Tensor | None = None

    def __call__(self, weight: Tensor, make: Callable[..., Tensor], *options: Hashable) -> Tensor:
        """`make(weight, *options)`, without gradient; `make` is always the same function."""
        return self.of([weight], lambda: make(weight, *options), *options)

    def of(self, weights: Iterable[Tensor], make: Callable[[], Tensor], *options: Hashable) -> Tensor:
        """`make()`, without gradient, which depends on `weights` and `options` alone; `make` always does the same."""
        state = (*map(_identity, weights), *options)
        if self._value is None or self._state != state:
            with torch.inference_mode(False), torch.no_grad():
                self._state, self._value = state, make()
        return self._value

    def __reduce__(self) -> tuple[type[Derived], tuple[()]]:
        return Derived, ()


def _identity(weight: Tensor) -> tuple[object, ...]:
    version = 0 if weight.is_inference() else weight._version
    return weight.data_ptr(), version, weight.device, weight.dtype, tuple(weight.shape)
