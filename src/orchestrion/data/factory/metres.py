"""The same tune in other metres: the changes that arrangers make so that it fits a groove."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrion.data.factory.accompany import STEPS, swing

StepNote = tuple[int, int, int]  # onset and duration in grid steps, pitch


@dataclass(frozen=True, slots=True)
class Fit:
    """How a metre becomes another.

    Attributes:
        source, target: the metres.
        bars: bars of the source in a bar of the target.
        how: "scale" (times are multiplied by `factor`), "shuffle" (quarters become dotted, their halves long and
            short), or "five" (bars of three quarters become bars of five, their last note held longer).
        swung_only: right only under an accompaniment in triplets.
        share: how often it is chosen.
    """

    source: tuple[int, int]
    target: tuple[int, int]
    share: float
    bars: float = 1
    how: str = "scale"
    factor: float = 1.0
    swung_only: bool = False

    def time(self, step: float) -> float:
        """Where a time goes, both in grid steps."""
        if self.how == "scale":
            return step * self.factor
        if self.how == "shuffle":
            return swing(step) * 1.5
        bar, place = divmod(step, 3 * STEPS)
        return bar * 5 * STEPS + place


FITS = (
    Fit((4, 4), (4, 4), 0.88), Fit((4, 4), (2, 4), 0.05, factor=0.5), Fit((4, 4), (12, 8), 0.07, how="shuffle"),
    Fit((2, 4), (4, 4), 0.62, factor=2.0), Fit((2, 4), (2, 4), 0.26), Fit((2, 4), (12, 8), 0.12, bars=2, how="shuffle"),
    Fit((3, 4), (3, 4), 0.84), Fit((3, 4), (5, 4), 0.1, how="five"), Fit((3, 4), (9, 8), 0.06, how="shuffle"),
    Fit((6, 8), (6, 8), 0.45), Fit((6, 8), (3, 4), 0.3, bars=0.5, factor=2.0), Fit((6, 8), (12, 8), 0.12, bars=2),
    Fit((6, 8), (4, 4), 0.13, bars=2, factor=2 / 3, swung_only=True),
    Fit((9, 8), (9, 8), 0.7), Fit((9, 8), (3, 4), 0.3, factor=2 / 3, swung_only=True),
    Fit((12, 8), (12, 8), 1.0), Fit((6, 4), (6, 4), 1.0), Fit((3, 8), (3, 8), 0.4),
    Fit((3, 8), (3, 4), 0.6, factor=2.0),
    Fit((3, 2), (3, 4), 1.0, factor=0.5), Fit((2, 2), (4, 4), 1.0),
)  # fmt: skip


def fits(source: tuple[int, int]) -> list[Fit]:
    """All ways to write a tune of a metre."""
    return [fit for fit in FITS if fit.source == source]


def refit(notes: Sequence[StepNote], fit: Fit) -> list[StepNote]:
    """Notes moved into the metre of `fit`. Pick-ups (negative onsets) move with the bar that they lead to."""
    moved: dict[int, tuple[int, int]] = {}
    for onset, duration, pitch in notes:
        start = round(fit.time(onset))
        moved[start] = (max(round(fit.time(onset + duration)) - start, 1), pitch)
    times = sorted(moved)
    result = []
    for index, time in enumerate(times):
        duration, pitch = moved[time]
        if index + 1 < len(times):
            duration = min(duration, times[index + 1] - time)
        result.append((time, duration, pitch))
    return result


def fitted_bars(bars: int, fit: Fit) -> int:
    """Bars of the target that so many of the source take."""
    return int(-(-bars // fit.bars))
