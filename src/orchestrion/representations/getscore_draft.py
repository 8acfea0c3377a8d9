"""A score that is being worked on as a grid: what is read of it, what is to be written, and the score that comes of it.

The score itself is never written back from the grid: only new notes are taken from there, so that what was given stays
as it was, note for note, with its controllers, velocities and tempo changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrion.media.added_notes import add_notes
from orchestrion.representations.getscore import (
    CHORD_ROW,
    COLUMNS_PER_QUARTER,
    DURATIONS,
    PROGRAMS,
    TRACKS,
    VELOCITIES,
    GetVocabulary,
    read_notes,
)  # fmt: skip
from orchestrion.representations.getscore_ruler import Ruler
from orchestrion.representations.getscore_score import (
    Losses,
    bar_chords,
    chord_state,
    empty_grid,
    gather,
    home_shift,
    read_chords,
    track_notes,
    write_chords,
    write_groups,
)  # fmt: skip
from orchestrion.representations.getscore_tracks import DRUMS, LEAD, Roles
from orchestrion.representations.getscore_windows import plan_windows
from orchestrion.theory.chord_inference import CHORD_OF_STATE
from orchestrion.theory.harmony import MelodyNote, harmonise
from orchestrion.theory.keys import Key

if TYPE_CHECKING:
    from symusic.core import ScoreTick

BLOCK_CHORDS = 0.3  # share of onsets with several notes from which a track alone tells the harmony


@dataclass(slots=True)
class Draft:
    """A score and its grid.

    Attributes:
        grid: [14, columns]; MASK where something is to be written.
        shift: semitones from the score to the grid.
        read: tracks of the score that the grid holds.
        notes: for the report.
    """

    score: ScoreTick
    roles: Roles
    ruler: Ruler
    vocabulary: GetVocabulary
    key: Key | None
    shift: int
    grid: np.ndarray
    read: tuple[int, ...]
    losses: Losses
    notes: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def open(
        cls, score: ScoreTick, roles: Roles, vocabulary: GetVocabulary, *, read: Sequence[int], bars: int | None = None
    ) -> Draft:
        """Reads some tracks of a score. The chord rows are EMPTY.

        Args:
            bars: how many the grid has; up to the end of the music by default.

        Raises:
            InputError: the metre cannot be served, or the piece is too long.
        """
        read = tuple(index for index in read if roles.of[index] is not None)
        ruler = Ruler.from_score(score, bars=bars)
        key, shift = home_shift(score, read)
        grid = empty_grid(ruler, vocabulary, {role for index in read if (role := roles.of[index]) is not None})
        losses = Losses()
        write_groups(grid, gather(score, roles, ruler, shift=shift, indices=read, losses=losses), vocabulary, losses)
        return cls(score, roles, ruler, vocabulary, key, shift, grid, read, losses)

    def columns(self, bars: tuple[int, int] | None = None) -> slice:
        """The columns of bars [first, last), of all by default."""
        first, last = (0, len(self.ruler.metres)) if bars is None else bars
        return slice(int(self.ruler.bars[first]), int(self.ruler.bars[last]))

    def ask(self, tracks: Iterable[int], bars: tuple[int, int] | None = None) -> None:
        """Wants tracks (6: chords) to be written in bars [first, last)."""
        for track in tracks:
            self.grid[2 * track : 2 * track + 2, self.columns(bars)] = self.vocabulary.mask

    def fill(self, columns: int, write: Callable[[np.ndarray, np.ndarray, int, int], np.ndarray]) -> None:
        """Fills what is masked, window by window; each sees the end of the last. A track that is silent in a window is
        EMPTY there.

        Args:
            columns: of a window.
            write: grid and places of a window, its number, and how many there are → the grid filled.
        """
        places = self.ruler.places()
        windows = list(plan_windows(self.ruler, (self.grid == self.vocabulary.mask).any(0), columns))
        for number, (start, stop) in enumerate(windows):
            part = self.grid[:, start:stop]
            silent = (part == self.vocabulary.pad).all(-1, keepdims=True)
            filled = write(np.where(silent, self.vocabulary.empty, part), places[start:stop], number, len(windows))
            self.grid[:, start:stop] = np.where(silent, part, filled)
        self.notes["windows"] = len(windows)

    @property
    def tells_harmony(self) -> bool:
        """Whether chords can be heard from what is read: from two pitched tracks, or from one that plays several notes
        at once."""
        pitched = [self.score.tracks[index].notes.numpy() for index in self.read if self.roles.of[index] != DRUMS]
        if len(pitched) != 1:
            return len(pitched) > 1
        times, counts = np.unique(pitched[0]["time"], return_counts=True)
        return float((counts > 1).mean()) >= BLOCK_CHORDS if len(times) else False

    def hear_chords(self, bars: tuple[int, int] | None = None) -> None:
        """Writes the chords heard in the tracks that are read into bars [first, last), the chord of bar k into bar
        k."""
        first, last = (0, len(self.ruler.metres)) if bars is None else bars
        chords = bar_chords(self.score, self.ruler, self.read, shift=self.shift)
        everywhere = self.grid.copy()
        write_chords(everywhere, chords, self.ruler, self.vocabulary)
        self.grid[CHORD_ROW:, self.columns((first, last))] = everywhere[CHORD_ROW:, self.columns((first, last))]

    def harmonise_lead(self) -> bool:
        """Writes a chord a bar that suits the lead, where it is read and all bars, but for a pick-up, are of one
        length; says whether.

        A melody alone tells too little for `hear_chords`; cadences and harmonic functions do (`theory.harmony`).
        """
        lengths = np.diff(self.ruler.bars)
        pickup = int(len(lengths) > 1 and lengths[0] < lengths[1])
        full = lengths[pickup:]
        zero = int(self.ruler.bars[pickup])
        tune = [
            MelodyNote(
                (note.column - zero) / COLUMNS_PER_QUARTER,
                DURATIONS[note.duration] / COLUMNS_PER_QUARTER,
                note.pitches[0],
            )
            for note in read_notes(self.grid, self.vocabulary)
            if note.track == LEAD
        ]
        if not len(full) or (full != full[0]).any() or not any(note.onset >= 0 for note in tune):
            return False
        home = Key(9, "minor") if self.key is not None and self.key.mode == "minor" else Key(0, "major")
        bar = float(full[0]) / COLUMNS_PER_QUARTER
        spans = harmonise(tune, home, self.ruler.metres[pickup], bars=len(full), slot=bar)
        states = [chord_state(span.chord) for span in spans for _ in range(round((span.end - span.start) / bar))]
        write_chords(self.grid, [states[0]] * pickup + states, self.ruler, self.vocabulary)
        return True

    def new_track(self, track: int, *, program: int | None = None, name: str | None = None) -> Any:
        """A track of a score with the notes that the grid has in one of the six."""
        import symusic

        program = PROGRAMS[track] if program is None else program
        made: Any = symusic.Track(TRACKS[track] if name is None else name, program % 128, program == 128)
        add_notes(made, _to_notes(self._notes(track, self._new_level(track))))
        return made

    def add_notes(self, score: ScoreTick, index: int, track: int, bars: tuple[int, int]) -> None:
        """Adds the notes that begin in bars [first, last) of the grid to a track of `score`, at the loudness of that
        track."""
        velocities = score.tracks[index].notes.numpy()["velocity"]
        level = float(velocities.mean()) if len(velocities) else self._new_level(track)
        span = self.columns(bars)
        add_notes(score.tracks[index], _to_notes(self._notes(track, level, (span.start, span.stop))))

    def report(self) -> dict[str, Any]:
        """How tracks were read, key, chords by bar, what the grid does not hold of the score, and `notes`."""
        names = [track.name or f"track {number}" for number, track in enumerate(self.score.tracks, 1)]
        mapping = [
            {"track": name, "as": "not read" if role is None or index not in self.read else TRACKS[role]}
            for index, (name, role) in enumerate(zip(names, self.roles.of, strict=True))
        ]
        chords = [
            CHORD_OF_STATE[chord].transpose(-self.shift)
            for chord in read_chords(self.grid, self.ruler, self.vocabulary)
        ]
        shown = [chord.jazz() for chord in chords] if (self.grid[CHORD_ROW] != self.vocabulary.empty).any() else []
        return {
            "mapping": mapping,
            "key": str(self.key) if self.key is not None else None,
            "semitones_to_grid": self.shift,
            "chords": shown,
            **self.notes,
            **self.losses.report(),
        }

    def _notes(self, track: int, level: float, span: tuple[int, int] | None = None) -> np.ndarray:
        return track_notes(self.grid, track, self.ruler, self.vocabulary, shift=self.shift, level=level, span=span)

    def _new_level(self, track: int) -> float:
        """GETMusic's velocity of a track, raised or lowered as the tracks that are read stand to theirs."""
        ratios = [
            float(self.score.tracks[index].notes.numpy()["velocity"].mean()) / VELOCITIES[role]
            for index in self.read
            if (role := self.roles.of[index]) is not None and len(self.score.tracks[index].notes)
        ]
        return float(np.clip(VELOCITIES[track] * (np.mean(ratios) if ratios else 1), 20, 115))


def same_part(score: ScoreTick, indices: Sequence[int]) -> int:
    """Of the tracks that become one of the six, the one that goes on: that with the most notes."""
    return max(indices, key=lambda index: len(score.tracks[index].notes))


def _to_notes(table: np.ndarray) -> Any:
    import symusic

    time, duration = (np.ascontiguousarray(table[:, n], np.int32) for n in (0, 1))
    pitch, velocity = (np.ascontiguousarray(table[:, n], np.int8) for n in (2, 3))
    return symusic.Note.from_numpy(time, duration, pitch, velocity)
