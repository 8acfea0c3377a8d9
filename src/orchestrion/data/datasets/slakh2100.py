"""Slakh2100 (arXiv 1909.08494): multi-track MIDI rendered with sampled instruments, mix and stems. Also BabySlakh."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrion.data.datasets.dataset import SPLITS, Entry
from orchestrion.data.datasets.layout import not_the_data_set, piece_of_score
from orchestrion.data.piece import Piece, Split
from orchestrion.errors import InputError

SOUNDS = (".flac", ".wav")
LAST_TRAINING_TRACK, LAST_VALIDATION_TRACK = 1500, 1875


@dataclass(frozen=True, slots=True)
class Slakh2100:
    """Tracks by number. The split is that of the folders `train`, `validation` and `test` (in the "redux" version also
    `omitted`, which is left out), or, where all tracks lie in one folder, the first one published."""

    title: str = "Slakh2100"
    source: str = "Slakh2100 (arXiv 1909.08494), https://www.slakh.com"
    licence: str = "CC BY 4.0"
    splits: tuple[str, ...] = SPLITS

    def find(self, folder: Path) -> list[Entry]:
        """All tracks; see `Reader.find`."""
        entries = []
        tracks = {path.parent for depth in ("", "*/", "*/*/") for path in folder.glob(f"{depth}Track*/metadata.yaml")}
        for track in sorted(tracks, key=lambda path: path.name):
            part = track.parent.name
            number = track.name.removeprefix("Track")
            if part == "omitted" or not number.isdigit():
                continue
            entries.append(Entry(track.name, track, part if part in SPLITS else _split(int(number))))
        if not entries:
            raise not_the_data_set(folder, self.title, "train/Track00001/metadata.yaml with all_src.mid beside it")
        return entries

    def read(self, entry: Entry) -> Piece:
        """The track with its notes and the paths of its mix and stems (by their names, "S00" and so on); the
        instrument classes are in the tags, in the order of the stems. See `Reader.read`."""
        piece, _ = piece_of_score(entry.id, entry.path / "all_src.mid")
        piece.source, piece.licence, piece.split = self.source, self.licence, entry.split
        piece.audio = _sound(entry.path, "mix")
        stems = _stems(entry.path / "metadata.yaml")
        found = {name: _sound(entry.path / "stems", name) for name in stems}
        piece.stems = {name: path for name, path in found.items() if path is not None} or None
        piece.tags = {"instrument": [str(stem.get("inst_class", "")) for stem in stems.values()]}
        return piece


def _split(number: int) -> Split:
    if number <= LAST_TRAINING_TRACK:
        return "train"
    return "validation" if number <= LAST_VALIDATION_TRACK else "test"


def _sound(folder: Path, name: str) -> Path | None:
    return next((path for suffix in SOUNDS if (path := folder / f"{name}{suffix}").is_file()), None)


def _stems(path: Path) -> dict[str, dict[str, Any]]:
    """What the file says of each stem."""
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read; get the track again.") from error
    stems = found.get("stems") if isinstance(found, dict) else None
    if not isinstance(stems, dict) or not all(isinstance(stem, dict) for stem in stems.values()):
        raise InputError(f"{path} does not say which stems there are; get the track again.")
    return {str(name): stems[name] for name in sorted(stems)}


READERS = {"slakh2100": Slakh2100()}
