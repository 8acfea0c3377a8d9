"""What a run has finished, one line an item, appended as it comes: a killed run goes on from it."""

from __future__ import annotations

import json
import os
import tempfile
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from orchestrion.errors import OutputError


class Journal:
    """Outcomes of numbered items in a file. Only the places of the lines are held in memory.

    A last line that was cut off and lines of items that are no longer asked for are passed over; of two lines of one
    item the later holds. Failures of earlier runs are forgotten, so that they are tried again.

    Args:
        path: the file, continued if it is there and begins with `stamp`, else begun; a temporary one if None.
        stamp: names the work, so that results of other work are not taken for its own.
        keys: name of each item, by number.

    Raises:
        OutputError: the file cannot be written.
    """

    def __init__(self, path: Path | None, stamp: str, keys: Sequence[str]) -> None:
        self.path = path
        self._keys = keys
        self._places = array("q", [-1]) * len(keys)
        self.finished = 0
        try:
            self._file: IO[bytes] = self._open(stamp)
        except OSError as error:
            raise self._unwritable(error) from error

    def __contains__(self, number: int) -> bool:
        return self._places[number] >= 0

    def add(self, number: int, done: bool, text: str) -> None:
        """Writes the outcome of an item: its result as JSON, or why it failed.

        Raises:
            OutputError: the disk is full, or the file cannot be written for another reason.
        """
        body = f'"result": {text}' if done else f'"error": {json.dumps(text)}'
        line = f'{{"item": {json.dumps(self._keys[number])}, {body}}}\n'
        try:
            place = self._file.seek(0, os.SEEK_END)
            self._file.write(line.encode())
            self._file.flush()
        except OSError as error:
            raise self._unwritable(error) from error
        if done:
            self._places[number] = place
            self.finished += 1

    def result(self, number: int) -> Any:
        """The result of a finished item."""
        self._file.seek(self._places[number])
        return _parse(self._file.readline())["result"]

    def remove(self) -> None:
        """Closes the file and deletes it."""
        self._file.close()
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def _open(self, stamp: str) -> IO[bytes]:
        head = json.dumps({"work": stamp}).encode() + b"\n"
        if self.path is None:
            file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the journal
            file.write(head)
            return file
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.is_file():
            file = self.path.open("r+b")
            if file.readline(len(head)) == head:
                self._read(file)
                return file
            file.seek(0)
            file.truncate()
        else:
            file = self.path.open("w+b")
        file.write(head)
        file.flush()
        return file

    def _read(self, file: IO[bytes]) -> None:
        numbers = {key: number for number, key in enumerate(self._keys)}
        while line := file.readline():
            place = file.tell() - len(line)
            if not line.endswith(b"\n"):
                file.truncate(place)
                break
            entry = _parse(line)
            number = numbers.get(entry.get("item", ""))
            if number is not None and "result" in entry:
                self.finished += self._places[number] < 0
                self._places[number] = place

    def _unwritable(self, error: OSError) -> OutputError:
        where = self.path if self.path is not None else tempfile.gettempdir()
        return OutputError(
            f"The progress of the run cannot be written to {where} ({error.strerror}); "
            "make room there or choose another place."
        )


def _parse(line: bytes) -> dict[str, Any]:
    """The entry of a line; an empty one if a crash left something else."""
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}
