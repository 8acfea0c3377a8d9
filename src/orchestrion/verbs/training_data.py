"""What a system is trained on: a corpus of scores, or a folder of one's own recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrion.errors import InputError
from orchestrion.verbs.result import Progress

if TYPE_CHECKING:
    from orchestrion.data.piece import Piece


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Pieces in two parts, a hash that tells the data from other data, and what recordings are left out and why."""

    train: Sequence[Piece]
    validation: Sequence[Piece]
    hash: str
    left_out: dict[str, int] = field(default_factory=dict)
    told: str = ""


def training_data(data: str, *, shortest: float = 0.0, progress: Progress | None = None) -> TrainingData:
    """The data that a name or path stands for.

    Args:
        data: "compact", "full", the path of a corpus file, of the folder it was built in, or of a folder of recordings.
        shortest: seconds that a recording must last.

    Raises:
        InputError: it is not there, has no recordings, or none that can be trained on.
    """
    from orchestrion.data.corpus import FULL_NAME, corpus_hash, load_corpus

    folder = Path(data)
    if data in ("compact", "full") or not folder.is_dir() or (folder / FULL_NAME).is_file():
        parts = (load_corpus(data, split=part) for part in ("train", "validation"))
        return TrainingData(*parts, hash=corpus_hash(data))
    return _recordings(folder, shortest, progress)


def _recordings(folder: Path, shortest: float, progress: Progress | None) -> TrainingData:
    from orchestrion.data.audio_folder import AudioFolder
    from orchestrion.data.trainable import names_hash, split, trainable

    pieces = list(AudioFolder(folder))
    if not pieces:
        raise InputError(f"There are no recordings in {folder}; give a folder with WAV, FLAC, OGG or MP3 files.")
    found = trainable(pieces, shortest=shortest, progress=progress)
    if not found.pieces:
        raise InputError(
            f"None of the {len(pieces)} recordings in {folder} can be trained on: {found.told}; give other ones."
        )
    told = f"{len(found.pieces)} recordings, {found.seconds / 60:.1f} minutes"
    told += f"; left out: {found.told}" if found.left_out else ""
    train, validation = split(found.pieces)
    return TrainingData(train, validation, names_hash(found.pieces), found.left_out, told)
