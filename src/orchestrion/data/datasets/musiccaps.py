"""MusicCaps (arXiv 2301.11325): captions by musicians of 5,521 clips of 10 s, whose sound everybody fetches alone."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from orchestrion.data.datasets.dataset import Entry
from orchestrion.data.datasets.layout import check_sound, not_the_data_set, table_rows
from orchestrion.data.piece import Piece, Split
from orchestrion.errors import InputError

TABLE = "musiccaps-public.csv"
COLUMNS = ("ytid", "start_s", "end_s", "aspect_list", "caption", "is_audioset_eval")
SOUNDS = (".wav", ".flac", ".mp3", ".ogg", ".opus")


@dataclass(frozen=True, slots=True)
class MusicCaps:
    """Rows of the table; a row whose recording is nowhere in the folder has a caption and no sound.

    A recording is found by the row's id in its name, as in `ID.wav`, `ID_30.wav` or `[ID]-[30-40].wav`. Clips of
    AudioSet's evaluation part are for testing.
    """

    title: str = "MusicCaps"
    source: str = "MusicCaps (arXiv 2301.11325)"
    licence: str = "CC BY-SA 4.0 (captions)"
    splits: tuple[str, ...] = ("train", "test")

    def find(self, folder: Path) -> list[Entry]:
        """All rows, in the order of the table; see `Reader.find`."""
        if not (folder / TABLE).is_file():
            raise not_the_data_set(folder, self.title, f"{TABLE}, and recordings named by the ids in it")
        rows = table_rows(folder / TABLE, delimiter=",", columns=COLUMNS, title=self.title)
        known = {row["ytid"] for row in rows}
        sounds: dict[str, Path] = {}
        for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SOUNDS and p.is_file()):
            name = path.stem.lstrip("[")[:11]  # ids have eleven characters, among them - and _
            if name in known:
                sounds.setdefault(name, path)
        return [
            Entry(
                row["ytid"],
                sounds.get(row["ytid"], folder / "missing"),
                _split(row["is_audioset_eval"]),
                (row, row["ytid"] in sounds),
            )
            for row in rows
        ]

    def read(self, entry: Entry) -> Piece:
        """The clip with its caption and aspects; see `Reader.read`."""
        row, has_sound = entry.facts
        if has_sound:
            check_sound(entry.path)
        piece = Piece(entry.id, audio=entry.path if has_sound else None, source=self.source, licence=self.licence)
        piece.caption, piece.split = row["caption"].strip(), entry.split
        try:
            aspects = [str(aspect) for aspect in ast.literal_eval(row["aspect_list"])]
        except (ValueError, SyntaxError, TypeError) as error:
            raise InputError(f"The row {entry.id} of {TABLE} holds no list of aspects; get the table again.") from error
        piece.tags = {"aspect": aspects}
        return piece


def _split(flag: str) -> Split:
    return "test" if flag.strip().lower() == "true" else "train"


READERS = {"musiccaps": MusicCaps()}
