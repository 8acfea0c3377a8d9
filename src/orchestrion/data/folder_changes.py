"""What has changed in a folder since its files were looked at, at a few bytes a file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True, slots=True)
class Found:
    """A file below a root: path with forward slashes, time of change in ns, size, and whether it was known before."""

    path: str
    changed: int
    size: int
    known: bool


class FolderState:
    """The files that are known, as 64-bit hashes of their paths and of their times and sizes: 17 bytes a file.

    Args:
        known: (path, time of change in ns, size) of each.
    """

    def __init__(self, known: Iterable[tuple[str, int, int]]) -> None:
        pairs = np.fromiter(
            ((_hash(path), _hash(f"{changed} {size}")) for path, changed, size in known),
            dtype=[("path", np.uint64), ("state", np.uint64)],
        )
        self._known = np.sort(pairs, order="path")
        self._seen = np.zeros(len(pairs), bool)

    def changes(self, root: Path, suffixes: Iterable[str], *, leave_out: Path | None = None) -> Iterator[Found]:
        """New and changed files, in the order of their names. Those that were passed over are noted as seen."""
        for path, status in walk(root, frozenset(suffixes), leave_out):
            place = self._place(path)
            if place is not None:
                self._seen[place] = True
                if self._known["state"][place] == _hash(f"{status.st_mtime_ns} {status.st_size}"):
                    continue
            yield Found(path, status.st_mtime_ns, status.st_size, place is not None)

    def is_gone(self, path: str) -> bool:
        """Whether a known file was not seen by `changes` in its last run to the end."""
        place = self._place(path)
        return place is not None and not self._seen[place]

    @property
    def any_gone(self) -> bool:
        """Whether any known file was not seen."""
        return not self._seen.all()

    def _place(self, path: str) -> int | None:
        key = np.uint64(_hash(path))
        place = int(np.searchsorted(self._known["path"], key))
        return place if place < len(self._known) and self._known["path"][place] == key else None


def walk(root: Path, suffixes: frozenset[str], leave_out: Path | None = None) -> Iterator[tuple[str, os.stat_result]]:
    """Files with one of the suffixes below a root, by name; hidden ones, links to folders and `leave_out` are not
    entered."""
    left_out = None if leave_out is None else str(leave_out.resolve())
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and str(Path(folder, name).resolve()) != left_out
        )
        for name in sorted(files):
            path = Path(folder, name)
            if name.startswith(".") or path.suffix.lower() not in suffixes:
                continue
            try:
                status = path.stat()
            except OSError:  # gone meanwhile, or a link to nothing
                continue
            yield path.relative_to(root).as_posix(), status


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=8).digest(), "little")
