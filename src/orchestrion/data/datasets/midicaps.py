"""MidiCaps (arXiv 2406.02255): captions and features of 168,385 MIDI files, in the layout of its hub.

`train.json` holds a row on each line, for both parts; `midicaps.tar.gz` unpacks to `lmd_full/`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrion.data.datasets.dataset import Entry
from orchestrion.data.datasets.layout import chords_in_quarters, inside, not_the_data_set, piece_of_score
from orchestrion.data.piece import Piece
from orchestrion.errors import InputError
from orchestrion.theory.chords import Chord
from orchestrion.theory.keys import Key

TABLE = "train.json"


@dataclass(frozen=True, slots=True)
class MidiCaps:
    """Rows are found by their place in the table and read again when their piece is."""

    title: str = "MidiCaps"
    source: str = "MidiCaps (arXiv 2406.02255), MIDI files of the Lakh MIDI Dataset"
    licence: str = "CC BY-SA 4.0"
    splits: tuple[str, ...] = ("train", "test")

    def find(self, folder: Path) -> list[Entry]:
        """All rows of the table, in its order; see `Reader.find`."""
        table = folder / TABLE
        wanted = f"{TABLE} and the folder lmd_full that midicaps.tar.gz unpacks to"
        if not table.is_file():
            raise not_the_data_set(folder, self.title, wanted)
        if not (folder / "lmd_full").is_dir():
            raise not_the_data_set(folder, self.title, f"{wanted}, and the folder is missing")
        entries, place = [], 0
        with table.open("rb") as file:
            for line in file:
                if line.strip():
                    row = _row(line, table)
                    split = "test" if row.get("test_set") else "train"
                    entries.append(Entry(row["location"], inside(folder, row["location"]), split, (table, place)))
                place += len(line)
        return entries

    def read(self, entry: Entry) -> Piece:
        """The piece with caption, key, metre, tempo, genres, moods and chords of its row; see `Reader.read`."""
        table, place = entry.facts
        with table.open("rb") as file:
            file.seek(place)
            row = _row(file.readline(), table)
        piece, score = piece_of_score(entry.id, entry.path)
        piece.caption = row["caption"]
        piece.source, piece.licence, piece.split = self.source, self.licence, entry.split
        piece.tags = {"genre": list(row.get("genre") or []), "mood": list(row.get("mood") or [])}
        try:
            piece.key = Key.parse(row["key"]) if row.get("key") else None
            if row.get("time_signature"):
                numerator, _, denominator = row["time_signature"].partition("/")
                piece.metre = (int(numerator), int(denominator))
            piece.tempo = float(row["tempo"]) if row.get("tempo") else piece.tempo
            labels = [Chord.parse(label) for label in row.get("all_chords") or []]
        except ValueError as error:
            raise InputError(f"The row of {entry.id} in {table} has a value of another kind ({error}).") from error
        times = [float(time) for time in row.get("all_chords_timestamps") or []]
        ends = [*times[1:], float(row.get("duration") or 0)]
        piece.chords = chords_in_quarters(zip(times, ends, labels, strict=False), score) or None
        return piece


def _row(line: bytes, table: Path) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InputError(f"{table} is not the table of MidiCaps: a line of it is no JSON; get it again.") from error
    if not isinstance(row, dict) or not {"location", "caption"} <= row.keys():
        raise InputError(f"{table} is not the table of MidiCaps: a row has no location and caption.")
    return row


READERS = {"midicaps": MidiCaps()}
