"""The Lakh MIDI data set (Raffel 2016): full, matched to the Million Song Dataset, and aligned to its recordings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrion.data.datasets.dataset import SPLITS, Entry
from orchestrion.data.datasets.layout import not_the_data_set, piece_of_score, split_by_hash
from orchestrion.data.piece import Piece

MD5 = "[0-9a-f]" * 32
TRACK = "TR" + "[0-9A-Z]" * 16


@dataclass(frozen=True, slots=True)
class Lakh:
    """One of the three. Files of matched and aligned lie under the track of the Million Song Dataset that they play;
    versions of one track share a split. The splits are ours: the data set has none."""

    part: str
    title: str
    pattern: str
    layout: str
    source: str = "Lakh MIDI Dataset v0.1, https://colinraffel.com/projects/lmd/"
    licence: str = "CC BY 4.0"
    splits: tuple[str, ...] = SPLITS

    def find(self, folder: Path) -> list[Entry]:
        """All MIDI files, by path; see `Reader.find`."""
        root = folder / self.part if (folder / self.part).is_dir() else folder
        paths = sorted(path for path in root.glob(self.pattern) if path.suffix == ".mid")
        if not paths:
            raise not_the_data_set(folder, self.title, self.layout)
        matched = self.part != "lmd_full"
        return [
            Entry(
                path.relative_to(root).with_suffix("").as_posix(),
                path,
                split_by_hash(path.parent.name if matched else path.stem),
                path.parent.name if matched else None,
            )
            for path in paths
        ]

    def read(self, entry: Entry) -> Piece:
        """The piece; a matched one is tagged with its track, "msd_track". See `Reader.read`."""
        piece, _ = piece_of_score(entry.id, entry.path)
        piece.source, piece.licence, piece.split = self.source, self.licence, entry.split
        if entry.facts is not None:
            piece.tags["msd_track"] = [entry.facts]
        return piece


READERS = {
    "lmd_full": Lakh(
        "lmd_full", "LMD-full", f"[0-9a-f]/{MD5}.mid", "lmd_full/0/00….mid, files named by their MD5 sums"
    ),
    "lmd_matched": Lakh(
        "lmd_matched", "LMD-matched", f"?/?/?/{TRACK}/{MD5}.mid", "lmd_matched/A/A/A/TRAAA…/….mid, folders of tracks"
    ),
    "lmd_aligned": Lakh(
        "lmd_aligned", "LMD-aligned", f"?/?/?/{TRACK}/{MD5}.mid", "lmd_aligned/A/A/A/TRAAA…/….mid, folders of tracks"
    ),
}
