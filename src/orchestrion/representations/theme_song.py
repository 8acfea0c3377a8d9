"""Scores as melody and accompaniment on the grid of Theme Transformer's tokens, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from orchestrion.errors import OptionError
from orchestrion.media.timeline import Timeline
from orchestrion.representations.theme_remi import LONGEST_BAR, MELODY, PIANO, ThemeSong
from orchestrion.theory.chords import Chord, ChordSpan

if TYPE_CHECKING:
    from symusic.core import ScoreTick

CHORD_BASE, CHORD_VELOCITY = 48, 70
TPQ = 480


@dataclass(frozen=True, slots=True, eq=False)
class Ruler:
    """The bars of a score on the grid of sixteenths. Bars longer than 16 are split into parts, which count as bars of
    their own.

    Attributes:
        ticks: borders of the score's bars in ticks.
        steps: the same borders in sixteenths.
        parts: into how many each bar is split.
    """

    ticks: Float[np.ndarray, " borders"]
    steps: Int[np.ndarray, " borders"]
    parts: Int[np.ndarray, " bars"]

    @classmethod
    def of(cls, score: ScoreTick) -> Ruler:
        """The ruler of a score; at least one bar."""
        timeline = Timeline.from_score(score)
        ticks = timeline.bar_to_tick(np.arange(max(timeline.n_bars, 1) + 1, dtype=np.float64))
        lengths = np.maximum(np.rint(np.diff(ticks) * 4 / timeline.tpq).astype(np.int64), 1)
        return cls(ticks, np.concatenate([[0], np.cumsum(lengths)]), -(-lengths // LONGEST_BAR))

    def borders(self) -> Int[np.ndarray, " borders"]:
        """Borders of the split bars in sixteenths."""
        found = [0]
        for left, right, parts in zip(self.steps[:-1], self.steps[1:], self.parts, strict=True):
            found += [int(left + (right - left) * part // parts) for part in range(1, int(parts) + 1)]
        return np.array(found, np.int64)

    def first_part(self, bar: int) -> int:
        """Number among the split bars of the first part of a bar of the score."""
        return int(self.parts[:bar].sum())

    def bar_of_part(self, part: int) -> int:
        """The bar of the score that begins with, or holds, a split bar."""
        return int(np.searchsorted(np.cumsum(self.parts), part, side="right"))

    def step(self, ticks: np.ndarray) -> np.ndarray:
        """Sixteenths nearest to ticks."""
        return np.rint(np.interp(ticks, self.ticks, self.steps)).astype(np.int64)


def song_of_score(
    score: ScoreTick, *, melody: int, chords: Sequence[ChordSpan] | None = None, tempo: bool = False
) -> ThemeSong:
    """A score as a song: one track is the melody, its highest note where there are several.

    Args:
        melody: index of the track.
        chords: chords that are the accompaniment, as blocks, one a bar at least; without, all other pitched tracks are.
        tempo: takes the tempos along.
    """
    ruler = Ruler.of(score)
    borders = ruler.borders()
    rows = [_rows(score.tracks[melody], ruler, MELODY, highest=True)]
    if chords is not None:
        rows.append(chord_rows(chords, borders))
    else:
        others = [track for number, track in enumerate(score.tracks) if number != melody and not track.is_drum]
        rows += [_rows(track, ruler, PIANO) for track in others if len(track.notes)]
    notes = np.concatenate(rows)
    notes = notes[np.lexsort((notes[:, 2], notes[:, 4], notes[:, 0]))]
    notes = notes[(notes[:, 0] >= 0) & (notes[:, 0] < borders[-1])]
    tempos: tuple[tuple[int, float], ...] = ()
    if tempo:
        marks = {int(ruler.step(np.array([mark.time]))[0]): float(mark.qpm) for mark in score.tempos}
        tempos = tuple(sorted((step, bpm) for step, bpm in marks.items() if step < borders[-1]))
    return ThemeSong(notes, borders, tempos)


def _rows(track: Any, ruler: Ruler, number: int, *, highest: bool = False) -> Int[np.ndarray, "notes 5"]:
    notes = track.notes.numpy()
    start, stop = (ruler.step(ticks) for ticks in (notes["time"], notes["time"].astype(np.int64) + notes["duration"]))
    pitch, loud = (notes[name].astype(np.int64) for name in ("pitch", "velocity"))
    rows = np.stack([start, np.maximum(stop - start, 1), pitch, loud, np.full(len(start), number)], 1)
    if highest and len(rows):
        rows = rows[np.lexsort((-rows[:, 2], rows[:, 0]))]
        rows = rows[np.diff(rows[:, 0], prepend=-1) != 0]
        rows[:-1, 1] = np.minimum(rows[:-1, 1], np.diff(rows[:, 0]))
    return rows


def chord_rows(chords: Sequence[ChordSpan], bars: Int[np.ndarray, " borders"]) -> Int[np.ndarray, "notes 5"]:
    """Block chords in the octave from C3 on, held to the next chord or bar line."""
    rows = []
    for span in chords:
        start, end = round(span.start * 4), round(span.end * 4)
        inner = bars[(bars > start) & (bars < end)].tolist()
        for left, right in zip([start, *inner], [*inner, end], strict=True):
            if right > left:
                rows += [(left, right - left, pitch, CHORD_VELOCITY, PIANO) for pitch in chord_pitches(span.chord)]
    return np.array(rows, np.int64).reshape(-1, 5)


def chord_pitches(chord: Chord) -> list[int]:
    """The notes of a block chord: the root between C3 and B3 and the others above it; none without a root."""
    if chord.root is None:
        return []
    root = CHORD_BASE + chord.root
    return sorted(root + (pitch_class - chord.root) % 12 for pitch_class in chord.pitch_classes)


def score_of_song(
    song: ThemeSong,
    *,
    metre: tuple[int, int] = (4, 4),
    tempo: float = 120.0,
    names: tuple[str, str] = ("melody", "piano"),
    programs: tuple[int, int] = (0, 0),
) -> ScoreTick:
    """A score with a track of the melody and one of all else; only tracks with notes are written, and none sounds on
    after the last bar.

    Args:
        metre: of the whole piece.
        tempo: quarter notes a minute, unless the song says its own at the beginning.

    Raises:
        OptionError: the tempo is not positive.
    """
    import symusic

    if not tempo > 0:
        raise OptionError(f"The tempo is {tempo}; it must be positive.")
    score: Any = symusic.Score(TPQ)
    step = TPQ // 4
    end = int(song.bars[-1])
    tempos = dict(song.tempos)
    for place, bpm in sorted({0: tempo, **tempos}.items()):
        score.tempos.append(symusic.Tempo(time=place * step, qpm=bpm))
    score.time_signatures.append(symusic.TimeSignature(0, *metre))
    for number, (name, program) in enumerate(zip(names, programs, strict=True)):
        rows = song.notes[(song.notes[:, 4] == MELODY) == (number == 0)]
        if len(rows):
            track: Any = symusic.Track(name=name, program=program)
            for start, length, pitch, loud, _ in rows.tolist():
                track.notes.append(symusic.Note(start * step, min(length, end - start) * step, pitch, loud))
            score.tracks.append(track)
    return score
