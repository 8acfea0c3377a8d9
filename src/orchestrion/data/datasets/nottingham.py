"""The Nottingham Music Database as ABC files: about a thousand folk tunes with chords (Foxley; also its cleaned form,
https://github.com/jukedeck/nottingham-dataset)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrion.data.datasets.dataset import SPLITS, Entry
from orchestrion.data.datasets.layout import not_the_data_set, split_by_hash
from orchestrion.data.factory.abc import AbcTune, parse_tune, split_tunes
from orchestrion.data.piece import Piece, Section
from orchestrion.errors import InputError
from orchestrion.theory.chords import ChordSpan
from orchestrion.theory.keys import Key

TPQ = 480
FOLDERS = ("ABC_cleaned", "nottingham-dataset", ".")


@dataclass(frozen=True, slots=True)
class Nottingham:
    """Tunes under file and number, without a split; ours is by title. Repeats are played once."""

    title: str = "Nottingham Music Database"
    source: str = "Nottingham Music Database (Foxley), https://ifdo.ca/~seymour/nottingham/nottingham.html"
    licence: str = "GPL-3.0, as its cleaned form states"
    splits: tuple[str, ...] = SPLITS

    def find(self, folder: Path) -> list[Entry]:
        """All tunes, file by file; see `Reader.find`."""
        for name in FOLDERS:
            paths = sorted((folder / name).glob("*.abc"))
            entries = []
            for path in paths:
                for number, text in enumerate([*split_tunes(path.read_text(encoding="latin-1"))] or [""]):
                    title = re.search(r"^T:\s*(.*)$", text, re.MULTILINE)
                    id = f"{path.stem}-{number}"
                    entries.append(Entry(id, path, split_by_hash(title[1].lower() if title else id), text))
            if entries:
                return entries
        raise not_the_data_set(folder, self.title, "ABC_cleaned/reelsa-c.abc and the like")

    def read(self, entry: Entry) -> Piece:
        """The melody with its chords, key, metre and sections; see `Reader.read`."""
        try:
            tune = parse_tune(entry.facts)
        except ValueError as error:
            raise InputError(f"The tune {entry.id} in {entry.path} cannot be read ({error}).") from error
        return _piece(tune, entry, self)


def _piece(tune: AbcTune, entry: Entry, reader: Nottingham) -> Piece:
    import symusic

    bar = tune.bar
    pickup = tune.strains[0].pickup
    lead_in = bar if pickup else 0 * bar  # a bar for the pick-up, silent before it
    score: Any = symusic.Score(TPQ)
    score.time_signatures.append(symusic.TimeSignature(0, *tune.metre))
    track: Any = symusic.Track("melody", 73)
    marks, sections, begin = [], [], lead_in
    for number, strain in enumerate(tune.strains):
        end = begin + strain.bars * bar
        for note in strain.notes:
            start, stop = round((begin + note.onset) * TPQ), round((begin + note.onset + note.duration) * TPQ)
            if len(track.notes) and track.notes[-1].time + track.notes[-1].duration > start:
                track.notes[-1].duration = max(start - track.notes[-1].time, 1)  # a pick-up over the last note
            track.notes.append(symusic.Note(start, max(stop - start, 1), note.pitch, 90))
        marks += [(float(begin + at), chord) for at, chord in strain.chords if at >= 0]
        sections.append(Section(chr(ord("A") + number % 26), int(begin / bar), int(end / bar)))
        begin = end
    score.tracks.append(track)
    marks.sort(key=lambda mark: mark[0])
    stops = [time for time, _ in marks[1:]] + [float(begin)]
    chords = [ChordSpan(time, stop, chord) for (time, chord), stop in zip(marks, stops, strict=True) if stop > time]
    return Piece(
        entry.id,
        title=tune.title,
        score=score,
        chords=chords or None,
        key=Key(tune.tonic, "minor" if tune.mode in ("m", "dor", "phr") else "major"),
        metre=tune.metre,
        sections=sections,
        melody=0,
        tags={"genre": ["folk"]},
        source=reader.source,
        licence=reader.licence,
        split=entry.split,
    )


READERS = {"nottingham": Nottingham()}
