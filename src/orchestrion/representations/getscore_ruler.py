"""Where the columns of a grid stand in a score: a column a sixteenth note, bars of as many columns as their metre
has."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from orchestrion.errors import InputError
from orchestrion.media.timeline import Timeline
from orchestrion.representations.getscore import COLUMNS_PER_QUARTER

if TYPE_CHECKING:
    from symusic.core import ScoreTick

LONGEST_BAR = 32  # columns
MOST_BARS = 1024


@dataclass(frozen=True, slots=True)
class Ruler:
    """Columns and bars of a grid.

    Attributes:
        ticks: where each column begins, and where the last ends.
        bars: the first column of each bar, and the number of columns.
        metres: of each bar.
        tpq: ticks a quarter note.
    """

    ticks: Float[np.ndarray, " edges"]
    bars: Int[np.ndarray, " bar_edges"]
    metres: tuple[tuple[int, int], ...]
    tpq: int

    @classmethod
    def from_score(cls, score: ScoreTick, *, bars: int | None = None) -> Ruler:
        """Of so many bars; of all up to the end of the music by default.

        A bar has 16 columns in 4/4, 12 in 3/4 and 6/8, 8 in 2/4, 24 in 12/8. A bar that a new time signature cuts short
        has as many as fit.

        Raises:
            InputError: a metre does not come out in sixteenths, or has bars of more than 32 of them; or there are more
                than 1024 bars.
        """
        timeline = Timeline.from_score(score)
        count = timeline.n_bars if bars is None else bars
        if count > MOST_BARS:
            raise InputError(f"The piece has {count} bars; {MOST_BARS} are the most, so cut it into parts.")
        edges = np.asarray(timeline.bar_to_tick(np.arange(count + 1, dtype=float)))
        step = score.tpq / COLUMNS_PER_QUARTER
        ticks, starts, metres = [], [0], []
        for start, stop in pairwise(edges):
            numerator, denominator = timeline.metre_at(start)
            whole = numerator * 4 * COLUMNS_PER_QUARTER / denominator
            if whole != int(whole) or whole > LONGEST_BAR:
                raise InputError(
                    f"The piece is in {numerator}/{denominator} at bar {len(metres) + 1}; GETMusic reads "
                    f"metres whose bars are of 1 to {LONGEST_BAR} sixteenths, such as 4/4, 3/4, 2/4, 6/8 and 12/8."
                )
            columns = max(round((stop - start) / step), 1)
            ticks.append(start + np.arange(columns) * step)
            starts.append(starts[-1] + columns)
            metres.append((numerator, denominator))
        return cls(np.concatenate([*ticks, edges[-1:]]), np.array(starts), tuple(metres), score.tpq)

    @classmethod
    def regular(cls, metre: tuple[int, int], bars: int, *, tpq: int = 480) -> Ruler:
        """Of `bars` bars in one metre.

        Raises:
            InputError: as `from_score`.
        """
        import symusic

        score: Any = symusic.Score(tpq)
        score.time_signatures.append(symusic.TimeSignature(0, *metre))
        return cls.from_score(score, bars=bars)

    @property
    def columns(self) -> int:
        """Number of columns."""
        return int(self.bars[-1])

    def column_of(self, ticks: Int[np.ndarray, " notes"]) -> Int[np.ndarray, " notes"]:
        """The nearest column of each tick; the last column for what lies behind it."""
        after = np.searchsorted(self.ticks, ticks, side="right")
        low = np.clip(after - 1, 0, self.columns)
        high = np.clip(after, 0, self.columns)
        nearer = np.where(ticks - self.ticks[low] <= self.ticks[high] - ticks, low, high)
        return np.minimum(nearer, self.columns - 1)

    def columns_in(self, ticks: Int[np.ndarray, " notes"]) -> Int[np.ndarray, " notes"]:
        """Lengths in ticks as whole numbers of columns, at least 1."""
        return np.maximum(np.rint(ticks * COLUMNS_PER_QUARTER / self.tpq).astype(int), 1)

    def places(self) -> Int[np.ndarray, "columns 2"]:
        """Of each column, its place in its bar and the number of columns of that bar."""
        lengths = np.diff(self.bars)
        of = np.repeat(np.arange(len(lengths)), lengths)
        return np.stack([np.arange(self.columns) - self.bars[:-1][of], lengths[of]], 1)

    def bar_of(self, column: int) -> int:
        """The bar in which a column lies."""
        return int(np.searchsorted(self.bars, column, side="right")) - 1
