"""Chord symbols: what they mean and how they are written.

Three spellings are read and printed: Harte's (Harte et al. 2005, "Bb:min7/5"), jazz ("Bbm7", "Bbm7b5") and plain words
("B-flat minor seventh").
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache

from orchestrion.theory.pitch import USUAL, pitch_class

INTERVALS: dict[str, tuple[int, ...]] = {
    "maj": (0, 4, 7), "min": (0, 3, 7), "dim": (0, 3, 6), "aug": (0, 4, 8), "sus2": (0, 2, 7), "sus4": (0, 5, 7),
    "5": (0, 7), "1": (0,), "7": (0, 4, 7, 10), "maj7": (0, 4, 7, 11), "min7": (0, 3, 7, 10), "minmaj7": (0, 3, 7, 11),
    "hdim7": (0, 3, 6, 10), "dim7": (0, 3, 6, 9), "maj6": (0, 4, 7, 9), "min6": (0, 3, 7, 9), "9": (0, 4, 7, 10, 2),
    "maj9": (0, 4, 7, 11, 2), "min9": (0, 3, 7, 10, 2), "11": (0, 4, 7, 10, 2, 5), "min11": (0, 3, 7, 10, 2, 5),
    "13": (0, 4, 7, 10, 2, 9), "maj13": (0, 4, 7, 11, 2, 9), "min13": (0, 3, 7, 10, 2, 9), "aug7": (0, 4, 8, 10),
    "7sus4": (0, 5, 7, 10), "7b9": (0, 4, 7, 10, 1), "7#9": (0, 4, 7, 10, 3), "7b5": (0, 4, 6, 10),
    "add9": (0, 4, 7, 2),
}  # fmt: skip
"""Canonical quality (Harte's shorthand) → semitones above the root."""

JAZZ = {
    "maj": "", "min": "m", "dim": "dim", "aug": "aug", "7": "7", "maj7": "maj7", "min7": "m7", "minmaj7": "mMaj7",
    "hdim7": "m7b5", "dim7": "dim7", "maj6": "6", "min6": "m6", "min9": "m9", "min11": "m11", "min13": "m13",
    "aug7": "7#5",
}  # fmt: skip
PLAIN = {
    "maj": "major", "min": "minor", "dim": "diminished", "aug": "augmented", "7": "dominant seventh",
    "maj7": "major seventh",
    "min7": "minor seventh", "minmaj7": "minor major seventh", "hdim7": "half-diminished", "dim7": "diminished seventh",
    "maj6": "major sixth", "min6": "minor sixth", "sus2": "suspended second", "sus4": "suspended fourth",
    "9": "dominant ninth", "maj9": "major ninth", "min9": "minor ninth", "aug7": "augmented seventh",
    "5": "power chord",
}  # fmt: skip
_SPELLINGS = {
    **{quality: quality for quality in INTERVALS},
    **{jazz: quality for quality, jazz in JAZZ.items()},
    **{plain.replace(" ", "").replace("-", ""): quality for quality, plain in PLAIN.items()},
    "M": "maj", "major": "maj", "minor": "min", "-": "min", "mi": "min", "ma": "maj", "o": "dim", "°": "dim",
    "+": "aug",
    "M7": "maj7", "ma7": "maj7", "Δ": "maj7", "Δ7": "maj7", "j7": "maj7", "-7": "min7", "mi7": "min7", "mM7": "minmaj7",
    "mmaj7": "minmaj7", "m(maj7)": "minmaj7", "-7b5": "hdim7", "ø": "hdim7", "ø7": "hdim7", "halfdim": "hdim7",
    "halfdiminishedseventh": "hdim7", "o7": "dim7", "°7": "dim7", "6": "maj6", "M6": "maj6", "-6": "min6", "M9": "maj9",
    "-9": "min9", "+7": "aug7", "7+": "aug7", "7#5": "aug7", "sus": "sus4", "7sus": "7sus4", "dom7": "7",
    "seventh": "7",
    "dominant7": "7", "M13": "maj13", "2": "add9", "(9)": "add9", "9sus4": "7sus4", "6/9": "maj6", "69": "maj6",
}  # fmt: skip
_DEGREES = {"1": 0, "2": 2, "3": 4, "4": 5, "5": 7, "6": 9, "7": 11, "9": 2, "11": 5, "13": 9}
_ROOT = re.compile(r"\s*([A-Ga-g])(?:[- ]?(sharp|flat)\b|([#♯b♭]*))", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Chord:
    """A chord by pitch classes: `root` 0–11 (None: no chord), canonical `quality`, `bass` where it is not the root.

    `added` and `omitted` are semitones above the root of tones that no quality has or leaves out, ninths from 12 on.
    """

    root: int | None
    quality: str = "maj"
    bass: int | None = None
    added: tuple[int, ...] = ()
    omitted: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.root is not None and self.quality not in INTERVALS:
            raise ValueError(f"chord quality {self.quality!r} is unknown; known are {', '.join(INTERVALS)}")

    @classmethod
    def parse(cls, text: str) -> Chord:
        """Reads a symbol in any of the three spellings; "N", "N.C." and "" mean no chord, "X" one that is not known.

        Raises:
            ValueError: it is no chord symbol.
        """
        text = text.strip()
        if text.upper().replace(".", "") in ("N", "NC", ""):
            return NO_CHORD
        if text.upper() == "X":
            return UNKNOWN_CHORD
        match = _ROOT.match(text)
        if match is None:
            raise ValueError(f"{text!r} is not a chord symbol such as Bbm7, Bb:min7 or B-flat minor seventh")
        root = pitch_class(match.group().strip())
        rest = text[match.end() :]
        harte = rest.startswith(":")
        rest = rest.lstrip(":").strip()
        bass = None
        head, slash, tail = rest.rpartition("/")
        if slash and rest != "6/9":
            rest, bass = head.strip(), _bass(tail.strip(), root, harte)
        quality, added, omitted = _kind(rest, text, harte)
        return cls(root, quality, None if bass == root else bass, added, omitted)

    @property
    def tones(self) -> frozenset[int]:
        """Semitones above the root, ninths and the like from 12 on; without the bass."""
        return frozenset() if self.root is None else _spread(self.quality) - {*self.omitted} | {*self.added}

    @property
    def pitch_classes(self) -> frozenset[int]:
        """Sounding pitch classes, the bass included."""
        if self.root is None:
            return frozenset()
        classes = {(self.root + tone) % 12 for tone in self.tones}
        return frozenset(classes if self.bass is None else classes | {self.bass})

    def transpose(self, semitones: int) -> Chord:
        """The same chord, moved."""
        if self.root is None:
            return self
        bass = None if self.bass is None else (self.bass + semitones) % 12
        return replace(self, root=(self.root + semitones) % 12, bass=bass)

    def harte(self) -> str:
        """Harte's notation, for instance "Bb:min7/5"."""
        if self.root is None:
            return "X" if self == UNKNOWN_CHORD else "N"
        bass = "" if self.bass is None else f"/{_degree((self.bass - self.root) % 12)}"
        return f"{USUAL[self.root]}:{self.quality}{self._changes()}{bass}"

    def jazz(self) -> str:
        """Lead-sheet notation, for instance "Bbm7/F"."""
        if self.root is None:
            return "N.C."
        bass = "" if self.bass is None else f"/{USUAL[self.bass]}"
        changes = self._changes()
        quality = "maj" if changes and self.quality == "maj" else JAZZ.get(self.quality, self.quality)
        return f"{USUAL[self.root]}{quality}{changes}{bass}"

    def plain(self) -> str:
        """In words, for instance "Bb minor seventh over F"."""
        if self.root is None:
            return "no chord"
        bass = "" if self.bass is None else f" over {USUAL[self.bass]}"
        return f"{USUAL[self.root]} {PLAIN.get(self.quality, self.quality)}{self._changes()}{bass}"

    def _changes(self) -> str:
        """Tones that are added and left out as Harte writes them, for instance "(4,*5)"."""
        changes = [_degree(tone) for tone in self.added] + [f"*{_degree(tone)}" for tone in self.omitted]
        return f"({','.join(changes)})" if changes else ""

    def __str__(self) -> str:
        return self.jazz()


NO_CHORD = Chord(None, "N")
UNKNOWN_CHORD = Chord(None, "X")


@dataclass(frozen=True, slots=True)
class ChordSpan:
    """A chord and when it sounds, in quarter notes from the start."""

    start: float
    end: float
    chord: Chord


def nearest_chord(pitch_classes: Iterable[int], candidates: Iterable[Chord]) -> Chord:
    """The candidate that shares most with the given pitch classes: common tones less missing and foreign ones."""
    given = frozenset(pitch_classes)
    return max(candidates, key=lambda chord: 2 * len(given & chord.pitch_classes) - len(given ^ chord.pitch_classes))


def _quality(text: str, symbol: str) -> str:
    squeezed = text.replace(" ", "").replace("(", "").replace(")", "").replace("♭", "b").replace("♯", "#")
    for form in (
        text,
        squeezed,
        squeezed.replace("-", "") if len(squeezed) > 3 else squeezed,
        squeezed.lower().replace("-", ""),
    ):
        if form in _SPELLINGS:
            return _SPELLINGS[form]
    raise ValueError(f"chord symbol {symbol!r} has the unknown quality {text!r}")


def _kind(text: str, symbol: str, harte: bool) -> tuple[str, tuple[int, ...], tuple[int, ...]]:
    """Quality, added and omitted tones of what follows the root."""
    try:
        return _quality(text, symbol), (), ()
    except ValueError:
        found = re.fullmatch(r"(.*?)\(([^()]+)\)", text)
        if found is None:
            raise
    changed = {one: _tone(one.strip().removeprefix("*"), symbol) for one in found[2].split(",")}
    bare = harte and not found[1]  # Harte's lists without a shorthand name all tones but perhaps the root
    quality = "1" if bare else _quality(found[1], symbol)
    left_out = {tone for one, tone in changed.items() if "*" in one}
    after = _spread(quality) - left_out | ({*changed.values()} - left_out)
    nearest = min(INTERVALS, key=lambda usual: len(_spread(usual) ^ after))
    if bare or _spread(nearest) == after:
        quality = nearest
    return quality, tuple(sorted(after - _spread(quality))), tuple(sorted(_spread(quality) - after))


def _tone(degree: str, symbol: str) -> int:
    """Semitones above the root of a degree such as "b13"."""
    found = re.fullmatch(r"([#b]*)(\d+)", degree)
    if found and 1 <= int(found[2]) <= 13:
        octave, step = divmod(int(found[2]) - 1, 7)
        tone = 12 * octave + (0, 2, 4, 5, 7, 9, 11)[step] + found[1].count("#") - found[1].count("b")
        if 0 <= tone <= 22:
            return tone
    raise ValueError(f"chord symbol {symbol!r} has the unknown degree {degree!r}")


@cache
def _spread(quality: str) -> frozenset[int]:
    """Semitones above the root; what comes after a fall in `INTERVALS` is an octave higher."""
    above = INTERVALS[quality]
    end = next((number for number in range(1, len(above)) if above[number] < above[number - 1]), len(above))
    return frozenset((*above[:end], *(tone + 12 for tone in above[end:])))


def _bass(text: str, root: int, harte: bool) -> int:
    if not harte and text[:1].upper() in set("ABCDEFG"):
        return pitch_class(text)
    signs = text.count("#") - text.count("b")
    degree = text.strip("#b")
    if degree not in _DEGREES:
        raise ValueError(f"{text!r} is not a bass note or scale degree")
    return (root + _DEGREES[degree] + signs) % 12


def _degree(interval: int) -> str:
    simple = ("1", "b2", "2", "b3", "3", "4", "b5", "5", "b6", "6", "b7", "7")
    compound = ("8", "b9", "9", "#9", "10", "11", "#11", "12", "b13", "13", "#13")
    return (simple + compound)[interval]
