"""MTG-Jamendo (Bogdanov et al. 2019): 55,000 whole tracks with tags of genre, instrument, mood and theme."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrion.data.datasets.dataset import SPLITS, Entry
from orchestrion.data.datasets.layout import check_sound, first_place, inside, not_the_data_set
from orchestrion.data.piece import Piece, Split
from orchestrion.errors import InputError

COLUMNS = 5  # before the tags: track, artist, album, path, duration
FILES: dict[str, Split] = {"train": "train", "validation": "validation", "test": "test"}


@dataclass(frozen=True, slots=True)
class MtgJamendo:
    """Tracks of one of the published subsets, with its first split (`splits/split-0`), as figures are reported on.

    The tables are those of the data set's repository (`data/`); sound lies beside them or in `audio`, as `12/1234.mp3`
    or, in low quality, `12/1234.low.mp3`.
    """

    subset: str
    title: str = "MTG-Jamendo"
    source: str = "MTG-Jamendo (Bogdanov et al. 2019), https://mtg.github.io/mtg-jamendo-dataset"
    licence: str = "CC BY-NC-SA 4.0 (tags), Creative Commons by track (recordings)"
    splits: tuple[str, ...] = SPLITS

    def find(self, folder: Path) -> list[Entry]:
        """All tracks of the tables; see `Reader.find`."""
        place = first_place(folder, (f"data/splits/split-0/{self.subset}-train.tsv", f"splits/split-0/{self.subset}-train.tsv"))  # fmt: skip  # noqa: E501
        if place is None:
            raise not_the_data_set(folder, self.title, f"data/splits/split-0/{self.subset}-train.tsv and audio")
        entries = []
        for part, split in FILES.items():
            table = place.with_name(f"{self.subset}-{part}.tsv")
            if not table.is_file():
                raise not_the_data_set(folder, self.title, f"{table.name} beside {place.name}")
            for row in _rows(table):
                entries.append(Entry(row[0], _sound(folder, row[3]), split, tuple(row)))
        return entries

    def read(self, entry: Entry) -> Piece:
        """The track with its tags by kind, and its artist and album, which lie in one split each; see `Reader.read`."""
        check_sound(entry.path)
        piece = Piece(entry.id, title=entry.id, audio=entry.path, source=self.source, licence=self.licence)
        piece.split = entry.split
        for word in entry.facts[COLUMNS:]:
            kind, _, tag = word.rpartition("---")
            piece.tags.setdefault({"mood/theme": "mood"}.get(kind, kind or "tag"), []).append(tag)
        piece.tags["artist"], piece.tags["album"] = [entry.facts[1]], [entry.facts[2]]
        return piece


def _rows(table: Path) -> list[list[str]]:
    try:
        lines = table.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{table} cannot be read; get it again.") from error
    rows = [line.split("\t") for line in lines[1:] if line.strip()]
    if not lines or lines[0].split("\t")[:1] != ["TRACK_ID"] or not all(len(row) > COLUMNS for row in rows):
        raise InputError(f"{table} is not a table of MTG-Jamendo; get it again.")
    return rows


def _sound(folder: Path, location: str) -> Path:
    """The file in any of the customary places; the first of these where none is there."""
    ways = [inside(root, name) for root in (folder, folder / "audio", folder / "data" / "audio", folder / "mp3")
            for name in (location, location.removesuffix(".mp3") + ".low.mp3")]  # fmt: skip
    return next((path for path in ways if path.is_file()), ways[0])


READERS = {
    "mtg_jamendo": MtgJamendo("autotagging"),
    "mtg_jamendo_top50": MtgJamendo("autotagging_top50tags"),
    "mtg_jamendo_genre": MtgJamendo("autotagging_genre"),
    "mtg_jamendo_instrument": MtgJamendo("autotagging_instrument"),
    "mtg_jamendo_moodtheme": MtgJamendo("autotagging_moodtheme"),
}
