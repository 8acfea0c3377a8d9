"""VGMIDI (Ferreira & Whitehead 2019): piano arrangements of video game music, some with valence and arousal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrion.data.datasets.dataset import SPLITS, Entry
from orchestrion.data.datasets.layout import not_the_data_set, piece_of_score, split_by_hash, table_rows
from orchestrion.data.piece import Piece
from orchestrion.errors import InputError

COLUMNS = ("game", "piece", "midi", "valence", "arousal")
PARTS = ("labelled", "unlabelled")
SOURCE = "VGMIDI (Ferreira & Whitehead, ISMIR 2019), https://github.com/lucasnfe/vgmidi"
LICENCE = "non-commercial (none is stated; the music belongs to the makers of the games)"
KINDS = {"arousal": ("low", "high"), "valence": ("negative", "positive")}


@dataclass(frozen=True, slots=True)
class Vgmidi:
    """Labelled pieces or phrases first, in the order of their table, then all other files of the folders
    labelled and unlabelled. There is no
    split of the present version; all phrases of one piece share one of ours, and so do its versions without labels."""

    title: str = "VGMIDI"
    source: str = SOURCE
    licence: str = LICENCE
    splits: tuple[str, ...] = SPLITS

    def find(self, folder: Path) -> list[Entry]:
        """All pieces; see `Reader.find`. Tables are CSV files with the columns midi, valence and arousal, whose paths
        count from the table or from the folder above it."""
        root = folder.resolve()
        entries: list[Entry] = []
        seen: set[Path] = set()
        for table in sorted(folder.rglob("*.csv")):
            with table.open(encoding="utf-8-sig", errors="replace") as file:
                if not set(COLUMNS) <= set(file.readline().strip().split(",")):
                    continue
            for row in table_rows(table, delimiter=",", columns=COLUMNS, title=self.title):
                path = _path(root, table, row["midi"])
                if path not in seen:
                    seen.add(path)
                    entries.append(Entry(path.stem, path, split_by_hash(f"{row['game']} {row['piece']}"), row))
        parts = [folder / name for name in PARTS if (folder / name).is_dir()]
        files = [path for part in parts for path in part.rglob("*.mid")]
        others = sorted(path for path in files if path.resolve() not in seen)
        entries += [Entry(path.stem, path, split_by_hash(path.stem.rpartition("_")[0] or path.stem)) for path in others]
        if not entries:
            raise not_the_data_set(folder, self.title, "a table such as labelled/vgmidi.csv, or a folder unlabelled")
        return entries

    def read(self, entry: Entry) -> Piece:
        """The piece with its game, and tags for "arousal" ("low", "high") and "valence" ("negative", "positive") where
        it is labelled; see `Reader.read`. Labels are 0 or 1, or −1 or 1, by version."""
        piece, _ = piece_of_score(entry.id, entry.path)
        piece.source, piece.licence, piece.split = self.source, self.licence, entry.split
        piece.tags = {"genre": ["game"]}
        if entry.facts is not None:
            piece.title = f"{entry.facts['game']}: {entry.facts['piece']}"
            for kind, words in KINDS.items():
                try:
                    piece.tags[kind] = [words[int(float(entry.facts[kind]) > 0)]]
                except ValueError as error:
                    raise InputError(f"The {kind} of {entry.id} is no number; get the table again.") from error
        return piece


def _path(root: Path, table: Path, location: str) -> Path:
    """The file that a row names, which must lie in the folder."""
    for base in (table.parent, table.parent.parent, root):
        path = (base / location).resolve()
        if path.is_file() and path.is_relative_to(root):
            return path
    path = (table.parent / location).resolve()
    if not path.is_relative_to(root):
        raise InputError(f"The table {table} names a file outside of the data set ({location}); get it again.")
    return path


READERS = {"vgmidi": Vgmidi()}
