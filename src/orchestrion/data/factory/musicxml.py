"""A quick reader of MusicXML for the corpus build: notes, metres, tempo, pick-up, rights; a thousandth of a full
parser's time.

It trusts its input, the scores of an installed package. Files of users go through `orchestrion.media.score`.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
import zipfile
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

PlainNote = tuple[Fraction, Fraction, int]  # onset and duration in quarters, pitch


@dataclass(slots=True)
class PlainPart:
    """A part: its name and notes, ties joined."""

    name: str
    notes: list[PlainNote] = field(default_factory=list)


@dataclass(slots=True)
class PlainScore:
    """A score in plain numbers. A pick-up has been set at the end of a full bar, so that bar lines count from 0."""

    title: str
    rights: str
    parts: list[PlainPart]
    metres: list[tuple[Fraction, int, int]]
    tempo: float | None
    end: Fraction


def read_musicxml(path: Path) -> PlainScore:
    """Reads .mxl, .xml and .musicxml in partwise form. Repeats are not played out; grace notes and cues are left out.

    Raises:
        ValueError: it is no partwise score, or it holds no notes.
    """
    root = _root(path)
    if root.tag != "score-partwise":
        raise ValueError("it is not a partwise MusicXML score")
    names = {p.get("id"): (p.findtext("part-name") or "").strip() for p in root.iter("score-part")}
    score = PlainScore(_title(root, path), _rights(root), [], [], None, Fraction(0))
    for number, element in enumerate(root.findall("part")):
        part = PlainPart(names.get(element.get("id"), ""))
        _read_part(element, part, score, first=number == 0)
        if part.notes:
            score.parts.append(part)
    if not score.parts:
        raise ValueError("it holds no notes")
    score.end = max(o + d for p in score.parts for o, d, _ in p.notes)
    return score


def _root(path: Path) -> ET.Element:
    if path.suffix == ".mxl":
        with zipfile.ZipFile(path) as archive:
            container = ET.fromstring(archive.read("META-INF/container.xml"))
            name = next(e.get("full-path") for e in container.iter() if e.tag.endswith("rootfile"))
            return ET.fromstring(archive.read(name or ""))
    return ET.parse(path).getroot()


def _title(root: ET.Element, path: Path) -> str:
    for tag in ("work/work-title", "movement-title"):
        if text := (root.findtext(tag) or "").strip():
            return text
    return path.stem


def _rights(root: ET.Element) -> str:
    return " ".join(" ".join((e.text or "").split()) for e in root.iter("rights")).strip()


def _read_part(element: ET.Element, part: PlainPart, score: PlainScore, *, first: bool) -> None:
    divisions = Fraction(1)
    transposition = 0
    start = Fraction(0)
    open_ties: dict[tuple[str, int], int] = {}
    numerator, denominator = 4, 4
    for index, measure in enumerate(element.findall("measure")):
        cursor = longest = Fraction(0)
        previous = Fraction(0)
        found: list[tuple[Fraction, Fraction, int, str, bool, bool]] = []
        for item in measure:
            if item.tag == "attributes":
                if text := item.findtext("divisions"):
                    divisions = Fraction(text)
                if (shift := item.find("transpose")) is not None:
                    transposition = int(float(shift.findtext("chromatic") or 0)) + 12 * int(
                        shift.findtext("octave-change") or 0
                    )
                beats, beat_type = item.findtext("time/beats"), item.findtext("time/beat-type")
                if beats and beat_type:
                    numerator, denominator = sum(int(b) for b in beats.split("+")), int(beat_type)
                    if first and (not score.metres or score.metres[-1][1:] != (numerator, denominator)):
                        score.metres.append((start, numerator, denominator))
            elif item.tag in ("backup", "forward"):
                step = Fraction(item.findtext("duration") or 0) / divisions
                cursor += step if item.tag == "forward" else -step
            elif item.tag in ("direction", "sound") and score.tempo is None:
                sound = item if item.tag == "sound" else item.find("sound")
                if sound is not None and sound.get("tempo"):
                    score.tempo = float(sound.get("tempo") or 0) or None
            elif item.tag == "note":
                if item.find("grace") is not None or item.find("cue") is not None:
                    continue
                length = Fraction(item.findtext("duration") or 0) / divisions
                chord = item.find("chord") is not None
                onset = previous if chord else cursor
                if not chord:
                    previous = cursor
                    cursor += length
                pitch = item.find("pitch")
                if pitch is not None:
                    midi = (
                        12 * (int(pitch.findtext("octave") or 4) + 1)
                        + _STEPS[pitch.findtext("step") or "C"]
                        + round(float(pitch.findtext("alter") or 0))
                        + transposition
                    )
                    kinds = {t.get("type") for t in item.findall("tie")}
                    voice = item.findtext("voice") or "1"
                    found.append((onset, length, midi, voice, "stop" in kinds, "start" in kinds))
            longest = max(longest, cursor)
        bar = Fraction(4 * numerator, denominator)
        if index == 0 and 0 < longest < bar:
            start = bar - longest
        for onset, length, midi, voice, stops, starts in found:
            tied = open_ties.pop((voice, midi), None) if stops else None
            if tied is not None:
                begin, held, _ = part.notes[tied]
                part.notes[tied] = (begin, held + length, midi)
            else:
                part.notes.append((start + onset, length, midi))
                tied = len(part.notes) - 1
            if starts:
                open_ties[voice, midi] = tied
        start += longest
    part.notes = sorted(n for n in part.notes if n[1] > 0)
