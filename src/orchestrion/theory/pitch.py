"""Names and numbers of pitches."""

from __future__ import annotations

import re

SHARPS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
FLATS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
USUAL = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")  # the spelling with fewest accidentals in use
NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_NAME = re.compile(r"([A-Ga-g])\s*(?:[- ]?(sharp|flat|natural)\b|([#♯b♭x𝄪♮]+(?![a-z])|(?:#|♯|b|♭)*))?", re.IGNORECASE)


def pitch_class(name: str) -> int:
    """Pitch class 0–11 of a name such as "Bb", "F#", "B♭", "B-flat" or "c sharp".

    Raises:
        ValueError: it is no pitch name.
    """
    match = _NAME.fullmatch(name.strip())
    if match is None:
        raise ValueError(f"{name!r} is not a pitch name such as C, F# or B-flat")
    letter, word, signs = match.groups()
    signs = signs or {"sharp": "#", "flat": "b", "natural": ""}.get((word or "").lower(), "")
    alter = sum({"#": 1, "♯": 1, "x": 2, "𝄪": 2, "b": -1, "♭": -1}.get(sign, 0) for sign in signs.lower())
    return (NATURALS[letter.upper()] + alter) % 12


def note_name(pitch: int) -> str:
    """Scientific name of a MIDI pitch; 60 is C4."""
    return f"{USUAL[pitch % 12]}{pitch // 12 - 1}"
