"""The tempo map: ticks, quarters, beats, bars and seconds, converted here and nowhere else.

Positions are counted from 0: bar 2.5 is the middle of the third bar. A time signature begins a new bar wherever it
stands, so a pick-up is a first bar that the next signature cuts short.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from jaxtyping import Float, Int

if TYPE_CHECKING:
    from symusic.core import ScoreTick

DEFAULT_MSPQ = 500_000  # microseconds a quarter: 120 bpm, the default of the MIDI standard
DEFAULT_METRE = (4, 4)
LARGEST_DENOMINATOR = 128  # shorter beats occur in damaged files only

Array = np.ndarray[Any, np.dtype[Any]]


class Timeline:
    """Converts positions between ticks, quarters, beats, bars and seconds.

    Every conversion takes a number and returns a float, or takes an array and returns a float64 array of its shape;
    all are continuous, increasing, and each other's inverse. Beyond the last event the last tempo and metre hold.

    Tempos that are not positive, and time signatures without beats or with a beat shorter than 1/128, count as absent.
    Of several events at one tick the last wins.

    Args:
        tpq: ticks a quarter note.
        tempos: (tick, microseconds a quarter).
        metres: (tick, numerator, denominator).
        end: tick at which the music ends; it limits `n_bars`, `bar_starts` and `beat_starts`.
        pickup: ticks before the first full bar. The bar that holds them is bar 0.

    Raises:
        ValueError: `tpq` is not positive, or `pickup` is negative or not shorter than the first bar.
    """

    def __init__(
        self,
        *,
        tpq: int,
        tempos: Iterable[tuple[int, float]] = (),
        metres: Iterable[tuple[int, int, int]] = (),
        end: int = 0,
        pickup: int = 0,
    ) -> None:
        if tpq <= 0:
            raise ValueError(f"There must be at least one tick a quarter, not {tpq}.")
        self.tpq = int(tpq)
        self.end = max(int(end), 0)
        self._tempo_tick, self._mspq = _tempo_table(tempos)
        lengths = np.diff(self._tempo_tick) * self._mspq[:-1]
        self._tempo_second = np.concatenate([[0.0], np.cumsum(lengths)]) / (1e6 * self.tpq)
        table = _metre_table(metres)
        if pickup:
            numerator, denominator = table[0][1:]
            if not 0 < pickup < numerator * 4 * tpq / denominator:
                raise ValueError(f"A pick-up of {pickup} ticks does not fit in a bar of {numerator}/{denominator}.")
            later = [row for row in table[1:] if row[0] > pickup]
            held = [row[1:] for row in table if row[0] <= pickup][-1]
            table = [(0, numerator, denominator), (int(pickup), *held), *later]
        self._metre_tick = np.array([row[0] for row in table], dtype=np.float64)
        self._metres = [(numerator, denominator) for _, numerator, denominator in table]
        self._bar = np.array([4.0 * self.tpq * n / d for n, d in self._metres])
        self._beat = np.array([beat_quarters(n, d) * self.tpq for n, d in self._metres])
        whole = np.ceil(np.diff(self._metre_tick) / self._bar[:-1] - 1e-9)
        self._first_bar = np.concatenate([[0.0], np.cumsum(whole)])
        self._first_beat = np.concatenate([[0.0], np.cumsum(self._beats_between(whole))])

    @classmethod
    def from_score(cls, score: ScoreTick, *, pickup: int = 0) -> Timeline:
        """The tempo map of a score in ticks; it ends with the last note.

        Args:
            pickup: as for the constructor, where the score does not write its pick-up as a short first bar.
        """
        tempos, metres = score.tempos.numpy(), score.time_signatures.numpy()
        notes = [track.notes.numpy() for track in score.tracks if len(track.notes)]
        ends = [int((part["time"] + part["duration"]).max()) for part in notes]
        return cls(
            tpq=score.ticks_per_quarter,
            tempos=zip(tempos["time"].tolist(), tempos["mspq"].tolist(), strict=True),
            metres=zip(*(metres[key].tolist() for key in ("time", "numerator", "denominator")), strict=True),
            end=max(ends, default=0),
            pickup=pickup,
        )

    @overload
    def tick_to_quarter(self, tick: float) -> float: ...
    @overload
    def tick_to_quarter(self, tick: Array) -> Array: ...
    def tick_to_quarter(self, tick: float | Array) -> float | Array:
        """Quarter notes since tick 0."""
        return _like(tick, np.asarray(tick, dtype=np.float64) / self.tpq)

    @overload
    def quarter_to_tick(self, quarter: float) -> float: ...
    @overload
    def quarter_to_tick(self, quarter: Array) -> Array: ...
    def quarter_to_tick(self, quarter: float | Array) -> float | Array:
        """The tick of a position in quarter notes; round it where a whole tick is needed."""
        return _like(quarter, np.asarray(quarter, dtype=np.float64) * self.tpq)

    @overload
    def tick_to_second(self, tick: float) -> float: ...
    @overload
    def tick_to_second(self, tick: Array) -> Array: ...
    def tick_to_second(self, tick: float | Array) -> float | Array:
        """Seconds since tick 0."""
        ticks = np.asarray(tick, dtype=np.float64)
        at = _segment(self._tempo_tick, ticks)
        seconds = self._tempo_second[at] + (ticks - self._tempo_tick[at]) * self._mspq[at] / (1e6 * self.tpq)
        return _like(tick, seconds)

    @overload
    def second_to_tick(self, second: float) -> float: ...
    @overload
    def second_to_tick(self, second: Array) -> Array: ...
    def second_to_tick(self, second: float | Array) -> float | Array:
        """The tick that sounds after so many seconds."""
        seconds = np.asarray(second, dtype=np.float64)
        at = _segment(self._tempo_second, seconds)
        ticks = self._tempo_tick[at] + (seconds - self._tempo_second[at]) * 1e6 * self.tpq / self._mspq[at]
        return _like(second, ticks)

    @overload
    def tick_to_bar(self, tick: float) -> float: ...
    @overload
    def tick_to_bar(self, tick: Array) -> Array: ...
    def tick_to_bar(self, tick: float | Array) -> float | Array:
        """Position in bars: the whole part numbers the bar from 0, the rest is the share of that bar gone by.

        A bar that is cut short, such as a pick-up, counts as one bar.
        """
        ticks = np.asarray(tick, dtype=np.float64)
        at, inside, start, stop = self._bar_of(ticks)
        return _like(tick, self._first_bar[at] + inside + (ticks - start) / (stop - start))

    @overload
    def bar_to_tick(self, bar: float) -> float: ...
    @overload
    def bar_to_tick(self, bar: Array) -> Array: ...
    def bar_to_tick(self, bar: float | Array) -> float | Array:
        """The tick of a position in bars."""
        bars = np.asarray(bar, dtype=np.float64)
        at = _segment(self._first_bar, bars)
        inside = np.floor(bars - self._first_bar[at])
        start, stop = self._borders(at, inside)
        return _like(bar, start + (bars - self._first_bar[at] - inside) * (stop - start))

    @overload
    def tick_to_beat(self, tick: float) -> float: ...
    @overload
    def tick_to_beat(self, tick: Array) -> Array: ...
    def tick_to_beat(self, tick: float | Array) -> float | Array:
        """Position in beats since tick 0. The beat is the metre's: a dotted quarter in 6/8, 9/8 and 12/8.

        Beats are counted anew in every bar; where a bar is cut short, its last beat is short and counts as one.
        """
        ticks = np.asarray(tick, dtype=np.float64)
        at, bar, start, stop = self._bar_of(ticks)
        inside = np.floor((ticks - start) / self._beat[at] + 1e-9)
        beat_start = start + inside * self._beat[at]
        beat_stop = np.minimum(beat_start + self._beat[at], stop)
        before = self._first_beat[at] + bar * self._beats_in_bar()[at] + inside
        return _like(tick, before + (ticks - beat_start) / (beat_stop - beat_start))

    @overload
    def beat_to_tick(self, beat: float) -> float: ...
    @overload
    def beat_to_tick(self, beat: Array) -> Array: ...
    def beat_to_tick(self, beat: float | Array) -> float | Array:
        """The tick of a position in beats."""
        beats = np.asarray(beat, dtype=np.float64)
        at = _segment(self._first_beat, beats)
        count = self._beats_in_bar()[at]
        left = beats - self._first_beat[at]
        bar = np.floor(left / count)
        inside = np.floor(left - bar * count)
        start, stop = self._borders(at, bar)
        beat_start = start + inside * self._beat[at]
        beat_stop = np.minimum(beat_start + self._beat[at], stop)
        return _like(beat, beat_start + (left - bar * count - inside) * (beat_stop - beat_start))

    @property
    def n_bars(self) -> int:
        """Bars up to the end of the music, the last one counted whole; 0 without music."""
        return int(np.ceil(self.tick_to_bar(float(self.end)) - 1e-6)) if self.end else 0

    @property
    def bar_starts(self) -> Int[np.ndarray, " n_bars"]:
        """Ticks at which the bars begin, up to the end of the music."""
        return np.rint(self.bar_to_tick(np.arange(self.n_bars, dtype=np.float64))).astype(np.int64)

    @property
    def bar_seconds(self) -> Float[np.ndarray, " n_bars"]:
        """Seconds at which the bars begin (downbeats)."""
        return self.tick_to_second(self.bar_to_tick(np.arange(self.n_bars, dtype=np.float64)))

    @property
    def beat_starts(self) -> Int[np.ndarray, " n_beats"]:
        """Ticks at which the beats begin, up to the end of the music."""
        return np.rint(self.beat_to_tick(self._beat_numbers())).astype(np.int64)

    @property
    def beat_seconds(self) -> Float[np.ndarray, " n_beats"]:
        """Seconds at which the beats begin."""
        return self.tick_to_second(self.beat_to_tick(self._beat_numbers()))

    @property
    def pickup(self) -> int:
        """Ticks of the first bar where it is shorter than the bar that its metre, or the metre after it, asks for;
        else 0."""
        if len(self._metres) == 1 or self._first_bar[1] != 1:
            return 0
        length = self._metre_tick[1]
        return int(length) if length < max(self._bar[0], self._bar[1]) else 0

    def metre_at(self, tick: float) -> tuple[int, int]:
        """Numerator and denominator that hold at a tick."""
        return self._metres[int(_segment(self._metre_tick, np.asarray(tick, dtype=np.float64)))]

    def tempo_at(self, tick: float) -> float:
        """Quarter notes a minute at a tick."""
        return 6e7 / float(self._mspq[_segment(self._tempo_tick, np.asarray(tick, dtype=np.float64))])

    def bar_length(self, bar: int) -> float:
        """Ticks of a bar, the one that is cut short at its real length."""
        at = _segment(self._first_bar, np.asarray(bar, dtype=np.float64))
        start, stop = self._borders(at, bar - self._first_bar[at])
        return float(stop - start)

    def beat_length(self, tick: float) -> float:
        """Ticks of a whole beat in the metre that holds at a tick."""
        return float(self._beat[_segment(self._metre_tick, np.asarray(tick, dtype=np.float64))])

    def _bar_of(self, ticks: Array) -> tuple[Array, Array, Array, Array]:
        """Of each tick: the index of its metre, its bar counted from that signature, and that bar's borders."""
        at = _segment(self._metre_tick, ticks)
        inside = np.floor((ticks - self._metre_tick[at]) / self._bar[at] + 1e-9)
        return at, inside, *self._borders(at, inside)

    def _borders(self, at: Array, inside: Any) -> tuple[Array, Array]:
        start = self._metre_tick[at] + inside * self._bar[at]
        following = np.append(self._metre_tick[1:], np.inf)[at]
        return start, np.minimum(start + self._bar[at], following)

    def _beats_in_bar(self) -> Array:
        return np.rint(self._bar / self._beat)

    def _beats_between(self, whole: Array) -> Array:
        """Beats from each signature to the next, the last bar's counted by what is left of it."""
        rest = np.diff(self._metre_tick) - (whole - 1) * self._bar[:-1]
        return (whole - 1) * self._beats_in_bar()[:-1] + np.ceil(rest / self._beat[:-1] - 1e-9)

    def _beat_numbers(self) -> Array:
        last = np.ceil(self.tick_to_beat(float(self.end)) - 1e-6) if self.end else 0
        return np.arange(int(last), dtype=np.float64)


