"""MUSDB18-HQ (Rafii et al. 2019): 150 songs with four stems at 44.1 kHz."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrion.data.datasets.dataset import SPLITS, Entry
from orchestrion.data.datasets.layout import check_sound, not_the_data_set
from orchestrion.data.piece import Piece
from orchestrion.errors import InputError

STEMS = ("vocals", "drums", "bass", "other")
VALIDATION = frozenset(
    {
        "Actions - One Minute Smile", "Clara Berry And Wooldog - Waltz For My Victims",
        "Johnny Lokke - Promises & Lies", "Patrick Talbot - A Reason To Leave", "Triviul - Angelsaint",
        "Alexander Ross - Goodbye Bolero", "Fergessen - Nos Palpitants", "Leaf - Summerghost",
        "Skelpolu - Human Mistakes", "Young Griffo - Pennies", "ANiMAL - Rockshow", "James May - On The Line",
        "Meaxic - Take A Step", "Traffic Experiment - Sirens",
    }
)  # fmt: skip
"""Fourteen of the hundred training songs, which the set's own loader holds out."""


@dataclass(frozen=True, slots=True)
class Musdb18:
    """Songs in the folders `train` and `test`, each with `mixture.wav` and its stems."""

    title: str = "MUSDB18-HQ"
    source: str = "MUSDB18-HQ (Rafii et al. 2019), doi:10.5281/zenodo.3338373"
    licence: str = "for research; by song"
    splits: tuple[str, ...] = SPLITS

    def find(self, folder: Path) -> list[Entry]:
        """All songs; see `Reader.find`."""
        root = next(
            (r for r in (folder, folder / "musdb18hq") if (r / "train").is_dir() or (r / "test").is_dir()), folder
        )
        entries = []
        for part in ("train", "test"):
            for song in sorted(path.parent for path in (root / part).glob("*/mixture.wav")):
                split = "test" if part == "test" else "validation" if song.name in VALIDATION else "train"
                entries.append(Entry(song.name, song, split))
        if not entries:
            raise not_the_data_set(folder, self.title, "train/Artist - Title/mixture.wav with its stems")
        return entries

    def read(self, entry: Entry) -> Piece:
        """The song with the paths of its mix and of its stems by name; see `Reader.read`."""
        mix = entry.path / "mixture.wav"
        check_sound(mix)
        stems = {name: entry.path / f"{name}.wav" for name in STEMS}
        if missing := [name for name, path in stems.items() if not path.is_file()]:
            raise InputError(f"The song in {entry.path} lacks the stem {missing[0]}; get it again.")
        artist, _, title = entry.id.partition(" - ")
        piece = Piece(entry.id, title=title or entry.id, audio=mix, source=self.source, licence=self.licence)
        piece.stems, piece.split, piece.tags = dict(stems), entry.split, {"artist": [artist]}
        return piece


READERS = {"musdb18": Musdb18()}
