"""What a system is trained on: a corpus of scores, or a folder of one's own recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrion.data.trainable import UNREADABLE
from orchestrion.errors import InputError
from orchestrion.verbs.result import Progress

if TYPE_CHECKING:
    from orchestrion.data.piece import Piece

MOST_TOLD = 3  # recordings whose faults are told in full


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Pieces in two parts, a hash that tells the data from other data, how many recordings are left out by reason, and
    what there is to tell about it."""

    train: Sequence[Piece]
    validation: Sequence[Piece]
    hash: str
    left_out: dict[str, int] = field(default_factory=dict)
    told: tuple[str, ...] = ()


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

    recordings = AudioFolder(folder)
    opened = list(recordings)
    found = trainable(opened, shortest=shortest, progress=progress)
    left_out = dict(found.left_out)
    if recordings.failures:
        left_out[UNREADABLE] = left_out.get(UNREADABLE, 0) + len(recordings.failures)
    reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
    if not found.pieces:
        raise InputError(
            f"None of the {len(recordings)} recordings in {folder} can be trained on ({reasons}); give other ones."
        )
    told = [f"{len(found.pieces)} recordings, {found.seconds / 60:.1f} minutes"]
    told += [f"left out: {reasons}"] if left_out else []
    told += [sentence for _, sentence in recordings.failures[:MOST_TOLD]]
    train, validation = split(found.pieces)
    return TrainingData(train, validation, names_hash(found.pieces), left_out, tuple(told))
