"""Which recordings can be trained on, and why the others cannot."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orchestrion.data.piece import Piece
from orchestrion.errors import InputError

FLOATING = ("FLOAT", "DOUBLE")  # encodings whose samples may be no numbers; those of integers cannot
UNREADABLE = "that cannot be read"
BLOCK = 1 << 18  # samples that are looked at at once


@dataclass(frozen=True, slots=True)
class Trainable:
    """Recordings of a folder.

    Attributes:
        pieces: those that can be trained on.
        left_out: how many are left out, by reason.
        seconds: length of all that can be.
    """

    pieces: list[Piece]
    left_out: dict[str, int]
    seconds: float


def trainable(
    pieces: Sequence[Piece], *, shortest: float, progress: Callable[[int, int], None] | None = None
) -> Trainable:
    """Looks at the recordings of pieces: at headers, and at all samples of those that may hold what is no number.

    Args:
        shortest: seconds that a recording must last.
    """
    kept: list[Piece] = []
    reasons: Counter[str] = Counter()
    total = 0.0
    for done, piece in enumerate(pieces, 1):
        reason, seconds = look_at(Path(piece.audio), shortest=shortest)
        if reason:
            reasons[reason] += 1
        else:
            kept.append(piece)
            total += seconds
        if progress is not None:
            progress(done, len(pieces))
    return Trainable(kept, dict(sorted(reasons.items())), total)


def look_at(path: Path, *, shortest: float) -> tuple[str, float]:
    """Why a recording cannot be trained on, "" if it can, and its length in seconds."""
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            seconds = file.frames / file.samplerate
            if seconds < max(shortest, 1 / file.samplerate):
                return f"shorter than {shortest:.2f} s", seconds
            if file.subtype in FLOATING:
                for block in file.blocks(BLOCK, dtype="float32"):
                    if not np.isfinite(block).all():
                        return "with samples that are no numbers", seconds
            return "", seconds
    except (soundfile.SoundFileError, RuntimeError, OSError):
        return UNREADABLE, 0.0


def split(pieces: Sequence[Piece]) -> tuple[list[Piece], list[Piece]]:
    """Pieces to train on and pieces to validate on, as they say; those for tests are in neither.

    Of few pieces none may be in one of the parts: then all are trained on, and the first is validated on.

    Raises:
        InputError: there are none.
    """
    if not pieces:
        raise InputError("There are no pieces to train on; give a folder or corpus that has some.")
    train = [piece for piece in pieces if piece.split in (None, "train")]
    held_out = [piece for piece in pieces if piece.split == "validation"]
    return train or list(pieces), held_out or list(pieces)[:1]


def names_hash(pieces: Sequence[Piece]) -> str:
    """SHA-256 over the names and sizes of recordings, in hexadecimal: it tells folders apart without reading them."""
    digest = hashlib.sha256()
    for piece in sorted(pieces, key=lambda piece: piece.id):
        digest.update(f"{piece.id}\0{Path(piece.audio).stat().st_size}\n".encode())
    return digest.hexdigest()
