"""A score on the canvas: what of it is kept, where there is room for new notes, and the score that comes of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float

from orchestrion.errors import InputError, OptionError
from orchestrion.media.added_notes import add_notes
from orchestrion.media.timeline import Timeline
from orchestrion.representations.paint_masks import KEPT, PITCHES, as_mask
from orchestrion.representations.roll_picture import Notes, Picture, draw_notes, read_notes, score_notes

if TYPE_CHECKING:
    from symusic.core import ScoreTick

MOST_COLUMNS = 16_384  # a thousand bars of four quarters


@dataclass(frozen=True, slots=True)
class Window:
    """What is painted at once: columns [start, stop) of the piece, and the soft mask there."""

    start: int
    stop: int
    mask: Float[np.ndarray, "rows columns"]


@dataclass(slots=True)
class Canvas:
    """A piece that is painted on.

    Attributes:
        score: without the notes that begin where the mask is free.
        columns: of the whole piece.
        free: the mask, [128, columns], without the places of notes that are kept.
        kept: notes that are drawn, those already painted among them.
        lowest, pitches: what the painter can reach.
        removed: how many notes made room.
        painted: the new notes.
    """

    score: ScoreTick
    columns: int
    columns_per_quarter: int
    free: Float[np.ndarray, "128 columns"]
    kept: Notes
    lowest: int
    pitches: int
    removed: int
    painted: list[tuple[int, int, int, int]] = field(default_factory=list)

    @classmethod
    def open(
        cls,
        score: ScoreTick,
        mask: np.ndarray,
        *,
        lowest: int,
        pitches: int,
        columns_per_quarter: int,
        columns: int | None = None,
        tracks: Sequence[int] | None = None,
    ) -> Canvas:
        """Makes room: notes that begin where the mask is free go, all others stay as they are. Drums are not drawn.

        Args:
            mask: as of `paint_masks.as_mask`, for the whole piece.
            lowest, pitches: of the painter's pictures.
            columns: of the piece; those that it has by default.
            tracks: in which notes may go; all pitched ones by default.

        Raises:
            OptionError: the mask frees nothing that the painter can reach.
            InputError: the piece is too long.
        """
        step = score.ticks_per_quarter / columns_per_quarter
        columns = piece_columns(score, columns_per_quarter) if columns is None else columns
        if columns > MOST_COLUMNS:
            raise InputError(f"The piece has {columns} columns, more than the {MOST_COLUMNS} that are painted; cut it.")
        free = as_mask(mask, columns)
        top = PITCHES - lowest - pitches
        free[:top] = free[PITCHES - lowest :] = KEPT
        if not (free <= 1).any():
            raise OptionError(
                f"The mask is free only outside of the pitches {lowest} to {lowest + pitches - 1} that this system "
                "writes; paint between them."
            )
        made: Any = score.copy()
        removed = 0
        for index, track in enumerate(made.tracks):
            if track.is_drum or (tracks is not None and index not in tracks) or not len(track.notes):
                continue
            notes = track.notes.numpy()
            column = np.floor(notes["time"] / step + 0.5).astype(int).clip(0, columns - 1)
            stays = free[PITCHES - 1 - notes["pitch"].astype(int), column] > 1
            removed += int((~stays).sum())
            track.notes = type(track.notes)([note for note, kept in zip(track.notes, stays, strict=True) if kept])
        kept = score_notes(made, columns_per_quarter=columns_per_quarter)
        for first, length, pitch, _ in kept.tolist():
            free[PITCHES - 1 - pitch, first : first + length] = KEPT
        return cls(made, columns, columns_per_quarter, free, kept, lowest, pitches, removed)

    def windows(self, length: int) -> Iterator[Window]:
        """Columns that are painted one after the other, `length` at a time: the first window begins half of it before
        the first free column, each other one half a window later; all begin on bar lines where that is possible.

        What is beyond the end of the piece is free, but nothing is taken from there.
        """
        rows = slice(PITCHES - self.lowest - self.pitches, PITCHES - self.lowest)
        places = np.flatnonzero((self.free <= 1).any(0))
        bars = self._bar_columns()
        done = int(places[0])
        while True:
            whole = self.columns <= length
            start = 0 if whole else _at_bar(bars, max(done - length // 2, 0))
            stop = start + length
            if stop <= done:  # a bar longer than a window
                start, stop = done, done + length
            mask = np.zeros((self.pitches, length))
            held = min(stop, self.columns) - start
            mask[:, :held] = self.free[rows, start : start + held]
            for first, size, pitch, _ in self.painted:
                self._cover(mask, first - start, size, pitch)
            mask[:, : max(done - start, 0)] = KEPT
            yield Window(start, stop, mask)
            later = places[places >= stop]
            if not len(later):
                return
            done = int(later[0])

    def _cover(self, mask: np.ndarray, first: int, size: int, pitch: int) -> None:
        row = self.lowest + self.pitches - 1 - pitch
        if 0 <= row < self.pitches and first + size > 0:
            mask[row, max(first, 0) : max(first + size, 0)] = KEPT

    def _bar_columns(self) -> np.ndarray:
        timeline = Timeline.from_score(self.score)
        ticks = timeline.bar_to_tick(np.arange(timeline.n_bars + 1, dtype=np.float64))
        return np.rint(timeline.tick_to_quarter(ticks) * self.columns_per_quarter).astype(int)

    def picture(self, window: Window) -> Picture:
        """What is known of a window."""
        notes = np.concatenate([self.kept, np.array(self.painted, dtype=np.int64).reshape(-1, 4)])
        moved = notes[(notes[:, 0] < window.stop) & (notes[:, 0] + notes[:, 1] > window.start)].copy()
        moved[:, 0] -= window.start
        return draw_notes(moved, window.stop - window.start, lowest=self.lowest, pitches=self.pitches)

    def new_notes(self, window: Window, picture: Picture) -> Notes:
        """Those notes of a painted picture that begin where the window is free."""
        notes = read_notes(picture, lowest=self.lowest)
        row = self.lowest + self.pitches - 1 - notes[:, 2]
        inside = (window.mask[row, notes[:, 0]] <= 1) & (notes[:, 0] + window.start < self.columns)
        notes = notes[inside]
        notes[:, 0] += window.start
        notes[:, 1] = np.minimum(notes[:, 1], self.columns - notes[:, 0])
        return notes

    def add(self, notes: Notes) -> None:
        """Puts notes on the canvas."""
        self.painted += [tuple(note) for note in notes.tolist()]  # type: ignore[misc]

    def finish(self, *, spread: bool = False, tracks: Sequence[int] | None = None, name: str = "Painted") -> ScoreTick:
        """The score with the new notes.

        Args:
            spread: each note goes into the pitched track (of `tracks`) whose mean pitch is nearest, in place of a track
                of its own called `name`.
        """
        import symusic

        made: Any = self.score.copy()
        step = made.ticks_per_quarter / self.columns_per_quarter
        pitched = [
            index
            for index, track in enumerate(made.tracks)
            if not track.is_drum and (tracks is None or index in tracks)
        ]
        means = [_mean_pitch(made.tracks[index]) for index in pitched]
        if spread and pitched:
            homes = [pitched[int(np.argmin([abs(mean - note[2]) for mean in means]))] for note in self.painted]
        else:
            program = made.tracks[pitched[0]].program if pitched else 0
            made.tracks.append(symusic.Track(name, program, False))
            homes = [len(made.tracks) - 1] * len(self.painted)
        new: dict[int, list[Any]] = {home: [] for home in homes}
        for (first, length, pitch, velocity), home in zip(self.painted, homes, strict=True):
            start, stop = round(first * step), round((first + length) * step)
            new[home].append(symusic.Note(start, max(stop - start, 1), pitch, velocity))
        for home, notes in new.items():
            add_notes(made.tracks[home], notes)
        return made


def piece_columns(score: ScoreTick, columns_per_quarter: int, *, more_bars: int = 0) -> int:
    """Columns to the end of the last bar, and of so many bars more in its metre."""
    timeline = Timeline.from_score(score)
    end = timeline.bar_to_tick(float(timeline.n_bars + more_bars))
    return max(round(timeline.tick_to_quarter(end) * columns_per_quarter), 1)


def bar_mask(
    score: ScoreTick, bars: tuple[int, int], columns: int, columns_per_quarter: int
) -> Bool[np.ndarray, "128 columns"]:
    """Free in bars [first, last), counted from 0, at all pitches."""
    timeline = Timeline.from_score(score)
    edges = timeline.tick_to_quarter(timeline.bar_to_tick(np.array(bars, dtype=np.float64))) * columns_per_quarter
    start, stop = np.rint(edges).astype(int).clip(0, columns)
    mask = np.zeros((PITCHES, columns), dtype=bool)
    mask[:, start:stop] = True
    return mask


def _at_bar(bars: np.ndarray, column: int) -> int:
    return int(bars[np.searchsorted(bars, column, side="right") - 1]) if len(bars) else column


def _mean_pitch(track: Any) -> float:
    return float(track.notes.numpy()["pitch"].mean()) if len(track.notes) else 60.0
