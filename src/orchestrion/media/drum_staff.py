"""Writes the drums of a MusicXML file as drummers read them: places on the staff, crosses for cymbals."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
# General MIDI key → step, octave and head, after the usage of N. Weinberg, "Guide to Standardized Drumset Notation".
PLACES = {
    35: ("E4", ""), 36: ("F4", ""), 37: ("C5", "x"), 38: ("C5", ""), 39: ("C5", "slash"), 40: ("C5", ""),
    41: ("G4", ""), 42: ("G5", "x"), 43: ("A4", ""), 44: ("D4", "x"), 45: ("B4", ""), 46: ("G5", "circle-x"),
    47: ("D5", ""), 48: ("D5", ""), 49: ("A5", "x"), 50: ("E5", ""), 51: ("F5", "x"), 52: ("B5", "x"),
    53: ("F5", "diamond"),
    54: ("B4", "x"), 55: ("B5", "x"), 56: ("E5", "triangle"), 57: ("A5", "x"), 59: ("F5", "x"),
}  # fmt: skip
OTHER = ("B4", "triangle")


def place_drums(root: ET.Element) -> None:
    """Replaces every pitch of the parts under a percussion clef by its place on the drum staff."""
    for part in root.iter("part"):
        if any(sign.text == "percussion" for sign in part.iter("sign")):
            for note in part.iter("note"):
                _place(note)


def _place(note: ET.Element) -> None:
    pitch = note.find("pitch")
    if pitch is None:
        return
    key = STEPS[_text(pitch, "step")] + int(float(_text(pitch, "alter") or 0)) + 12 * (int(_text(pitch, "octave")) + 1)
    place, head = PLACES.get(key, OTHER)
    pitch.clear()
    pitch.tag = "unpitched"
    ET.SubElement(pitch, "display-step").text = place[0]
    ET.SubElement(pitch, "display-octave").text = place[1]
    for sign in note.findall("accidental"):
        note.remove(sign)
    if head:
        before = [
            place for place, child in enumerate(note) if child.tag in ("type", "dot", "time-modification", "stem")
        ]
        element = ET.Element("notehead")
        element.text = head
        note.insert(before[-1] + 1 if before else len(note), element)


def _text(element: ET.Element, tag: str) -> str:
    return element.findtext(tag) or ""


def ring_on(tracks: Iterable[Any], tpq: int) -> None:
    """Lengthens drum notes to the next stroke of their track, or to the next quarter: how long they are written says
    nothing, and short ones are hard to read."""
    for track in tracks:
        if not track.is_drum:
            continue
        times = sorted({note.time for note in track.notes})
        following = dict(pairwise(times))
        for note in track.notes:
            quarter = (note.time // tpq + 1) * tpq
            note.duration = min(following.get(note.time, quarter), quarter) - note.time
