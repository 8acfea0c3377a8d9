"""MagnaTagATune (Law et al., ISMIR 2009): 25,863 clips of 29 s with tags, in two customary splits."""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from orchestrion.data.datasets.dataset import SPLITS, Entry
from orchestrion.data.datasets.layout import check_sound, inside, not_the_data_set, table_rows
from orchestrion.data.piece import Piece, Split
from orchestrion.data.song_crops import song_of
from orchestrion.errors import InputError

INDEX, LABELS, TABLE = "index_mtt.tsv", "output_labels_mtt.txt", "annotations_final.csv"
PARTS: dict[str, Split] = {
    "train_gt_mtt.tsv": "train",
    "val_gt_mtt.tsv": "validation",
    "test_gt_mtt.tsv": "test",
}
N_TAGS = 50
BY_FOLDER: dict[str, Split] = {**dict.fromkeys("0123456789ab", "train"), "c": "validation", **dict.fromkeys("def", "test")}  # fmt: skip  # noqa: E501  # type: ignore[dict-item]


@dataclass(frozen=True, slots=True)
class MagnaTagATune:
    """Clips with those of the 50 most frequent tags that they have; clips with none are left out.

    Where the files of Pons et al. (2017) are there (`train_gt_mtt.tsv` and so on), their split and tags hold; otherwise
    `annotations_final.csv` with the first folder of the path: 0–b train, c validation, d–f test. Figures on the two
    cannot be compared. Clips of one song share the tag "song".
    """

    title: str = "MagnaTagATune"
    source: str = "MagnaTagATune (Law et al., ISMIR 2009)"
    licence: str = "CC BY-NC-SA (recordings of Magnatune)"
    splits: tuple[str, ...] = SPLITS

    def find(self, folder: Path) -> list[Entry]:
        """All clips of the tables; see `Reader.find`."""
        for root in (folder, folder / "magnatagatune", folder / "MTT"):
            if (root / INDEX).is_file() and (root / LABELS).is_file():
                return _published(root, folder)
            if (root / TABLE).is_file():
                return _by_folder(root)
        raise not_the_data_set(folder, self.title, f"{INDEX} with {', '.join(PARTS)} and {LABELS}, or {TABLE}")

    def read(self, entry: Entry) -> Piece:
        """The clip with its tags; see `Reader.read`."""
        check_sound(entry.path)
        piece = Piece(entry.id, title=entry.path.stem, audio=entry.path, source=self.source, licence=self.licence)
        piece.split = entry.split
        piece.tags = {"tag": list(entry.facts), "song": [song_of(entry.path.name)]}
        return piece


def _published(root: Path, folder: Path) -> list[Entry]:
    names = _names(root / LABELS)
    paths = dict(_pairs(root / INDEX))
    entries = []
    for file, split in PARTS.items():
        if not (root / file).is_file():
            raise not_the_data_set(folder, "MagnaTagATune", f"{file} beside {INDEX}")
        for clip, text in _pairs(root / file):
            try:
                flags = [bool(int(float(value))) for value in ast.literal_eval(text)]
            except (ValueError, SyntaxError, TypeError) as error:
                raise InputError(f"A line of {root / file} holds no list of 0 and 1; get it again.") from error
            if clip not in paths or len(flags) != len(names):
                raise InputError(f"{root / file}, {INDEX} and {LABELS} do not belong together; get them again.")
            tags = tuple(name for name, has in zip(names, flags, strict=True) if has)
            entries.append(Entry(clip, _place(root, paths[clip]), split, tags))
    return entries


def _pairs(path: Path) -> list[tuple[str, str]]:
    try:
        rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise InputError(f"{path} cannot be read; get it again.") from error
    if not all(len(row) == 2 for row in rows):
        raise InputError(f"{path} must have two columns with a tab between them; get it again.")
    return [(row[0], row[1]) for row in rows]


def _names(path: Path) -> list[str]:
    """Names in quotes, or one on each line."""
    text = path.read_text(encoding="utf-8")
    return re.findall(r"['\"]([^'\"]+)['\"]", text) or [line.strip() for line in text.splitlines() if line.strip()]


def _place(root: Path, location: str) -> Path:
    path = inside(root, location)
    return path if path.is_file() or not (root / "mp3").is_dir() else inside(root / "mp3", location)


def _by_folder(root: Path) -> list[Entry]:
    rows = table_rows(root / TABLE, delimiter="\t", columns=("clip_id", "mp3_path"), title="MagnaTagATune")
    tagged = [name for name in rows[0] if name not in ("clip_id", "mp3_path")]
    counts = Counter({name: sum(row[name] == "1" for row in rows) for name in tagged})
    names = [name for name, count in counts.most_common(N_TAGS) if count]
    entries = []
    for row in sorted(rows, key=lambda row: int(row["clip_id"]) if row["clip_id"].isdigit() else 0):
        tags = tuple(name for name in names if row[name] == "1")
        first = row["mp3_path"][:1].lower()
        if tags and first in BY_FOLDER:
            entries.append(Entry(row["clip_id"], _place(root, row["mp3_path"]), BY_FOLDER[first], tags))
    return entries


READERS = {"magnatagatune": MagnaTagATune()}
