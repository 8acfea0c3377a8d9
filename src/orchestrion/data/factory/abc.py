"""Folk tunes in ABC notation (Walshaw's standard 2.1) as strains: bars of melody between repeat signs, with their
pick-ups.

General readers flatten the repeats and lose which bars belong together; an arranger needs the strains. One voice is
read (the first); of several notes at once the highest is the melody; grace notes and decorations are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from orchestrion.theory.chords import Chord

LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
MODES = {"maj": 0, "ion": 0, "": 0, "mix": -1, "dor": -2, "m": -3, "min": -3, "aeo": -3, "phr": -4, "loc": -5, "lyd": 1}
_TOKEN = re.compile(
    r"""(?P<inline>\[[A-Za-z]:[^\]]*\])|(?P<grace>\{[^}]*\})|(?P<quote>"[^"]*")|(?P<deco>![^!]*!|\+[^+\s]*\+)
    |(?P<bar>:*\|+[\]:]*|:+\|?:*|\[\||\|\])(?P<ending>\s*\[?[12](?=[^\d/]))?|(?P<open>\[[12](?:[,-][0-9])?)
    |(?P<tuplet>\((?P<p>[2-9])(?::(?P<q>\d?))?(?::(?P<r>\d?))?)
    |(?P<chord>\[[^\]|:]+\](?P<chordlen>\d*/*\d*))
    |(?P<note>(?P<acc>\^{1,2}|_{1,2}|=)?(?P<letter>[A-Ga-gzx])(?P<octave>[,']*)(?P<length>\d*/*\d*))
    |(?P<rest>Z\d*)|(?P<tie>-)|(?P<broken><+|>+)|(?P<voice>&)""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Note:
    """A melody note; times in quarters."""

    onset: Fraction
    duration: Fraction
    pitch: int


@dataclass(slots=True)
class Strain:
    """A section of `bars` whole bars. Onset 0 is its first bar line; pick-up notes have negative onsets.

    `chords` are those written above the staff, `lines` the bars at which a new line of the source begins.
    """

    bars: int
    notes: list[Note]
    repeated: bool = False
    chords: list[tuple[Fraction, Chord]] = field(default_factory=list)
    lines: tuple[int, ...] = ()

    @property
    def pickup(self) -> Fraction:
        """Quarters before the first bar line."""
        return max(Fraction(0), -min((n.onset for n in self.notes), default=Fraction(0)))


@dataclass(slots=True)
class AbcTune:
    """One tune: header fields and strains. `tonic` is a pitch class, `mode` a key of `MODES`."""

    number: str
    title: str
    rhythm: str
    metre: tuple[int, int]
    tonic: int
    mode: str
    strains: list[Strain]
    fields: dict[str, list[str]]

    @property
    def bar(self) -> Fraction:
        """Quarters in a bar."""
        return Fraction(4 * self.metre[0], self.metre[1])


@dataclass(slots=True)
class _Measure:
    items: list[tuple[Fraction, int | None, bool]] = field(default_factory=list)  # duration, pitch, tied to the next
    chords: list[tuple[Fraction, Chord]] = field(default_factory=list)
    ending: int = 0
    opens: bool = False  # a repeat begins here
    closes: bool = False  # a repeat ends here
    double: bool = False  # a double bar line ends it
    line: bool = False  # a new line of the source begins here

    @property
    def length(self) -> Fraction:
        return sum((d for d, _, _ in self.items), Fraction(0))


def split_tunes(text: str) -> Iterator[str]:
    """The tunes of an ABC file, each from its X: field to the next."""
    starts = [m.start() for m in re.finditer(r"^X:", text, re.MULTILINE)]
    for start, end in pairwise([*starts, len(text)]):
        yield text[start:end]


def parse_key(text: str) -> tuple[int, str] | None:
    """Tonic pitch class and mode of a K: field; None where it names none (bagpipe keys, "none")."""
    match = re.match(r"\s*([A-G])([#b]?)\s*([A-Za-z]*)", text)
    if match is None:
        return None
    mode = match.group(3)
    mode = "" if mode.lower().startswith(("clef", "treble", "exp", "bass")) else mode
    mode = "m" if mode in ("m", "M") and mode == "m" else mode.lower()[:3]
    mode = {"maj": "", "ion": "", "min": "m", "aeo": "m"}.get(mode, mode)
    if mode not in MODES:
        return None
    return (LETTERS[match.group(1)] + {"#": 1, "b": -1, "": 0}[match.group(2)]) % 12, mode


def parse_metre(text: str) -> tuple[int, int] | None:
    """Numerator and denominator of an M: field; cut time is 4/4 here, for its beats are counted in quarters."""
    text = text.strip()
    if text.startswith("C"):
        return 4, 4
    match = re.match(r"(\d+)/(\d+)", text)
    return (int(match.group(1)), int(match.group(2))) if match else None


def parse_tune(text: str) -> AbcTune:
    """Reads one tune.

    Raises:
        ValueError: it has no metre, no key with a tonic, changes key or metre on its way, has several voices at once,
            or its bars do not add up.
    """
    fields: dict[str, list[str]] = {}
    body: list[str] = []
    in_body = False
    for raw in text.splitlines():
        line = raw.split("%")[0].rstrip()
        match = re.match(r"([A-Za-z]):\s*(.*)", line)
        if match and not (in_body and match.group(1) not in "KMLQTNRPVwWsXOBSZIFHDCGUmr"):
            name, value = match.groups()
            if in_body and name in "KM" and value.strip() != fields[name][0].strip():
                raise ValueError(f"the tune changes {name}: on its way")
            if in_body and name == "V":
                raise ValueError("the tune has several voices")
            if not in_body:
                fields.setdefault(name, []).append(value.strip())
            in_body = in_body or name == "K"
        elif in_body and line.strip():
            body.append(line)
    if "M" not in fields or "K" not in fields:
        raise ValueError("the tune names no metre or no key")
    metre, key = parse_metre(fields["M"][0]), parse_key(fields["K"][0])
    if metre is None or key is None:
        raise ValueError(f"metre {fields['M'][0]!r} or key {fields['K'][0]!r} is not understood")
    unit = _unit(fields.get("L", [""])[0], metre)
    measures = _measures(body, key, unit)
    bar = Fraction(4 * metre[0], metre[1])
    strains = [s for group in _groups(measures) if (s := _strain(group, bar)) is not None]
    if not strains:
        raise ValueError("the tune has no notes")
    title = fields.get("T", [""])[0].strip()
    return AbcTune(
        fields["X"][0] if "X" in fields else "", title, fields.get("R", [""])[0].strip(), metre, *key, strains, fields
    )


def _unit(text: str, metre: tuple[int, int]) -> Fraction:
    match = re.match(r"(\d+)/(\d+)", text)
    if match:
        return Fraction(4 * int(match.group(1)), int(match.group(2)))
    return Fraction(1, 4) if metre[0] / metre[1] < 0.75 else Fraction(1, 2)


def _length(text: str) -> Fraction:
    if not text:
        return Fraction(1)
    head, slashes, tail = re.match(r"(\d*)(/*)(\d*)", text).groups()  # type: ignore[union-attr]
    numerator = int(head) if head else 1
    denominator = int(tail) if tail else (2 ** len(slashes) if slashes else 1)
    return Fraction(numerator, max(denominator, 1))


def _signature(tonic: int, mode: str) -> dict[str, int]:
    """Alterations of the letters in a key: fifths on the circle of the tonic, moved by the mode."""
    fifths = (tonic * 7 + 5) % 12 - 5 + MODES[mode]
    if fifths < -6:
        fifths += 12
    sharps, flats = "FCGDAEB", "BEADGCF"
    altered = sharps[:fifths] if fifths > 0 else flats[: max(-fifths, 0)]
    return dict.fromkeys(altered, 1 if fifths > 0 else -1)


def _measures(lines: list[str], key: tuple[int, str], unit: Fraction) -> list[_Measure]:
    signature = _signature(*key)
    measures = [_Measure()]
    accidentals: dict[tuple[str, str], int] = {}
    ending = 0
    tuplet_left, tuplet_scale = 0, Fraction(1)
    broken = Fraction(1)
    carry = False  # does the source line go on?

    def pitch_of(match: re.Match[str]) -> int | None:
        letter, octave = match["letter"], match["octave"]
        if letter in "zx":
            return None
        slot = (letter, octave)
        if match["acc"]:
            accidentals[slot] = {"^": 1, "^^": 2, "_": -1, "__": -2, "=": 0}[match["acc"]]
        alter = accidentals.get(slot, signature.get(letter.upper(), 0))
        base = LETTERS[letter.upper()] + (72 if letter.islower() else 60)
        return base + alter + 12 * (octave.count("'") - octave.count(","))

    for line in lines:
        fresh = not carry
        carry = line.endswith("\\")
        for match in _TOKEN.finditer(line):
            current = measures[-1]
            if match["inline"]:
                if match["inline"][1] in "KMV":
                    raise ValueError("the tune changes key, metre or voice on its way")
            elif match["voice"]:
                raise ValueError("the tune has voices at once")
            elif match["quote"]:
                word = match["quote"].strip('"')
                if word[:1] in "ABCDEFG" and word[:1]:
                    try:
                        current.chords.append((current.length, Chord.parse(word)))
                    except ValueError:
                        continue  # words above the staff, such as "Fine"
            elif match["bar"] or match["open"]:
                sign = (match["bar"] or "") + (match["ending"] or "") + (match["open"] or "")
                repeats = ":" in sign
                if current.items:
                    current.ending = ending
                    current.closes = sign.startswith(":")
                    current.double = "||" in sign or "|]" in sign or "[|" in sign or repeats
                    measures.append(_Measure())
                    accidentals.clear()
                opens = bool(re.search(r"\|:|::|:\|+:", sign))
                measures[-1].opens = opens
                digit = re.search(r"[12]", sign)
                if digit:
                    ending = int(digit.group())
                elif current.closes or (ending == 2 and ("||" in sign or "|]" in sign or opens)):
                    ending = 0
            elif match["tuplet"]:
                p = int(match["p"])
                q = int(match["q"]) if match["q"] else {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}.get(p, 2)
                tuplet_left, tuplet_scale = int(match["r"]) if match["r"] else p, Fraction(q, p)
            elif match["note"] or match["chord"]:
                if match["chord"]:
                    inner = [m for m in _TOKEN.finditer(match["chord"][1:].rpartition("]")[0]) if m["note"]]
                    if not inner:
                        continue
                    pitches = [p for m in inner if (p := pitch_of(m)) is not None]
                    pitch = max(pitches, default=None)
                    duration = _length(inner[0]["length"]) * _length(match["chordlen"])
                else:
                    pitch, duration = pitch_of(match), _length(match["length"])
                duration *= unit * broken
                broken = Fraction(1)
                if tuplet_left:
                    duration *= tuplet_scale
                    tuplet_left -= 1
                if fresh:
                    current.line = True
                    fresh = False
                current.items.append((duration, pitch, False))
            elif match["tie"]:
                if current.items:
                    d, p, _ = current.items[-1]
                    current.items[-1] = (d, p, True)
                elif len(measures) > 1 and measures[-2].items:
                    d, p, _ = measures[-2].items[-1]
                    measures[-2].items[-1] = (d, p, True)
            elif match["broken"] and current.items:
                depth = len(match["broken"])
                longer, shorter = 2 - Fraction(1, 2**depth), Fraction(1, 2**depth)
                first = longer if match["broken"][0] == ">" else shorter
                d, p, t = current.items[-1]
                current.items[-1] = (d * first, p, t)
                broken = 2 - first
    if not measures[-1].items:
        measures.pop()
    else:
        measures[-1].ending = ending
        measures[-1].double = True
    return measures


def _groups(measures: list[_Measure]) -> Iterator[tuple[list[_Measure], bool]]:
    """Runs of bars between repeat signs or double bars, and whether the run is repeated. A second ending replaces the
    first in the last pass; here the second is kept, for it leads on."""
    start = 0
    for index, measure in enumerate(measures):
        following = measures[index + 1] if index + 1 < len(measures) else None
        if following is not None and not measure.double and not following.opens:
            continue
        if following is not None and following.ending == 2 and measure.ending == 1:
            continue
        if following is not None and following.ending and following.ending == measure.ending:
            continue
        run = measures[start : index + 1]
        start = index + 1
        repeated = any(m.closes for m in run) or any(m.ending for m in run)
        if any(m.ending == 2 for m in run):
            run = [m for m in run if m.ending != 1]
        yield run, repeated


def _strain(group: tuple[list[_Measure], bool], bar: Fraction) -> Strain | None:
    run, repeated = group
    lengths = [m.length for m in run]
    if not any(p is not None for m in run for _, p, _ in m.items):
        return None
    first = 1 if len(run) > 1 and lengths[0] < bar else 0
    position, onset = Fraction(0), -lengths[0] if first else Fraction(0)
    notes: list[Note] = []
    chords: list[tuple[Fraction, Chord]] = []
    lines: list[int] = []
    tied = False
    for index, measure in enumerate(run):
        last = index == len(run) - 1
        if index >= first:
            filled = position % bar + measure.length
            if filled > bar or (filled < bar and not last and position % bar and not first):
                raise ValueError(f"bar {index} has {measure.length} quarters where {bar} belong")
            if measure.line:
                lines.append(int(position // bar))
        time = onset
        for duration, pitch, tie in measure.items:
            if pitch is not None:
                if tied and notes and notes[-1].pitch == pitch:
                    notes[-1] = Note(notes[-1].onset, notes[-1].duration + duration, pitch)
                else:
                    notes.append(Note(time, duration, pitch))
            tied = tie and pitch is not None
            time += duration
        chords += [(onset + at, chord) for at, chord in measure.chords]
        onset = time
        if index >= first:
            position += measure.length
            if not last and position % bar and measure.length < bar:
                following = run[index + 1].length
                if position % bar + following != bar:
                    raise ValueError(f"bar {index} has {measure.length} quarters where {bar} belong")
    bars = -(-position // bar)
    return Strain(int(bars), notes, repeated, chords, tuple(lines))
