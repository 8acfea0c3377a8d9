"""POP909 (arXiv 2008.07142): 909 pop songs as melody, bridge and piano, with beats, chords and keys."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from orchestrion.data.datasets.dataset import SPLITS, Entry
from orchestrion.data.datasets.layout import chords_in_quarters, not_the_data_set, piece_of_score
from orchestrion.data.piece import Piece, Split
from orchestrion.errors import InputError
from orchestrion.theory.chords import Chord
from orchestrion.theory.keys import Key

FIRST_TEST_SONG = 874  # the songs that Theme Transformer tests with are 874 to 909
SUSPENDED_SEVENTH = {":sus4(b7)": ":7sus4", ":sus4(b7,9)": ":7sus4"}


@dataclass(frozen=True, slots=True)
class Pop909:
    """Songs under their numbers. The data set has no split; the test part is Theme Transformer's, and of the other
    songs every tenth validates."""

    title: str = "POP909"
    source: str = "POP909 (arXiv 2008.07142), https://github.com/music-x-lab/POP909-Dataset"
    licence: str = "MIT"
    splits: tuple[str, ...] = SPLITS

    def find(self, folder: Path) -> list[Entry]:
        """All songs, by number; see `Reader.find`."""
        root = folder / "POP909" if (folder / "POP909").is_dir() else folder
        songs = sorted(path for path in root.glob("[0-9][0-9][0-9]/*.mid") if path.stem == path.parent.name)
        if not songs:
            raise not_the_data_set(folder, self.title, "POP909/001/001.mid with beat_midi.txt and chord_midi.txt")
        return [Entry(path.stem, path, _split(int(path.stem))) for path in songs]

    def read(self, entry: Entry) -> Piece:
        """The song with beats, metre, chords, key, and the number of its melody track; see `Reader.read`."""
        piece, score = piece_of_score(entry.id, entry.path)
        piece.source, piece.licence, piece.split = self.source, self.licence, entry.split
        piece.tags = {"genre": ["pop"]}
        names = [track.name.strip().upper() for track in score.tracks]
        piece.melody = names.index("MELODY") if "MELODY" in names else None
        folder = entry.path.parent
        try:
            beats = [(float(time), float(bar) > 0) for time, _, bar in _table(folder / "beat_midi.txt", 3)]
            labels = [(float(a), float(b), _chord(c)) for a, b, c in _table(folder / "chord_midi.txt", 3)]
            keys = [(float(b) - float(a), Key.parse(c)) for a, b, c in _table(folder / "key_audio.txt", 3)]
        except ValueError as error:
            raise InputError(f"The labels of song {entry.id} in {folder} cannot be read ({error}).") from error
        piece.beats = [time for time, _ in beats] or None
        piece.metre = _metre(beats) or piece.metre
        piece.chords = chords_in_quarters(labels, score) or None
        piece.key = max(keys, key=lambda entry: entry[0])[1] if keys else None
        return piece


def _split(number: int) -> Split:
    if number >= FIRST_TEST_SONG:
        return "test"
    return "validation" if number % 10 == 0 else "train"


def _table(path: Path, columns: int) -> list[list[str]]:
    """Rows of a file of labels; none if there is no such file.

    Raises:
        ValueError: a row has another number of columns.
    """
    if not path.is_file():
        return []
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if any(len(row) != columns for row in rows):
        raise ValueError(f"{path.name} has rows without {columns} columns")
    return rows


def _chord(label: str) -> Chord:
    """The chord of a label; added notes in brackets that have no quality of their own are left out."""
    for written, usual in SUSPENDED_SEVENTH.items():
        label = label.replace(written, usual)
    try:
        chord = Chord.parse(label)
    except ValueError:
        chord = Chord.parse(re.sub(r"\(.*?\)", "", label))
    return replace(chord, added=(), omitted=())


def _metre(beats: list[tuple[float, bool]]) -> tuple[int, int] | None:
    """The commonest number of beats from one first beat to the next, over 4."""
    firsts = [index for index, (_, first) in enumerate(beats) if first]
    distances = Counter(b - a for a, b in pairwise(firsts))
    return (distances.most_common(1)[0][0], 4) if distances else None


READERS = {"pop909": Pop909()}
