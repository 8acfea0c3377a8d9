"""Compiles loops over samples that no array operation can do, when they are first called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def compiled(function: Callable[..., Any], *, any_order: bool = False) -> Callable[..., Any]:
    """The function, compiled by numba at its first call; kept on disk where that is possible.

    Args:
        any_order: sums may be taken in any order, so that they run several numbers at a time.
    """
    made: list[Callable[..., Any]] = []
    freedom = {"contract", "nsz"} | ({"reassoc", "arcp"} if any_order else set())

    def call(*arguments: Any) -> Any:
        if not made:
            import numba

            try:
                made.append(numba.njit(function, nogil=True, cache=True, fastmath=freedom))
            except RuntimeError:  # there is no folder that may be written
                made.append(numba.njit(function, nogil=True, fastmath=freedom))
        return made[0](*arguments)

    return call
