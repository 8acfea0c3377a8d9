"""Two sounds that overlap, found out and joined."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from orchestrion.errors import check_choice

LONGEST_SHIFT = 1000  # samples


def best_offset(
    first: Float[np.ndarray, " samples"],
    second: Float[np.ndarray, " samples"],
    *,
    shortest: int = 0,
    longest: int = LONGEST_SHIFT,
) -> int:
    """How many samples into the last quarter of `first` the first quarter of `second` begins; negative: before it.

    The shift of least mean absolute difference, below `longest` in both directions.

    Args:
        shortest: smallest shift that is tried; MusicLDM's code starts with 2.
    """
    quarter = min(len(first), len(second)) // 4
    before, after = first[len(first) - len(first) // 4 :][:quarter], second[:quarter]
    best, least = 0, np.inf
    for shift in range(shortest, min(longest, quarter)):
        stop = quarter - shift
        for offset, distance in (
            (shift, np.abs(before[shift:] - after[:stop]).mean()),
            (-shift, np.abs(before[:stop] - after[shift:]).mean()),
        ):
            if distance < least:
                best, least = offset, distance
    return best


def join_overlapping(
    first: Float[np.ndarray, " samples"],
    second: Float[np.ndarray, " samples"],
    offset: int,
    *,
    fade: int = 0,
    quirks: str = "none",
) -> Float[np.ndarray, " joined"]:
    """`first` up to where `second` begins, then `second`.

    Args:
        offset: as `best_offset` finds it.
        fade: samples over which one goes over into the other.
        quirks: "official" cuts at twice the offset, as MusicLDM's code does, counted from the start where that is not
            before the end.

    Raises:
        OptionError: there is no such quirk.
    """
    check_choice("quirks", quirks, "none", "official")
    quarter = len(first) // 4
    kept = first[: 2 * offset - quarter if quirks == "official" else len(first) - quarter + offset]
    start, joined = len(kept), np.concatenate([kept, second])
    fade = min(fade, len(first) - start, len(second))
    if fade > 0:
        rise = np.linspace(0, 1, fade, dtype=joined.dtype)
        joined[start : start + fade] = first[start : start + fade] * (1 - rise) + second[:fade] * rise
    return joined
