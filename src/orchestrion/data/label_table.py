"""Labels of one's own recordings: a table of comma-separated values, matched with the files of a folder."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float

from orchestrion.data.song_crops import song_of
from orchestrion.errors import InputError
from orchestrion.media.files import read_input

FILE_COLUMNS = ("file", "path", "filename", "audio", "track", "name", "id")
LABEL_COLUMNS = ("tags", "tag", "labels", "label", "genre", "class")
GROUP_COLUMNS = ("group", "piece", "song", "artist", "album")
YES, NO = ("1", "1.0", "true", "yes", "x"), ("0", "0.0", "false", "no", "")
LARGEST = 64 << 20  # bytes of a table


@dataclass(frozen=True, slots=True)
class LabelTable:
    """Labelled files.

    Attributes:
        files: paths.
        names: of the labels, in alphabetical order, or in that of their columns.
        labels: 1 where a file has a label.
        groups: of each file; files of one group stay together when they are split.
        task: "classes" where every file has exactly one label by a column of single words, else "tags".
        unmatched: entries of the table for which there is no file.
    """

    files: tuple[Path, ...]
    names: tuple[str, ...]
    labels: Float[np.ndarray, "files names"]
    groups: tuple[str, ...]
    task: Literal["tags", "classes"]
    unmatched: tuple[str, ...]


def read_label_table(table: str | Path, files: Sequence[Path], *, root: Path) -> LabelTable:
    """Reads a table whose first line names its columns, and finds the file of each line.

    One column names the file (by its path under `root`, with or without suffix, or by its name alone where that is
    unique). Either one column ("tags", "label", "genre" …) holds words with ; or | between them, or there is a column
    with 0 and 1 for each tag. A column "group", "piece", "song", "artist" or "album" says which files belong together;
    without one, files whose names say that they are clips of one song do.

    Raises:
        InputError: the table is damaged, has no such columns, names no file that is there, or no label.
    """
    path = Path(table)
    rows = _rows(path)
    columns = [name.strip() for name in rows[0]]
    lower = [name.lower() for name in columns]
    file_column = next((lower.index(name) for name in FILE_COLUMNS if name in lower), 0)
    group_column = next((lower.index(name) for name in GROUP_COLUMNS if name in lower), None)
    label_column = next((lower.index(name) for name in LABEL_COLUMNS if name in lower), None)
    body = [row + [""] * (len(columns) - len(row)) for row in rows[1:] if any(cell.strip() for cell in row)]
    words, names, single = _labels(path, columns, body, label_column, {file_column, group_column})
    known = _known(files, root)
    found: dict[Path, int] = {}
    unmatched = []
    for number, row in enumerate(body):
        entry = row[file_column].strip()
        match = known.get(entry.replace("\\", "/").removeprefix("./"))
        if match is None:
            unmatched.append(entry)
        else:
            found[match] = number
    if not found:
        raise InputError(
            f"None of the {len(body)} lines of {path} names a file in {root}; its first column must hold their names."
        )
    place = {name: number for number, name in enumerate(names)}
    labels = np.zeros((len(found), len(names)), np.float32)
    for line, number in enumerate(found.values()):
        for word in words[number]:
            labels[line, place[word]] = 1
    kept = labels.sum(0) > 0
    if not kept.any():
        raise InputError(f"The files that {path} names have no labels; give some.")
    groups = [
        body[number][group_column].strip() or str(file) if group_column is not None else song_of(str(file))
        for file, number in found.items()
    ]
    return LabelTable(
        files=tuple(found),
        names=tuple(name for name, keep in zip(names, kept.tolist(), strict=True) if keep),
        labels=labels[:, kept],
        groups=tuple(groups),
        task="classes" if single and kept.sum() > 1 and (labels.sum(1) == 1).all() else "tags",
        unmatched=tuple(unmatched),
    )


def _rows(path: Path) -> list[list[str]]:
    content = read_input(path, most_bytes=LARGEST)
    try:
        text = content.decode("utf-8-sig")
        dialect = "\t" if "\t" in text.partition("\n")[0] else ","
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=dialect) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"The file {path} is no table of comma-separated values; save it as CSV in UTF-8.") from error
    if len(rows) < 2 or len(rows[0]) < 2:
        raise InputError(f"The table {path} needs a line of column names, a column of files and one of labels.")
    return rows


def _labels(
    path: Path, columns: list[str], body: list[list[str]], column: int | None, others: set[int | None]
) -> tuple[list[list[str]], list[str], bool]:
    """The labels of each line, all labels, and whether a column of single words holds them."""
    if column is not None:
        words = [[word.strip() for word in re.split(r"[;|]", row[column]) if word.strip()] for row in body]
        return words, sorted({word for row in words for word in row}), all(len(row) == 1 for row in words)
    tagged = []
    for number, name in enumerate(columns):
        values = {row[number].strip().lower() for row in body}
        if number not in others and name and values <= {*YES, *NO} and values & set(YES):
            tagged.append(number)
    if not tagged:
        raise InputError(
            f"The table {path} has no column of labels; name one 'tags', or give each tag a column of 0 and 1."
        )
    words = [[columns[number] for number in tagged if row[number].strip().lower() in YES] for row in body]
    return words, [columns[number] for number in tagged], False


def _known(files: Sequence[Path], root: Path) -> Mapping[str, Path]:
    """Every way in which a file may be named, as far as it names one file only."""
    ways: dict[str, set[Path]] = {}
    for file in files:
        relative = file.relative_to(root)
        for way in (str(file), relative.as_posix(), relative.with_suffix("").as_posix(), file.name, file.stem):
            ways.setdefault(way, set()).add(file)
    return {way: next(iter(matches)) for way, matches in ways.items() if len(matches) == 1}
