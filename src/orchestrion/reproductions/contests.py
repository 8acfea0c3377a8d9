"""The same task on the same held-out pieces for several systems: figures of every piece, with controls beside them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from symusic import Note

from orchestrion.evaluation import melody_over_chords
from orchestrion.evaluation.continuation import FIGURES, Figure, continuation_figures
from orchestrion.evaluation.melody_line import melody_line
from orchestrion.evaluation.notes import Notes
from orchestrion.evaluation.statistics import PairedDifference, bootstrap_mean, paired_bootstrap
from orchestrion.media.timeline import Timeline

if TYPE_CHECKING:
    from symusic.core import ScoreTick

    from orchestrion.data.piece import Piece
    from orchestrion.theory.chords import ChordSpan

RESOLUTION = 12  # grid steps a quarter: sixteenths and eighth triplets
ITSELF, AGAIN, ANOTHER = "the piece itself", "its last bars again", "another piece"
Progress = Callable[[int, int], None]


class Contest(Protocol):
    """A task, its held-out problems, and how an answer to each is measured."""

    @property
    def task(self) -> str: ...
    @property
    def figures(self) -> Sequence[Figure]: ...
    def __len__(self) -> int: ...

    def controls(self) -> Mapping[str, Callable[[int], ScoreTick]]:
        """What anybody could answer, and the truth under `ITSELF`: name → answer to each problem."""
        ...

    def solve(self, system: Any, number: int, *, seed: int) -> ScoreTick:
        """A system's answer to a problem."""
        ...

    def measure(self, answer: ScoreTick, number: int) -> dict[str, float]:
        """The figures of an answer."""
        ...


class ContinuationContest:
    """Pieces cut after `known` bars, to be continued by `bars` more.

    Args:
        pieces: scores; those that are shorter than both together are left out.
    """

    task = "continue_"
    figures = FIGURES

    def __init__(self, pieces: Sequence[ScoreTick], *, known: int = 8, bars: int = 8) -> None:
        self.known, self.bars = known, bars
        long_enough = [piece for piece in pieces if Timeline.from_score(piece).n_bars >= known + bars]
        self.own = [_cut(piece, known + bars) for piece in long_enough]
        self.given = [_cut(piece, known) for piece in self.own]
        playing = [number for number, piece in enumerate(self.given) if any(len(t.notes) for t in piece.tracks)]
        self.own, self.given = [self.own[n] for n in playing], [self.given[n] for n in playing]

    def __len__(self) -> int:
        return len(self.own)

    def controls(self) -> Mapping[str, Callable[[int], ScoreTick]]:
        """The piece itself, its last bars again, and the bars of another piece in their place."""
        return {
            ITSELF: lambda number: self.own[number],
            AGAIN: lambda number: _joined(self.given[number], self.given[number], self.known, self.bars, again=True),
            ANOTHER: lambda number: _joined(
                self.given[number], self.own[self._another(number)], self.known, self.bars, again=False
            ),
        }

    def _another(self, number: int) -> int:
        """The next piece in the same metre, or the next one where there is none."""
        rest = [(number + step) % len(self) for step in range(1, len(self))] or [number]
        return next((other for other in rest if self._metre(other) == self._metre(number)), rest[0])

    def _metre(self, number: int) -> float:
        """Quarters of the bars that are given."""
        timeline = Timeline.from_score(self.given[number])
        return float(timeline.bar_to_tick(self.known)) / timeline.tpq

    def solve(self, system: Any, number: int, *, seed: int) -> ScoreTick:
        """The piece as the system continues it."""
        return system.continue_(self.given[number].copy(), bars=self.bars, seed=seed).score

    def measure(self, answer: ScoreTick, number: int) -> dict[str, float]:
        """`evaluation.continuation.continuation_figures`."""
        notes, own = (Notes.from_score(score, resolution=RESOLUTION) for score in (answer, self.own[number]))
        return continuation_figures(notes, own, known=self.known, bars=self.bars)


