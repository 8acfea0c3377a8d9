"""The Essen folk song collection (Schaffrath 1995) as ABC files: melodies whose phrases are the lines of the text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from orchestrion.data.datasets.dataset import SPLITS, Entry
from orchestrion.data.datasets.layout import not_the_data_set, split_by_hash
from orchestrion.data.factory.abc import LETTERS, MODES, parse_key, parse_metre, split_tunes
from orchestrion.data.piece import Piece
from orchestrion.errors import InputError
from orchestrion.theory.keys import Key

TPQ = 480
PHRASE_MARK = "phrase"
_NOTE = re.compile(r"(\^{1,2}|_{1,2}|=)?([A-Ga-gzx])([,']*)(\d*)(/*)(\d*)|(\|)|\((\d)|(-)")
_FIELD = re.compile(r"^([A-Za-z]):\s*(.*)$")


@dataclass(frozen=True, slots=True)
class Essen:
    """Tunes under file and number. There is no split; ours is by title without its numbers, so that variants of a tune
    stay together. Region and genre are tags; a marker named "phrase" begins every phrase."""

    title: str = "Essen Folksong Collection"
    source: str = "Essen Folksong Collection (Schaffrath 1995), http://www.esac-data.org"
    licence: str = "non-commercial by permission"
    splits: tuple[str, ...] = SPLITS

    def find(self, folder: Path) -> list[Entry]:
        """All tunes, file by file; see `Reader.find`."""
        root = folder / "essenFolksong" if (folder / "essenFolksong").is_dir() else folder
        entries = []
        for path in sorted(root.glob("*.abc")):
            if path.stem.startswith("test"):
                continue
            for number, text in enumerate([*split_tunes(path.read_text(encoding="latin-1"))] or [""]):
                title = re.search(r"^T:\s*(.*)$", text, re.MULTILINE)
                stem = re.sub(r"[\W\d_]+", " ", title[1] if title else "").strip().lower()
                name = f"{path.stem}-{number}"
                entries.append(Entry(name, path, split_by_hash(stem or name), text))
        if not entries:
            raise not_the_data_set(folder, self.title, "essenFolksong/han1.abc and the like")
        return entries

    def read(self, entry: Entry) -> Piece:
        """The tune with metre, key, region and genre; see `Reader.read`."""
        try:
            return _piece(entry, self)
        except ValueError as error:
            raise InputError(f"The tune {entry.id} in {entry.path} cannot be read ({error}).") from error


def _piece(entry: Entry, reader: Essen) -> Piece:
    import symusic

    fields, lines = _parts(entry.facts)
    metre, key = parse_metre(fields.get("M", "")), parse_key(fields.get("K", "").replace("H", "B"))
    if metre is None or key is None:
        raise ValueError("it has no metre, or no key with a tonic")
    unit = re.match(r"(\d+)/(\d+)", fields.get("L", "1/8"))
    quarter = Fraction(4 * int(unit[1]), int(unit[2])) if unit else Fraction(1, 2)
    score: Any = symusic.Score(TPQ)
    score.time_signatures.append(symusic.TimeSignature(0, *metre))
    track: Any = symusic.Track("melody", 73)
    time, tied, first_bar = Fraction(0), False, None
    accidentals: dict[str, int] = {}
    signature = _signature(*key)
    for line in lines:
        begins, tuplet = True, 0
        for mark in _NOTE.finditer(re.sub(r'"[^"]*"|![^!]*!|\{[^}]*\}|\[[A-Za-z]:[^\]]*\]', "", line)):
            sign, letter, octave, above, slashes, below, bar, triplet, tie = mark.groups()
            if bar:
                accidentals.clear()
                first_bar = time if first_bar is None and time else first_bar
            elif triplet:
                tuplet = 3 if triplet == "3" else 0
            elif tie:
                tied = True
            else:
                length = quarter * _length(above, slashes, below) * (Fraction(2, 3) if tuplet else 1)
                tuplet = max(tuplet - 1, 0)
                if letter not in "zx":
                    if sign:
                        accidentals[letter + octave] = {"^": 1, "^^": 2, "_": -1, "__": -2, "=": 0}[sign]
                    alter = accidentals.get(letter + octave, signature.get(letter.upper(), 0))
                    pitch = LETTERS[letter.upper()] + (72 if letter.islower() else 60) + alter
                    pitch += 12 * (octave.count("'") - octave.count(","))
                    start, stop = round(time * TPQ), round((time + length) * TPQ)
                    if tied and len(track.notes) and track.notes[-1].pitch == pitch:
                        track.notes[-1].duration = stop - track.notes[-1].time
                    else:
                        track.notes.append(symusic.Note(start, max(stop - start, 1), pitch, 90))
                        if begins:
                            score.markers.append(symusic.TextMeta(start, PHRASE_MARK))
                    begins = False
                tied = False
                time += length
    if not len(track.notes):
        raise ValueError("it has no notes")
    if first_bar is not None and first_bar < Fraction(4 * metre[0], metre[1]):
        score.time_signatures.append(symusic.TimeSignature(round(first_bar * TPQ), *metre))
    score.tracks.append(track)
    genres = re.split(r"[.,;]", fields.get("R", "").lower().replace("]", ""))
    tags = {"genre": [word.strip() for word in genres if word.strip()]}
    tags["region"] = [word.strip() for word in fields.get("O", "").split(",") if word.strip()]
    return Piece(
        entry.id,
        title=fields.get("T", ""),
        score=score,
        metre=metre,
        key=Key(key[0], "minor" if key[1] in ("m", "dor", "phr") else "major"),
        melody=0,
        tags=tags,
        source=reader.source,
        licence=reader.licence,
        split=entry.split,
    )


def _parts(text: str) -> tuple[dict[str, str], list[str]]:
    """The first value of every field, and the lines of the body; a line that ends in a backslash goes on."""
    fields: dict[str, str] = {}
    lines: list[str] = []
    goes_on = False
    for raw in text.splitlines():
        line = raw.split("%")[0].rstrip()
        found = _FIELD.match(line)
        if found and ("K" not in fields or not lines):
            fields.setdefault(found[1], found[2].strip())
        elif found and found[1] in "wWNTRO":
            continue
        elif line.strip() and "K" in fields:
            if goes_on:
                lines[-1] += line.removesuffix("\\")
            else:
                lines.append(line.removesuffix("\\"))
            goes_on = line.endswith("\\")
    return fields, lines


def _signature(tonic: int, mode: str) -> dict[str, int]:
    """How a key alters the letters."""
    fifths = (tonic * 7 + 5) % 12 - 5 + MODES[mode]
    fifths += 12 if fifths < -6 else 0
    altered = "FCGDAEB"[:fifths] if fifths > 0 else "BEADGCF"[: max(-fifths, 0)]
    return dict.fromkeys(altered, 1 if fifths > 0 else -1)


def _length(above: str, slashes: str, below: str) -> Fraction:
    denominator = int(below) if below else 2 ** len(slashes)
    return Fraction(int(above or 1), max(denominator, 1))


READERS = {"essen": Essen()}
