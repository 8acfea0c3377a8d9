"""GETScore (Lv et al. 2023, section 3.1): six tracks and the chords as a grid of tokens, a column a sixteenth note.

Row 2i holds the pitches of track i and row 2i + 1 the duration, both only where notes begin. All notes of a track that
begin together are one token ("P60 64 67"). `<pad>` means that nothing begins, EMPTY that the track is not there, MASK
that it is not known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from orchestrion.errors import InputError, OptionError

TRACKS = ("lead", "bass", "drums", "guitar", "piano", "strings")
LETTERS = ("M", "B", "D", "G", "P", "S")
PROGRAMS = (80, 32, 128, 25, 0, 48)  # 128 is the drum kit
VELOCITIES = (114, 98, 98, 82, 98, 50)  # of decoded notes
ROWS = 2 * (len(TRACKS) + 1)
CHORD_ROW = 2 * len(TRACKS)
DRUMS, DRUM_OFFSET = 2, 128  # track of the drums; what is added to their pitches
COLUMNS_PER_QUARTER = 4
ROOTS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
KINDS = ("null", "m", "+", "dim", "seven", "maj7", "m7", "m7b5")
QUALITIES = ("maj", "min", "aug", "dim", "7", "maj7", "min7", "hdim7")  # the same, as `theory.chords` names them
DURATIONS = tuple(4 * (2**level - 1) + code * 2**level for level in range(4) for code in range(4))
"""Length in columns of each duration code: 0–3, 4–10 by 2, 12–24 by 4, 28–52 by 8."""


SHIPPED = Path(__file__).with_name("getscore_compact.txt")


def duration_code(columns: int) -> int:
    """The largest code whose length is not above `columns`."""
    return int(np.searchsorted(DURATIONS, columns, side="right")) - 1


def duration_codes(columns: np.ndarray) -> np.ndarray:
    """`duration_code` of many lengths."""
    return np.searchsorted(DURATIONS, columns, side="right") - 1


class GetVocabulary:
    """Token ids: durations T1–T15, `<pad>`, the pitch groups track by track, chord roots, chord kinds, EMPTY, MASK.

    Args:
        track_sizes: number of pitch tokens of each of the six tracks.
        tokens: names in the order of ids, up to the last chord kind; a vocabulary without names can do all but encode
            and decode.
    """

    pad = len(DURATIONS) - 1

    def __init__(self, track_sizes: Sequence[int], tokens: Sequence[str] | None = None) -> None:
        if len(track_sizes) != len(TRACKS):
            raise ValueError(f"{len(track_sizes)} sizes were given for {len(TRACKS)} tracks")
        self.track_sizes = tuple(int(size) for size in track_sizes)
        starts = np.cumsum([self.pad + 1, *self.track_sizes])
        self.starts = tuple(int(start) for start in starts[:-1])
        self.roots = int(starts[-1])
        self.kinds = self.roots + len(ROOTS)
        self.empty = self.kinds + len(KINDS)
        self.mask = self.empty + 1
        if tokens is not None and len(tokens) != self.empty:
            raise ValueError(f"{len(tokens)} names were given for {self.empty} tokens")
        self.tokens = tuple(tokens) if tokens is not None else None

    @property
    def classes(self) -> int:
        """Number of ids, EMPTY and MASK included."""
        return self.mask + 1

    def track_range(self, track: int) -> tuple[int, int]:
        """First and last pitch id of a track."""
        return self.starts[track], self.starts[track] + self.track_sizes[track] - 1

    @cached_property
    def ids(self) -> dict[str, int]:
        """Name → id. Chord roots and kinds are not in it where a name stands for more than one token."""
        if self.tokens is None:
            raise InputError(
                "This model has no dictionary of tokens; give it the published dict.txt or build one from a corpus."
            )
        return {token: number for number, token in enumerate(self.tokens)}

    @cached_property
    def groups(self) -> tuple[dict[tuple[int, ...], int], ...]:
        """For each track: ascending MIDI pitches (drums without offset) → id."""
        found = []
        for track, letter in enumerate(LETTERS):
            first, last = self.track_range(track)
            table = {}
            for number in range(first, last + 1):
                name = self._name(number)
                if not name.startswith(letter):
                    raise InputError(
                        f"The dictionary names token {number} {name!r}, which is no token of the {TRACKS[track]}."
                    )
                table[tuple(int(p) - self.offset(track) for p in name[1:].split(" "))] = number
            found.append(table)
        return tuple(found)

    @cached_property
    def pitches(self) -> dict[int, tuple[int, ...]]:
        """Pitch id → MIDI pitches (drums without offset)."""
        return {number: group for table in self.groups for group, number in table.items()}

    @staticmethod
    def offset(track: int) -> int:
        """What is added to a MIDI pitch in the names of tokens."""
        return DRUM_OFFSET if track == DRUMS else 0

    def legal(self) -> np.ndarray:
        """[rows, classes] whether a class may stand in a row: pitches of the track or `<pad>`; durations or `<pad>`;
        roots; kinds."""
        legal = np.zeros((ROWS, self.classes), bool)
        for track in range(len(TRACKS)):
            first, last = self.track_range(track)
            legal[2 * track, [self.pad, *range(first, last + 1)]] = True
            legal[2 * track + 1, : self.pad + 1] = True
        legal[CHORD_ROW, self.roots : self.kinds] = True
        legal[CHORD_ROW + 1, self.kinds : self.empty] = True
        return legal

    def chord_ids(self, root: int, kind: int) -> tuple[int, int]:
        """Ids of a chord from the indices of root and kind."""
        return self.roots + root, self.kinds + kind

    def _name(self, number: int) -> str:
        if self.tokens is None:
            raise InputError(
                "This model has no dictionary of tokens; give it the published dict.txt or build one from a corpus."
            )
        return self.tokens[number]

    @classmethod
    def from_tokens(cls, tokens: Sequence[str]) -> GetVocabulary:
        """From names in the order of ids.

        Raises:
            InputError: they are not in the order of a GETMusic dictionary.
        """
        head = [f"T{code}" for code in range(1, len(DURATIONS))] + ["<pad>"]
        tail = [*ROOTS, *KINDS]
        body = list(tokens[len(head) : len(tokens) - len(tail)])
        letters = [token[:1] for token in body]
        sizes = [letters.count(letter) for letter in LETTERS]
        wanted = [letter for letter, size in zip(LETTERS, sizes, strict=True) for _ in range(size)]
        if list(tokens[: len(head)]) != head or list(tokens[len(tokens) - len(tail) :]) != tail or letters != wanted:
            raise InputError(
                "The dictionary is not one of GETMusic: it must hold T1–T15, <pad>, the tokens M, B, D, G, P, S in "
                "this order, twelve chord roots and eight chord kinds."
            )
        return cls(sizes, tokens)

    @classmethod
    def named(
        cls, tokens: Sequence[str] | str | None = None, track_sizes: Sequence[int] | None = None
    ) -> GetVocabulary:
        """The vocabulary of these tokens, or of the dictionary "shipped"; without tokens, of these sizes.

        Raises:
            OptionError: there is no dictionary of this name, or neither tokens nor sizes are given.
            InputError: as `from_tokens`.
        """
        if isinstance(tokens, str):
            if tokens != "shipped":
                raise OptionError(f"There is no dictionary {tokens!r}; give 'shipped' or the tokens themselves.")
            return cls.shipped()
        if tokens is not None:
            return cls.from_tokens(tokens)
        if track_sizes is None:
            raise OptionError("GETMusic needs the tokens of its dictionary, or the number of tokens of each track.")
        return cls(track_sizes)

    @classmethod
    def read(cls, path: str | Path) -> GetVocabulary:
        """From a dictionary file, a line `token TAB count` each (the published `dict.txt`).

        Raises:
            InputError: the file cannot be read or is no such dictionary.
        """
        try:
            lines = Path(path).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"The dictionary {path} cannot be read: {error}.") from error
        return cls.from_tokens([line.split("\t")[0].strip() for line in lines if line.strip()])

    @classmethod
    def shipped(cls) -> GetVocabulary:
        """The dictionary that comes with the package, made from the compact corpus."""
        return cls.read(SHIPPED)

    @classmethod
    def build(
        cls, counts: Sequence[Mapping[tuple[int, ...], int]], *, threshold: int, share: float = 0.9
    ) -> GetVocabulary:
        """From the counts of groups of two and more pitches in each track; all 128 single pitches are always there.

        The lead has single pitches only. In each other track, groups enter from the most frequent on (equal ones in the
        order in which they come), while those so far make up less than `share` of all and each occurs more than
        `threshold` times.
        """
        tokens = [f"T{code}" for code in range(1, len(DURATIONS))] + ["<pad>"]
        sizes = []
        for track, letter in enumerate(LETTERS):
            offset = cls.offset(track)
            names = [f"{letter}{pitch + offset}" for pitch in range(128)]
            groups = [(group, count) for group, count in counts[track].items() if len(group) > 1]
            limit, total = share * sum(count for _, count in groups), 0
            for group, count in sorted(groups, key=lambda item: -item[1]):
                total += count
                if track == 0 or total >= limit or count <= threshold:
                    break
                names.append(letter + " ".join(str(pitch + offset) for pitch in group))
            tokens += names
            sizes.append(len(names))
        return cls(sizes, [*tokens, *ROOTS, *KINDS])


def parse_positions(text: str, rows: int, columns: int) -> np.ndarray:
    """[rows, columns] marks of the places "track,start,end;…": both rows of a track, end left out of it, no end means
    to the last.

    "-" marks nothing (the notation of the published script).

    Raises:
        ValueError: the text is not of this form, or names a track that is not there.
    """
    marks = np.zeros((rows, columns), bool)
    if text == "-":
        return marks
    for part in text.split(";"):
        track, start, end = part.split(",")
        row = 2 * int(track)
        if not -rows <= row < rows:
            raise ValueError(f"there is no track {track}")
        marks[[row, row + 1], int(start) : int(end) if end else None] = True  # below 0: counted from the last
    return marks


@dataclass(frozen=True, slots=True)
class GridNote:
    """Notes of one track that begin together: column, MIDI pitches, duration code."""

    track: int
    column: int
    pitches: tuple[int, ...]
    duration: int


def write_notes(grid: np.ndarray, notes: Iterable[GridNote], vocabulary: GetVocabulary) -> Counter[int]:
    """Writes notes into a grid, in place. Groups that are no token are left out; the result counts them by track."""
    lost: Counter[int] = Counter()
    for note in notes:
        token = vocabulary.groups[note.track].get(note.pitches)
        if token is None:
            lost[note.track] += 1
            continue
        grid[2 * note.track, note.column] = token
        grid[2 * note.track + 1, note.column] = max(note.duration, 1) - 1
    return lost


def read_notes(grid: np.ndarray, vocabulary: GetVocabulary) -> list[GridNote]:
    """The notes of a grid, column by column. Only where pitch and duration are both there is a note."""
    notes = []
    for column in range(grid.shape[1]):
        for track in range(len(TRACKS)):
            pitch, duration = int(grid[2 * track, column]), int(grid[2 * track + 1, column])
            first, last = vocabulary.track_range(track)
            if first <= pitch <= last and duration < vocabulary.pad:
                notes.append(GridNote(track, column, vocabulary.pitches[pitch], duration + 1))
    return notes


def legal_share(grid: np.ndarray, vocabulary: GetVocabulary, tracks: Iterable[int]) -> float:
    """Of the cells of the given tracks that hold a pitch or a duration, the share that holds both; NaN where there is
    none."""
    tracks = list(tracks)
    pitch = np.stack([_within(grid[2 * t], *vocabulary.track_range(t)) for t in tracks])
    duration = np.stack([grid[2 * t + 1] < vocabulary.pad for t in tracks])
    some = int((pitch | duration).sum())
    return int((pitch & duration).sum()) / some if some else float("nan")


def _within(values: np.ndarray, first: int, last: int) -> np.ndarray:
    return (values >= first) & (values <= last)
