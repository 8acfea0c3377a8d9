"""ATEPP (Zhang et al., ISMIR 2022): a thousand hours of piano recordings, transcribed to MIDI."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrion.data.datasets.dataset import SPLITS, Entry
from orchestrion.data.datasets.layout import inside, not_the_data_set, piece_of_score, split_by_hash, table_rows
from orchestrion.data.piece import Piece

COLUMNS = ("artist", "track", "composer", "composition_id", "midi_path")
CORRUPTED = "corrupted"


@dataclass(frozen=True, slots=True)
class Atepp:
    """Performances in the order of the table; of version 1.2 without those that it calls corrupted. There is no split;
    all performances of one composition share one of ours."""

    title: str = "ATEPP"
    source: str = "ATEPP (Zhang et al., ISMIR 2022), https://github.com/tangjjbetsy/ATEPP"
    licence: str = "CC BY 4.0"
    splits: tuple[str, ...] = SPLITS

    def find(self, folder: Path) -> list[Entry]:
        """All performances of the newest table whose files are there; see `Reader.find`. Files lie beside the table or
        in a folder such as ATEPP-1.2."""
        tables = sorted(folder.glob("ATEPP-metadata*.csv"), key=lambda path: path.stem)
        if not tables:
            raise not_the_data_set(folder, self.title, "ATEPP-metadata-1.2.csv")
        rows = table_rows(tables[-1], delimiter=",", columns=COLUMNS, title=self.title)
        bases = [folder, *sorted(folder.glob("ATEPP-1*")), *sorted(folder.glob("ATEPP-1*/ATEPP-1*"))]
        bases = [base for base in bases if base.is_dir()]
        entries = []
        for row in rows:
            if CORRUPTED in (row.get("quality") or ""):
                continue
            path = next((path for base in bases if (path := inside(base, row["midi_path"])).is_file()), None)
            if path is not None:
                entries.append(Entry(row["midi_path"], path, split_by_hash(row["composition_id"]), row))
        if not entries:
            raise not_the_data_set(folder, self.title, "the MIDI files that its table names")
        return entries

    def read(self, entry: Entry) -> Piece:
        """The performance with composer, title and pianist. A transcription knows neither metre nor tempo. See
        `Reader.read`."""
        piece, _ = piece_of_score(entry.id, entry.path)
        row = entry.facts
        piece.metre = piece.tempo = None
        piece.title = f"{row['composer']}: {row['track']}"
        piece.source, piece.licence, piece.split = self.source, self.licence, entry.split
        piece.tags = {"genre": ["classical"], "composer": [row["composer"]], "performer": [row["artist"]]}
        return piece


READERS = {"atepp": Atepp()}