class MelodyContest:
    """A melody for the chords of the first `bars` bars of pieces in 4/4.

    A system that writes over chords gets them; one that elaborates skeletons gets a chord tone for each chord, the one
    nearest to the last; one that reads text gets a sentence with the chords.

    Args:
        pieces: with score, chords and melody; others, and those in other metres, are left out.
    """

    task = "melody"
    figures = melody_over_chords.FIGURES

    def __init__(self, pieces: Sequence[Piece], *, bars: int = 8) -> None:
        self.bars = bars
        self.pieces = [
            piece
            for piece in pieces
            if piece.score is not None
            and piece.metre == (4, 4)
            and piece.melody is not None
            and piece.chords
            and piece.chords[-1].end >= self.quarters
            and Timeline.from_score(piece.score).n_bars >= bars
        ]
        self.chords = [
            [_until(span, self.quarters) for span in p.chords or () if span.start < self.quarters] for p in self.pieces
        ]

    def __len__(self) -> int:
        return len(self.pieces)

    @property
    def quarters(self) -> float:
        """Of all bars."""
        return 4.0 * self.bars

    def controls(self) -> Mapping[str, Callable[[int], ScoreTick]]:
        """The piece itself, the melody of another piece, and the chord tones that skeletons are made of."""
        return {
            ITSELF: lambda number: self._alone(number),
            ANOTHER: lambda number: self._alone((number + 1) % len(self)),
            "a chord tone for each chord": lambda number: self.skeleton(number),
        }

    def _alone(self, number: int) -> ScoreTick:
        """The melody of a piece, without the rest."""
        piece = self.pieces[number]
        assert piece.score is not None
        made: Any = piece.score.copy()
        made.tracks = [made.tracks[piece.melody]]
        return _cut(made, self.bars)

    def skeleton(self, number: int) -> ScoreTick:
        """One chord tone for each chord, as near to the last as there is, from the fifth octave on."""
        made: Any = self._alone(number)
        (track,) = made.tracks
        track.notes.clear()
        last = 67
        for span in self.chords[number]:
            if span.chord.root is None:
                continue
            last = min((abs(p - last), p) for p in range(60, 80) if p % 12 in span.chord.pitch_classes)[1]
            start, end = (round(time * made.tpq) for time in (span.start, span.end))
            track.notes.append(Note(start, end - start, last, 90))
        return made

    def solve(self, system: Any, number: int, *, seed: int) -> ScoreTick:
        """A melody, in the way that the system can be asked for one."""
        piece = self.pieces[number]
        if hasattr(system, "melodize"):
            return system.melodize(self.chords[number], key=piece.key, tempo=piece.tempo or 100.0, seed=seed).score
        if hasattr(system, "elaborate"):
            return system.elaborate(self.skeleton(number), seed=seed).score
        names = ", ".join(span.chord.jazz() for span in self.chords[number])
        sentence = f"A melody for solo flute in 4/4 over the chords {names}."
        (made,) = system.generate(sentence, bars=self.bars, key=piece.key, tempo=piece.tempo, seed=seed)
        return made.score

    def measure(self, answer: ScoreTick, number: int) -> dict[str, float]:
        """`evaluation.melody_over_chords.melody_figures`."""
        return melody_over_chords.melody_figures(melody_line(answer), self.chords[number], quarters=self.quarters)


def _until(span: ChordSpan, end: float) -> ChordSpan:
    return replace(span, end=min(span.end, end))


@dataclass(frozen=True, slots=True)
class Standings:
    """What a contest found.

    Attributes:
        task, pieces: what was asked, and of how many pieces.
        values: name → figure → value of each piece; the controls come first.
        means: the same as mean and 95 % interval.
        loss: name → value of each piece: over the figures, the mean distance from the piece's own value (or from 1,
            where higher is better) in units of the spread of the pieces' own values. The least is the best.
        differences: pair of names → loss of the first − loss of the second, by paired bootstrap.
    """

    task: str
    pieces: int
    values: Mapping[str, Mapping[str, list[float]]]
    means: Mapping[str, Mapping[str, tuple[float, float, float]]]
    loss: Mapping[str, list[float]]
    differences: Mapping[tuple[str, str], PairedDifference]

    @property
    def ranking(self) -> tuple[str, ...]:
        """The names by mean loss, the best first."""
        return tuple(sorted(self.loss, key=lambda name: (math.isnan(_mean(self.loss[name])), _mean(self.loss[name]))))


