"""What verbs return: frozen records that print themselves as one JSON object."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Progress = Callable[[int, int], None]
"""Called with the work done and the work in all, in any unit."""


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: paths and unknown objects as text, records as objects, NaN and infinity as null."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    tolist = getattr(value, "tolist", None)  # numpy and torch
    if callable(tolist):
        return plain(tolist())
    return str(value)


@dataclass(frozen=True, slots=True)
class Result:
    """Base of all results."""

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values."""
        return plain(self)

    def to_json(self) -> str:
        """One JSON object on one line."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True, slots=True)
class WrittenPiece:
    """One piece of music that was written: its files, the main one first, its length, and the system's report.

    `bars` is None where no notes are known.
    """

    files: tuple[Path, ...]
    bars: int | None
    seconds: float
    report: dict[str, Any]


@dataclass(frozen=True, slots=True)
class MusicResult(Result):
    """What the verbs that make music return.

    `prompt` is the text or the name of the input file; `seed` makes the same files again with the same weights.
    """

    verb: str
    system: str
    weights_hash: str
    seed: int
    prompt: str
    pieces: tuple[WrittenPiece, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """All files, piece by piece."""
        return tuple(path for piece in self.pieces for path in piece.files)