def beat_quarters(numerator: int, denominator: int) -> float:
    """Quarter notes of one beat: three units in compound metres (6/8, 9/8, 12/8, 6/4 …), else one."""
    return (12.0 if numerator > 3 and numerator % 3 == 0 else 4.0) / denominator


def _tempo_table(tempos: Iterable[tuple[int, float]]) -> tuple[Array, Array]:
    events = sorted(((int(t), m) for t, m in tempos if 0 < m < float("inf")), key=lambda event: event[0])
    table = {0: float(DEFAULT_MSPQ), **{max(tick, 0): float(mspq) for tick, mspq in events}}
    return np.array(list(table), dtype=np.float64), np.array(list(table.values()))


def _metre_table(metres: Iterable[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    events = sorted(
        ((int(t), int(n), int(d)) for t, n, d in metres if n > 0 and 0 < d <= LARGEST_DENOMINATOR),
        key=lambda event: event[0],
    )
    table = {0: DEFAULT_METRE, **{max(tick, 0): metre for tick, *metre in events}}
    return [(tick, *metre) for tick, metre in table.items()]


def _segment(starts: Array, positions: Array) -> Array:
    """Index of the segment that holds each position; what lies before the first belongs to the first."""
    return np.maximum(np.searchsorted(starts, positions, side="right") - 1, 0)


def _like(given: Any, result: Array) -> Any:
    """An array for an array, a float for a number."""
    return result if isinstance(given, np.ndarray) and given.ndim else float(result)