def hold(contest: Contest, systems: Mapping[str, Any], *, seed: int = 0, progress: Progress | None = None) -> Standings:
    """Lets every system solve every problem.

    Args:
        systems: name → system with the task's method.
        seed: problem k is solved with seed + k.
    """
    solvers: dict[str, Callable[[int], ScoreTick]] = dict(contest.controls())
    for name, system in systems.items():
        solvers[name] = lambda number, system=system: contest.solve(system, number, seed=seed + number)
    values: dict[str, dict[str, list[float]]] = {}
    for place, (name, solver) in enumerate(solvers.items()):
        found = []
        for number in range(len(contest)):
            found.append(contest.measure(solver(number), number))
            if progress is not None:
                progress(place * len(contest) + number + 1, len(solvers) * len(contest))
        values[name] = {figure.name: [one[figure.name] for one in found] for figure in contest.figures}
    loss = {name: _losses(values[name], values[ITSELF], contest.figures) for name in values if name != ITSELF}
    names = list(loss)
    return Standings(
        task=contest.task.rstrip("_"),
        pieces=len(contest),
        values=values,
        means={
            name: {figure: _interval(numbers) for figure, numbers in figures.items()}
            for name, figures in values.items()
        },
        loss=loss,
        differences={
            (first, second): paired_bootstrap(loss[first], loss[second])
            for at, first in enumerate(names)
            for second in names[at + 1 :]
        },
    )


def _losses(
    found: Mapping[str, Sequence[float]], own: Mapping[str, Sequence[float]], figures: Sequence[Figure]
) -> list[float]:
    """Mean distance over the figures, piece by piece; a figure that an answer lacks counts as one spread."""
    parts = []
    for figure in figures:
        values, truth = np.array(found[figure.name]), np.array(own[figure.name])
        spread = max(float(np.nanstd(truth)), 0.05) if figure.better == "own" else 1.0
        aim = truth if figure.better == "own" else 1.0
        distance = np.minimum(np.abs(values - aim) / spread, 3.0)  # an outlier counts no more than this
        parts.append(np.where(np.isnan(truth), np.nan, np.where(np.isnan(values), 1.0, distance)))
    return np.nanmean(np.stack(parts), axis=0).tolist()


def _interval(numbers: Sequence[float]) -> tuple[float, float, float]:
    found = bootstrap_mean(numbers)
    return found.mean, found.low, found.high


def _mean(numbers: Sequence[float]) -> float:
    return bootstrap_mean(numbers, resamples=1).mean


def _cut(piece: ScoreTick, bars: int) -> ScoreTick:
    """The first bars of a piece; notes held over the end stop there."""
    end = round(float(Timeline.from_score(piece).bar_to_tick(bars)))
    made: Any = piece.clip(0, end, clip_end=False)  # True would drop the notes that are held over the end
    for track in made.tracks:
        for note in track.notes:
            note.duration = min(note.duration, end - note.time)
    return made


def _joined(given: ScoreTick, other: ScoreTick, known: int, bars: int, *, again: bool) -> ScoreTick:
    """Bars of `other` behind the first `known` bars of `given`, track by track: the last ones of those known, or those
    that follow them."""
    timeline, foreign = Timeline.from_score(given), Timeline.from_score(other)
    to, end = (round(float(timeline.bar_to_tick(bar))) for bar in (known, known + bars))
    first = max(known - bars, 0) if again else known
    start, stop = (round(float(foreign.bar_to_tick(bar))) for bar in (first, known if again else known + bars))
    scale = timeline.tpq / foreign.tpq
    made: Any = given.copy()
    for track in other.tracks:
        fresh = track.clip(start, stop, clip_end=False).shift_time(-start)
        for note in fresh.notes:
            length = min(note.duration, stop - start - note.time)
            note.time, note.duration = to + round(note.time * scale), max(round(length * scale), 1)
        fresh = fresh.clip(0, end, clip_end=False)
        same = next((one for one in made.tracks if (one.program, one.is_drum) == (track.program, track.is_drum)), None)
        if same is None:
            made.tracks.append(fresh)
        else:
            same.notes.extend(fresh.notes)
            same.notes.sort()
    return made
