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
BLOCK = 1 << 18  # samples that are looked at at once
HELD_OUT = 20  # one recording in so many is for validation, where nobody said which


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

    @property
    def told(self) -> str:
        """What is left out, in words; empty if nothing is."""
        return ", ".join(f"{count} {reason}" for reason, count in self.left_out.items())


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
        reason, seconds = look_at(Path(piece.audio), shortest=shortest) if piece.audio is not None else ("silent", 0.0)
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
        return "that cannot be read as sound", 0.0


def split(pieces: Sequence[Piece]) -> tuple[list[Piece], list[Piece]]:
    """Pieces to train on and to validate on: as they say, else about one in 20 by a hash of its name; the same for the
    same names, and at least one in each part, if need be the same.

    Raises:
        InputError: there are none.
    """
    if not pieces:
        raise InputError("There are no pieces to train on; give a folder or corpus that has some.")
    ordered = sorted(pieces, key=lambda piece: hashlib.sha256(piece.id.encode()).digest())
    held_out = [piece for piece in ordered if piece.split == "validation"]
    if not any(piece.split for piece in ordered):
        held_out = ordered[: max(len(ordered) // HELD_OUT, 1)]
    names = {piece.id for piece in held_out}
    train = [piece for piece in pieces if piece.id not in names and piece.split in (None, "train")]
    return train or list(pieces), [piece for piece in pieces if piece.id in names] or list(pieces)[:1]


def names_hash(pieces: Sequence[Piece]) -> str:
    """SHA-256 over the names and sizes of recordings, in hexadecimal: it tells folders apart without reading them."""
    digest = hashlib.sha256()
    for piece in sorted(pieces, key=lambda piece: piece.id):
        digest.update(f"{piece.id}\0{Path(piece.audio).stat().st_size}\n".encode())
    return digest.hexdigest()
