"""A folder of one's own recordings with what is written beside them: captions, tags, tables of labels."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args, overload

from orchestrion.data.datasets.layout import check_sound, split_by_hash
from orchestrion.data.label_table import FILE_COLUMNS, LABEL_COLUMNS
from orchestrion.data.piece import Piece, Split
from orchestrion.data.song_crops import song_of
from orchestrion.errors import InputError, OptionError, OrchestrionError
from orchestrion.media.audio import Audio, read_audio
from orchestrion.media.files import read_input

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".opus", ".aif", ".aiff", ".au")
CAPTION_COLUMNS = ("caption", "text", "description", "prompt")
SPLITS = get_args(Split)
FOLDER_SPLITS = {"train": "train", "training": "train", "validation": "validation", "valid": "validation",
                 "val": "validation", "dev": "validation", "test": "test", "testing": "test"}  # fmt: skip
LARGEST_NOTE = 1 << 20  # bytes of a text beside a recording
LARGEST_TABLE = 256 << 20
WORDS = ("genre", "mood", "instrument")  # of a JSON beside a recording, that are tags


class AudioFolder(Sequence[Piece]):
    """Recordings as pieces: `piece.audio` is the path, nothing is decoded before it is asked for.

    Beside `song.wav` may lie `song.txt` with a caption, or `song.json` with any of "caption", "title", "tags" (a list,
    or lists by kind), "genre", "mood", "instrument", "key", "tempo", "lyrics", "licence", "split". A table has a line
    for a file: its name, and a caption, tags (with ; or | between them), or a column of 0 and 1 for each tag. What lies
    beside a recording goes before the table. The split is the one that is stated, else that of the first folder named
    for one, else follows from a hash of the song (clips of one song together).

    Iterating passes over recordings that cannot be opened and lists them with the reasons in `failures`; asking for one
    by number raises the error.

    Args:
        folder: searched to any depth; names that begin with a point are left alone.
        table: comma- or tab-separated values with a line of column names.
        split: only recordings of this part.

    Raises:
        InputError: there is no such folder, it holds no recording, or the table cannot be read or names none of them.
        OptionError: the split is unknown.
    """

    def __init__(self, folder: str | Path, *, table: str | Path | None = None, split: str | None = None) -> None:
        self.folder = Path(folder)
        if split is not None and split not in SPLITS:
            raise OptionError(f"Split {split!r} is unknown; choose one of {', '.join(SPLITS)}.")
        if not self.folder.is_dir():
            raise InputError(f"There is no folder {self.folder}; give one with recordings.")
        self.paths = sorted(path for path in self.folder.rglob("*") if self._wanted(path))
        if not self.paths:
            raise InputError(f"The folder {self.folder} holds no recording; known are {', '.join(SUFFIXES)}.")
        self._table = {} if table is None else _read_table(Path(table))
        if table is not None and not any(self._row(path) for path in self.paths):
            raise InputError(f"The table {table} names none of the recordings in {self.folder}; check its file names.")
        if split is not None:
            self.paths = [path for path in self.paths if self._split(path, self._facts_or_nothing(path)) == split]
        self.failures: list[tuple[str, str]] = []

    def _wanted(self, path: Path) -> bool:
        hidden = any(part.startswith(".") for part in path.relative_to(self.folder).parts)
        return path.suffix.lower() in SUFFIXES and not hidden and path.is_file()

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> Piece: ...
    @overload
    def __getitem__(self, index: slice) -> list[Piece]: ...
    def __getitem__(self, index: int | slice) -> Piece | list[Piece]:
        if isinstance(index, slice):
            return [self._piece(path) for path in self.paths[index]]
        return self._piece(self.paths[index])

    def __iter__(self) -> Iterator[Piece]:
        self.failures = []
        for path in self.paths:
            try:
                piece = self._piece(path)
            except OrchestrionError as error:
                self.failures.append((self._name(path), str(error)))
                continue
            yield piece

    def sounds(self, *, rate: int | None = None, mono: bool = False) -> Iterator[tuple[Piece, Audio]]:
        """Pieces with their sound, one in memory at a time; those that cannot be decoded are added to `failures`."""
        for piece in self:
            try:
                audio = read_audio(piece.audio, rate=rate, mono=mono)
            except OrchestrionError as error:
                self.failures.append((piece.id, str(error)))
                continue
            yield piece, audio

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    def _piece(self, path: Path) -> Piece:
        check_sound(path)
        facts = self._facts(path)
        name = self._name(path)
        piece = Piece(name, title=str(facts.get("title") or path.stem), audio=path, source=str(facts.get("source", "")))
        piece.caption, piece.lyrics = _text(facts, "caption"), _text(facts, "lyrics")
        piece.licence = str(facts.get("licence") or facts.get("license") or "")
        piece.tags = _tags(facts)
        piece.split = self._split(path, facts)
        try:
            if facts.get("key"):
                from orchestrion.theory.keys import Key

                piece.key = Key.parse(str(facts["key"]))
            if facts.get("tempo") or facts.get("bpm"):
                piece.tempo = float(facts.get("tempo") or facts["bpm"])
        except (ValueError, TypeError) as error:
            raise InputError(f"What is written beside {path} has a key or tempo that is none ({error}).") from error
        return piece

    def _facts(self, path: Path) -> dict[str, Any]:
        """What the table, the text and the JSON say, the last of them before the others."""
        facts = dict(self._row(path) or {})
        text, notes = path.with_suffix(".txt"), path.with_suffix(".json")
        try:
            if text.is_file():
                facts["caption"] = read_input(text, most_bytes=LARGEST_NOTE).decode("utf-8-sig").strip()
            if notes.is_file():
                found = json.loads(read_input(notes, most_bytes=LARGEST_NOTE))
                if not isinstance(found, dict):
                    raise InputError(f"The file {notes} must hold names and values in braces.")
                facts |= found
        except ValueError as error:  # of JSON and of UTF-8
            raise InputError(f"What is written beside {path} cannot be read; give UTF-8 text, or JSON.") from error
        return facts

    def _facts_or_nothing(self, path: Path) -> dict[str, Any]:
        """For the split only: what cannot be read is told when the piece is asked for."""
        try:
            return self._facts(path)
        except InputError:
            return {}

    def _row(self, path: Path) -> dict[str, Any] | None:
        name = self._name(path)
        for way in (name, name.rpartition(".")[0], path.name, path.stem):
            if way in self._table:
                return self._table[way]
        return None

    def _split(self, path: Path, facts: dict[str, Any]) -> Split:
        if facts.get("split") in SPLITS:
            return facts["split"]
        for part in path.relative_to(self.folder).parts[:-1]:
            if part.lower() in FOLDER_SPLITS:
                return FOLDER_SPLITS[part.lower()]  # type: ignore[return-value]
        return split_by_hash(song_of(self._name(path)))


def _text(facts: dict[str, Any], name: str) -> str | None:
    return str(facts[name]).strip() or None if facts.get(name) else None


def _words(value: Any) -> list[str]:
    if isinstance(value, str):
        return [word.strip() for word in re.split(r"[;|]", value) if word.strip()]
    return [str(word) for word in value] if isinstance(value, list) else []


def _tags(facts: dict[str, Any]) -> dict[str, list[str]]:
    given = facts.get("tags")
    tags = {str(kind): _words(words) for kind, words in given.items()} if isinstance(given, dict) else {}
    if words := _words(given):
        tags["tag"] = words
    return tags | {kind: _words(facts[kind]) for kind in WORDS if _words(facts.get(kind))}


def _read_table(path: Path) -> dict[str, dict[str, Any]]:
    """What each line says, by the name of its file as it is written, without "./"."""
    try:
        text = read_input(path, most_bytes=LARGEST_TABLE).decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(text), delimiter="\t" if "\t" in text.partition("\n")[0] else ","))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"The file {path} is no table of comma-separated values; save it as CSV in UTF-8.") from error
    if len(rows) < 2:
        raise InputError(f"The table {path} needs a line of column names and a line for each recording.")
    columns = [name.strip().lower() for name in rows[0]]
    at = next((columns.index(name) for name in FILE_COLUMNS if name in columns), 0)
    table: dict[str, dict[str, Any]] = {}
    for row in rows[1:]:
        if len(row) <= at or not row[at].strip():
            continue
        facts: dict[str, Any] = {}
        for number, (column, value) in enumerate(zip(columns, row, strict=False)):
            if number == at or not value.strip():
                continue
            if column in CAPTION_COLUMNS:
                facts["caption"] = value
            elif column in LABEL_COLUMNS and column != "genre":
                facts["tags"] = value
            elif value.strip() in ("0", "1") and column not in ("split", "tempo", "bpm"):
                facts.setdefault("tags", [])
                if value.strip() == "1" and isinstance(facts["tags"], list):
                    facts["tags"].append(rows[0][number].strip())
            else:
                facts[column] = value.strip()
        table[row[at].strip().replace("\\", "/").removeprefix("./")] = facts
    return table
