"""FMA, the Free Music Archive data set (arXiv 1612.01840): small, medium, large and full, with genres."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from orchestrion.data.datasets.dataset import SPLITS, Entry
from orchestrion.data.datasets.layout import check_sound, not_the_data_set
from orchestrion.data.piece import Piece, Split
from orchestrion.errors import InputError

WANTED = (
    ("set", "split"), ("set", "subset"), ("track", "title"), ("track", "genre_top"), ("track", "license"),
    ("artist", "name"),
)  # fmt: skip
PARTS: dict[str, Split] = {"training": "train", "validation": "validation", "test": "test"}


@dataclass(frozen=True, slots=True)
class Fma:
    """Tracks of one size that lie in its folder (`fma_small/000/000002.mp3`), with the published split by artist and
    the table `fma_metadata/tracks.csv`."""

    size: str
    title: str = "FMA"
    source: str = "FMA (arXiv 1612.01840), https://github.com/mdeff/fma"
    licence: str = "CC BY 4.0 (metadata), chosen by each artist (recordings)"
    splits: tuple[str, ...] = SPLITS

    def find(self, folder: Path) -> list[Entry]:
        """All tracks of the table whose recording is there; see `Reader.find`."""
        tables = [p for p in (folder / "fma_metadata" / "tracks.csv", folder / "tracks.csv") if p.is_file()]
        sounds = folder / f"fma_{self.size}"
        if not tables or not sounds.is_dir():
            raise not_the_data_set(folder, self.title, f"fma_metadata/tracks.csv and fma_{self.size}/000/000002.mp3")
        entries = []
        for number, facts in _tracks(tables[0]):
            name = f"{number:06d}"
            path = sounds / name[:3] / f"{name}.mp3"
            if path.is_file() and facts["split"] in PARTS:
                entries.append(Entry(name, path, PARTS[facts["split"]], facts))
        if not entries:
            raise not_the_data_set(folder, self.title, f"recordings of the table in fma_{self.size}")
        return entries

    def read(self, entry: Entry) -> Piece:
        """The track with title, artist, genre and the licence of its artist; see `Reader.read`."""
        check_sound(entry.path)
        facts = entry.facts
        piece = Piece(entry.id, title=facts["title"], audio=entry.path, source=self.source)
        piece.licence = facts["license"] or self.licence
        piece.split = entry.split
        piece.tags = {"genre": [facts["genre_top"]] if facts["genre_top"] else [], "artist": [facts["name"]]}
        return piece


def _tracks(table: Path) -> list[tuple[int, dict[str, str]]]:
    """Number and facts of each line; the table has three lines of names."""
    try:
        with table.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file)
            groups, names = next(reader), next(reader)
            next(reader)
            places = {pair: number for number, pair in enumerate(zip(groups, names, strict=True))}
            chosen = [(name, places[group, name]) for group, name in WANTED]
            return [(int(row[0]), {name: row[at] for name, at in chosen}) for row in reader if row]
    except (UnicodeDecodeError, csv.Error, StopIteration, KeyError, ValueError, IndexError) as error:
        raise InputError(f"{table} is not the table of FMA; get it again.") from error


READERS = {f"fma_{size}": Fma(size) for size in ("small", "medium", "large", "full")}
