"""What several data sets share: looking for the folder, splits where there are none, labels in seconds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrion.data.piece import Piece, Split
from orchestrion.errors import InputError
from orchestrion.media.timeline import Timeline
from orchestrion.theory.chords import Chord, ChordSpan

if TYPE_CHECKING:
    from symusic.core import ScoreTick


def not_the_data_set(folder: Path, title: str, wanted: str) -> InputError:
    """The error for a folder that holds something else."""
    return InputError(f"The folder {folder} does not look like {title}: it should hold {wanted}.")


def inside(folder: Path, location: str) -> Path:
    """The file that a table of the data set names.

    Raises:
        InputError: it lies outside of the folder.
    """
    if Path(location).is_absolute() or ".." in Path(location).parts:
        raise InputError(f"The table in {folder} names a file outside of that folder ({location}); get it again.")
    return folder / location


def split_by_hash(name: str) -> Split:
    """A split of ours for data sets without one: eight in ten names train, one validates, one tests."""
    digit = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % 10
    return "validation" if digit == 8 else "test" if digit == 9 else "train"


def piece_of_score(id: str, path: Path) -> tuple[Piece, ScoreTick]:
    """A piece with the notes of a MIDI file, and the first metre and tempo that the file states.

    Raises:
        InputError: the file is missing or damaged.
    """
    from orchestrion.media.score import read_score

    score = read_score(path)
    piece = Piece(id, score=score)
    if len(score.time_signatures):
        first = score.time_signatures[0]
        piece.metre = (first.numerator, first.denominator)
    if len(score.tempos):
        piece.tempo = float(score.tempos[0].qpm)
    return piece, score


def chords_in_quarters(labels: Iterable[tuple[float, float, Chord]], score: ScoreTick) -> list[ChordSpan]:
    """Spans in quarter notes of chords whose begin and end are given in seconds of the score; equal neighbours that
    touch become one."""
    timeline = Timeline.from_score(score)
    spans: list[ChordSpan] = []
    for begin, end, chord in labels:
        start = timeline.tick_to_quarter(timeline.second_to_tick(begin))
        stop = timeline.tick_to_quarter(timeline.second_to_tick(end))
        if stop <= start:
            continue
        if spans and spans[-1].chord == chord and abs(spans[-1].end - start) < 1e-3:
            spans[-1] = ChordSpan(spans[-1].start, stop, chord)
        else:
            spans.append(ChordSpan(start, stop, chord))
    return spans


def check_sound(path: Path) -> None:
    """Looks at the header of a recording.

    Raises:
        InputError: the file is missing, empty, or no sound.
    """
    import soundfile

    from orchestrion.media.files import check_input

    found = check_input(path)
    try:
        with soundfile.SoundFile(found) as file:
            empty = file.frames == 0
    except (soundfile.SoundFileError, RuntimeError, OSError) as error:
        raise InputError(f"The file {path} cannot be read as sound; get it again.") from error
    if empty:
        raise InputError(f"The file {path} holds no sound at all; get it again.")


def table_rows(path: Path, *, delimiter: str, columns: Iterable[str], title: str) -> list[dict[str, str]]:
    """The lines of a table with names of columns in its first line.

    Raises:
        InputError: the table cannot be read or lacks columns.
    """
    import csv

    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file, delimiter=delimiter))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as a table of {title}; get it again.") from error
    if not rows or not set(columns) <= rows[0].keys():
        raise InputError(f"{path} is not the table of {title}: it lacks columns; get it again.")
    return rows


def first_place(folder: Path, names: Iterable[str]) -> Path | None:
    """The first of these files or folders that is there."""
    return next((folder / name for name in names if (folder / name).exists()), None)
