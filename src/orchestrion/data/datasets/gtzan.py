"""GTZAN (Tzanetakis & Cook 2002): 1,000 clips of 30 s in ten genres."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrion.data.datasets.dataset import SPLITS, Entry
from orchestrion.data.datasets.layout import check_sound, not_the_data_set, split_by_hash
from orchestrion.data.piece import Piece, Split

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
LISTS: dict[str, Split] = {
    "train_filtered.txt": "train", "valid_filtered.txt": "validation", "test_filtered.txt": "test",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Gtzan:
    """Clips in folders of genres. Where the fault-filtered lists (Kereliuk et al. 2015) are there, they say the split,
    and clips that they leave out (repetitions, distortions) are left out; otherwise the split is ours, by hash, and
    leaks the repeated artists of the set."""

    title: str = "GTZAN"
    source: str = "GTZAN (Tzanetakis & Cook 2002)"
    licence: str = "not stated; for research"
    splits: tuple[str, ...] = SPLITS

    def find(self, folder: Path) -> list[Entry]:
        """All clips; see `Reader.find`."""
        roots = [root for root in (folder / "genres_original", folder / "genres", folder / "Data" / "genres_original", folder) if (root / GENRES[0]).is_dir()]  # fmt: skip  # noqa: E501
        if not roots:
            raise not_the_data_set(folder, self.title, "genres/blues/blues.00000.wav (or .au)")
        root = roots[0]
        paths = sorted(p for genre in GENRES for p in (root / genre).glob("*") if p.suffix.lower() in (".wav", ".au"))
        lists = {name: where / name for name in LISTS for where in (root, folder) if (where / name).is_file()}
        if len(lists) < len(LISTS):
            return [Entry(path.stem, path, split_by_hash(path.stem), path.parent.name) for path in paths]
        splits: dict[str, Split] = {
            Path(line.strip()).stem: LISTS[name]
            for name, path in lists.items()
            for line in path.read_text(encoding="utf-8").splitlines()
            if line.strip()
        }
        return [Entry(path.stem, path, splits[path.stem], path.parent.name) for path in paths if path.stem in splits]

    def read(self, entry: Entry) -> Piece:
        """The clip with its genre; see `Reader.read`."""
        check_sound(entry.path)
        piece = Piece(entry.id, title=entry.id, audio=entry.path, source=self.source, licence=self.licence)
        piece.split, piece.tags = entry.split, {"genre": [entry.facts]}
        return piece


READERS = {"gtzan": Gtzan()}
