"""Learning-rate factors and weights as functions of the step."""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[int], float]
"""Step of the stage, counted from 0 → a number."""


def warmup_cosine(warmup: int, steps: int, floor: float = 0.05) -> Schedule:
    """Linear from 0 over `warmup` steps to 1, then half a cosine down to `floor` at `steps`."""

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        progress = min((step - warmup) / max(steps - warmup, 1), 1.0)
        return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))

    return factor


def warmup_constant(warmup: int) -> Schedule:
    """Linear from 0 over `warmup` steps to 1, which it stays at."""
    return lambda step: min((step + 1) / max(warmup, 1), 1.0)


def warmup_linear(warmup: int, steps: int, *, start: float, floor: float, quirks: str = "none") -> Schedule:
    """From `start` linearly to 1 over `warmup` steps, then linearly to 0 at `steps`, but never below `floor`.

    Args:
        quirks: "official" takes one step more than `warmup` to rise, and so passes 1, as the code of GETMusic does; a
            `start` above 1 it keeps instead of falling to 1.
    """
    rising = warmup + (quirks == "official")
    peak = max(start, 1) if quirks == "official" else 1

    def factor(step: int) -> float:
        number = step + 1
        if number <= rising:
            return start + number * (peak - start) / warmup
        top = start + rising * (peak - start) / warmup
        return max(top * (1 - (number - rising) / max(steps - warmup, 1)), floor)

    return factor


def ramp(start: float, end: float, steps: int, *, first: int = 0, logarithmic: bool = False) -> Schedule:
    """From `start`, left at step `first`, to `end`, reached `steps` later and kept.

    Args:
        logarithmic: in equal ratios instead of equal differences; both ends must be above 0.

    Raises:
        ValueError: an end of a logarithmic ramp is not above 0, or there are no steps.
    """
    if steps < 1:
        raise ValueError(f"a ramp needs at least 1 step, not {steps}")
    if logarithmic and not (start > 0 and end > 0):
        raise ValueError(f"a logarithmic ramp goes between numbers above 0, not from {start} to {end}")

    def value(step: int) -> float:
        progress = min(max((step - first) / steps, 0.0), 1.0)
        if logarithmic:
            return start ** (1 - progress) * end**progress
        return start + (end - start) * progress

    return value


def decay(factor: float, every: int) -> Schedule:
    """Multiplied by `factor` once in `every` steps (once an epoch, as vocoders are trained)."""
    return lambda step: factor ** (step // every)
