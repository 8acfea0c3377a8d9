"""Yamaha e-Piano Competition: MIDI of the performances of a Disklavier, as the competition publishes them by year."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from orchestrion.data.datasets.dataset import SPLITS, Entry
from orchestrion.data.datasets.layout import not_the_data_set, piece_of_score, split_by_hash
from orchestrion.data.piece import Piece

SUFFIXES = (".mid", ".midi")
NAME = re.compile(r"[A-Za-z][A-Za-z_-]*\d+[A-Za-z]?")  # a performer and the number of the piece


@dataclass(frozen=True, slots=True)
class YamahaEPiano:
    """Performances of all years, in folders by year or in one. There is no published split by piece: Music FaderNets
    shuffles segments, so that one performance lies on both sides; here all files of one performer (the letters at the
    start of a name) are in one part."""

    title: str = "the Yamaha e-Piano Competition"
    source: str = "Yamaha e-Piano Competition, http://www.piano-e-competition.com"
    licence: str = "non-commercial (none is stated)"
    splits: tuple[str, ...] = SPLITS

    def find(self, folder: Path) -> list[Entry]:
        """All performances, by name; see `Reader.find`."""
        files = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
        paths = sorted(path for path in files if NAME.fullmatch(path.stem))
        if not paths:
            raise not_the_data_set(folder, self.title, "MIDI files such as 2002/chan01.MID")
        entries = []
        for path in paths:
            name = path.relative_to(folder).with_suffix("").as_posix()
            performer = "".join(c for c in path.stem.lower() if c.isalpha()) or path.stem
            entries.append(Entry(name, path, split_by_hash(performer)))
        return entries

    def read(self, entry: Entry) -> Piece:
        """The performance. Its MIDI file knows neither metre nor tempo. See `Reader.read`."""
        piece, _ = piece_of_score(entry.id, entry.path)
        piece.metre = piece.tempo = None
        piece.title = entry.path.stem
        piece.source, piece.licence, piece.split = self.source, self.licence, entry.split
        piece.tags = {"genre": ["classical"]}
        return piece


READERS = {"yamaha_epiano": YamahaEPiano()}
