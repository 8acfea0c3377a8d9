"""Windows of whole bars: for training, and to write pieces that are longer than what the network sees at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from orchestrion.representations.getscore import CHORD_ROW, ROWS, TRACKS, GetVocabulary, GridNote
from orchestrion.representations.getscore_ruler import Ruler
from orchestrion.representations.getscore_score import (
    Losses,
    bar_chords,
    gather,
    home_shift,
    write_chords,
    write_groups,
)
from orchestrion.representations.getscore_tracks import DRUMS, assign_tracks

if TYPE_CHECKING:
    from symusic.core import ScoreTick


@dataclass(frozen=True, slots=True)
class Groups:
    """A piece in C major or A minor as groups of notes, with its ruler and the chord of each bar."""

    notes: list[GridNote]
    ruler: Ruler
    chords: Int[np.ndarray, " bars"]


def read_groups(score: ScoreTick, *, melody: int | None = None, losses: Losses | None = None) -> Groups:
    """Reads a score for training.

    Raises:
        InputError: its metre cannot be served.
    """
    roles, ruler = assign_tracks(score, melody=melody), Ruler.from_score(score)
    heard = [index for index, role in enumerate(roles.of) if role is not None]
    _, shift = home_shift(score, heard)
    chords = bar_chords(score, ruler, [i for i in heard if roles.of[i] != DRUMS], shift=shift)
    return Groups(gather(score, roles, ruler, shift=shift, losses=losses), ruler, chords)


def count_groups(pieces: Iterator[Groups]) -> list[Counter[tuple[int, ...]]]:
    """How often each group of pitches occurs in each track, for `GetVocabulary.build`."""
    counts: list[Counter[tuple[int, ...]]] = [Counter() for _ in TRACKS]
    for piece in pieces:
        for note in piece.notes:
            counts[note.track][note.pitches] += 1
    return counts


@dataclass(frozen=True, slots=True)
class Window:
    """Tokens [14, columns], places [columns, 2] and first columns of bars, with the end; EMPTY and 0 behind the
    music."""

    grid: Int[np.ndarray, "rows columns"]
    places: Int[np.ndarray, "columns 2"]
    bars: Int[np.ndarray, " bar_edges"]


def training_windows(
    piece: Groups, vocabulary: GetVocabulary, *, columns: int, losses: Losses | None = None
) -> Iterator[Window]:
    """Windows of at most `columns` columns that overlap by half, with a track or more that plays. A track that is
    silent is EMPTY."""
    losses = Losses() if losses is None else losses
    ruler = piece.ruler
    whole = np.full((ROWS, ruler.columns), vocabulary.pad)
    write_groups(whole, piece.notes, vocabulary, losses)
    write_chords(whole, piece.chords, ruler, vocabulary)
    places = ruler.places()
    first, bars = 0, len(ruler.metres)
    while first < bars:
        last = last_bar(ruler, first, columns)
        part = whole[:, ruler.bars[first] : ruler.bars[last]]
        silent = (part == vocabulary.pad).all(1)
        if not silent[:CHORD_ROW].all():
            grid = np.full((ROWS, columns), vocabulary.empty, np.int16)
            place = np.zeros((columns, 2), np.int8)
            grid[:, : part.shape[1]] = np.where(silent[:, None], vocabulary.empty, part)
            place[: part.shape[1]] = places[ruler.bars[first] : ruler.bars[last]]
            yield Window(grid, place, ruler.bars[first : last + 1] - ruler.bars[first])
        if last == bars:
            return
        first = max(first + (last - first) // 2, first + 1)


def last_bar(ruler: Ruler, first: int, columns: int) -> int:
    """The bar before which a window of at most `columns` columns from bar `first` ends; one bar at least."""
    return max(int(np.searchsorted(ruler.bars, ruler.bars[first] + columns, side="right")) - 1, first + 1)


def plan_windows(ruler: Ruler, masked: np.ndarray, columns: int) -> Iterator[tuple[int, int]]:
    """Columns [start, stop) of the windows in which all that is masked is written, one after the other.

    Args:
        masked: [columns] whether something is to be written there.
    """
    left = np.array(masked, bool)
    while (span := next_window(ruler, left, columns)) is not None:
        left[span[0] : span[1]] = False
        yield span


def next_window(ruler: Ruler, masked: np.ndarray, columns: int) -> tuple[int, int] | None:
    """Columns [start, stop) to be written next: up to half a window of what stands before the first masked column, then
    as many bars as fit, and more from before where the music ends. None: nothing is masked.

    Args:
        masked: [columns] whether something is to be written there.
    """
    places = np.flatnonzero(masked)
    if not len(places):
        return None
    at = ruler.bar_of(int(places[0]))
    first = at
    while first > 0 and ruler.bars[at] - ruler.bars[first - 1] <= columns // 2:
        first -= 1
    last = last_bar(ruler, first, columns)
    last = max(last, at + 1)
    while first > 0 and ruler.bars[last] - ruler.bars[first - 1] <= columns:
        first -= 1
    return int(ruler.bars[first]), int(ruler.bars[last])
