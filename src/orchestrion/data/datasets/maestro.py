"""MAESTRO v3 (arXiv 1810.12247): 200 hours of piano performances, MIDI aligned with recordings. Also v2 and v1."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrion.data.datasets.dataset import SPLITS, Entry
from orchestrion.data.datasets.layout import inside, not_the_data_set, piece_of_score
from orchestrion.data.piece import Piece
from orchestrion.errors import InputError

COLUMNS = {"canonical_composer", "canonical_title", "split", "midi_filename"}


@dataclass(frozen=True, slots=True)
class Maestro:
    """Performances in the order of the table, with the published split."""

    title: str = "MAESTRO"
    source: str = "MAESTRO (arXiv 1810.12247), https://magenta.tensorflow.org/datasets/maestro"
    licence: str = "CC BY-NC-SA 4.0"
    splits: tuple[str, ...] = SPLITS

    def find(self, folder: Path) -> list[Entry]:
        """All performances of the table; see `Reader.find`."""
        tables = [p for root in (folder, *sorted(folder.glob("maestro-v*"))) for p in sorted(root.glob("maestro-v*.*"))]
        tables = [path for path in tables if path.suffix in (".csv", ".json") and path.is_file()]
        if not tables:
            raise not_the_data_set(folder, self.title, "maestro-v3.0.0.csv or maestro-v3.0.0.json")
        table = tables[-1]  # the newest version, and of it the JSON
        entries = []
        for row in _rows(table):
            split = row["split"]
            if split not in SPLITS:
                raise InputError(f"A row of {table} has the split {split!r}; get the table again.")
            path = inside(table.parent, row["midi_filename"])
            entries.append(Entry(row["midi_filename"].rpartition(".")[0], path, split, row))
        return entries

    def read(self, entry: Entry) -> Piece:
        """The performance with composer and title, and the path of its recording where it is there. Its MIDI file
        knows neither metre nor tempo. See `Reader.read`."""
        piece, _ = piece_of_score(entry.id, entry.path)
        row = entry.facts
        piece.metre = piece.tempo = None
        piece.title = f"{row['canonical_composer']}: {row['canonical_title']}"
        piece.source, piece.licence, piece.split = self.source, self.licence, entry.split
        piece.tags = {"genre": ["classical"], "composer": [row["canonical_composer"]]}
        year = entry.path.parent
        sound = year / Path(row.get("audio_filename") or "-").name
        piece.audio = sound if sound.is_file() else None
        return piece


def _rows(table: Path) -> list[dict[str, Any]]:
    """Rows of the CSV file, of the JSON of versions 1 and 2 (a list), or of version 3 (columns by row number)."""
    try:
        text = table.read_text(encoding="utf-8")
        if table.suffix == ".csv":
            rows = list(csv.DictReader(text.splitlines()))
        else:
            rows = json.loads(text)
            if isinstance(rows, dict):
                rows = [{name: rows[name][number] for name in rows} for number in rows["midi_filename"]]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{table} cannot be read as the table of MAESTRO; get it again.") from error
    if not rows or not all(isinstance(row, dict) and row.keys() >= COLUMNS for row in rows):
        raise InputError(f"{table} is not the table of MAESTRO: it lacks columns; get it again.")
    return rows


READERS = {"maestro": Maestro()}
