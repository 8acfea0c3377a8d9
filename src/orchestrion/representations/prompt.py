"""A sentence about music, read into what it asks for.

Hand-made tables and patterns for English: they are exact, quick, explain each reading, and need no model. What the
text asks is kept apart from what it merely implies (a lullaby is slow), and wishes that notes cannot fulfil (vocals)
are listed.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field, replace
from typing import Any

from orchestrion.analysis.instruments import instrument_name
from orchestrion.errors import PromptError
from orchestrion.representations.prompt_numbers import digits_for_words
from orchestrion.representations.prompt_patterns import PATTERNS
from orchestrion.representations.prompt_phrases import read_phrases
from orchestrion.theory.keys import Key
from orchestrion.theory.vocabulary import DRUMS, ERA_GENRES, IMPLIED, MOODS

MAX_CHARACTERS = 4000  # far above any sentence about music, and small enough to be read in well under a second


@dataclass(frozen=True, slots=True)
class MusicRequest:
    """What a prompt asks for. None and empty mean: not said.

    Tempi are quarter notes a minute. `implied` names the fields whose value is only suggested by the text ("a
    lullaby") and may be overruled; `unserved` holds one sentence for each wish that cannot be granted; `readings`
    pairs each phrase of the text with what it was taken to mean, in the order of the text.
    """

    instruments: tuple[int, ...] = ()  # General MIDI programs 0–127, without drums, in the order of the text
    drums: bool | None = None
    excluded: tuple[int, ...] = ()  # programs that must not play (128 = drums)
    only: bool = False  # nothing but the instruments that are named ("solo piano")
    key: Key | None = None
    mode: str | None = None  # "major" or "minor"
    tempo: float | None = None
    tempo_range: tuple[float, float] | None = None
    metre: tuple[int, int] | None = None
    genre: str | None = None  # the first of `genres`
    genres: tuple[str, ...] = ()
    moods: tuple[str, ...] = ()
    era: str | None = None
    bars: int | None = None
    seconds: float | None = None
    chords: tuple[str, ...] = ()
    unserved: tuple[str, ...] = ()
    readings: tuple[tuple[str, str], ...] = ()
    implied: frozenset[str] = frozenset()

    def report(self) -> dict[str, Any]:
        """What was understood, as plain values for a result's .json: asked, implied, readings, unserved."""
        values: dict[str, Any] = {
            "instruments": [instrument_name(program) for program in self.instruments],
            "drums": self.drums,
            "without": list(dict.fromkeys(instrument_name(program) for program in self.excluded)),
            "only": self.only or None,
            "key": str(self.key) if self.key is not None else None,
            "mode": self.mode,
            "tempo": self.tempo,
            "tempo_range": list(self.tempo_range) if self.tempo_range is not None else None,
            "metre": f"{self.metre[0]}/{self.metre[1]}" if self.metre is not None else None,
            "genre": list(self.genres),
            "moods": list(self.moods),
            "era": self.era,
            "bars": self.bars,
            "seconds": self.seconds,
            "chords": list(self.chords),
        }
        said = {name: value for name, value in values.items() if value is not None and value != []}
        return {
            "asked": {name: value for name, value in said.items() if name not in self.implied},
            "implied": {name: value for name, value in said.items() if name in self.implied},
            "readings": [{"phrase": phrase, "meaning": meaning} for phrase, meaning in self.readings],
            "unserved": list(self.unserved),
        }

    @property
    def is_empty(self) -> bool:
        """Whether nothing about music was understood."""
        return not self.readings


@dataclass(slots=True)
class Reader:
    """The text while it is read: `claimed` marks characters that already have a meaning."""

    text: str  # as written, with numbers in digits
    lower: str
    claimed: bytearray
    found: dict[str, Any] = field(default_factory=dict)
    suggested: dict[str, Any] = field(default_factory=dict)
    unserved: list[str] = field(default_factory=list)
    notes: list[tuple[int, str, str]] = field(default_factory=list)

    def is_free(self, start: int, end: int) -> bool:
        """Whether no reading has taken any character of the span yet."""
        return not any(self.claimed[start:end])

    def claim(self, start: int, end: int, meaning: str | None) -> None:
        """Takes the span; with a meaning, it becomes one of the readings."""
        self.claimed[start:end] = b"\x01" * (end - start)
        if meaning:
            self.notes.append((start, " ".join(self.text[start:end].split()), meaning))

    def put(self, name: str, value: Any) -> None:
        """Records what is asked; the first mention of an attribute counts."""
        self.found.setdefault(name, value)

    def suggest(self, name: str, value: Any) -> None:
        """Records what is merely implied."""
        self.suggested.setdefault(name, value)


def parse_prompt(text: str) -> MusicRequest:
    """Reads an English prompt; words it does not know are passed over.

    >>> request = parse_prompt("a slow waltz in D minor for flute and strings")
    >>> request.instruments, str(request.key), request.metre, request.genre
    ((73, 48), 'D minor', (3, 4), 'waltz')

    Raises:
        PromptError: the text is empty, holds no letter or digit, or has more than `MAX_CHARACTERS` characters.
    """
    if not isinstance(text, str):
        raise PromptError(
            "The prompt must be text: write a sentence such as 'a slow waltz in D minor for flute and strings'."
        )
    if len(text) > MAX_CHARACTERS:
        raise PromptError(
            f"The prompt has {len(text):,} characters, more than the {MAX_CHARACTERS:,} that are read: say it in fewer."
        )
    plain = unicodedata.normalize("NFKC", text.translate(_SIGNS))[: 2 * MAX_CHARACTERS]
    if not any(character.isalnum() for character in plain):
        raise PromptError(
            "The prompt holds no words: write a sentence such as 'a slow waltz in D minor for flute and strings'."
        )
    plain = re.sub(r"\b(drum|beat|piano|guitar|bass)less\b", r"\1-free", digits_for_words(plain), flags=re.IGNORECASE)
    lower = "".join(c.lower() if len(c.lower()) == 1 else c for c in plain)
    reader = Reader(plain, lower, bytearray(len(plain)))
    for pattern in PATTERNS:
        pattern(reader)
    read_phrases(reader)
    return _request(reader)


def _request(reader: Reader) -> MusicRequest:
    found, suggested = reader.found, dict(reader.suggested)
    asked: list[int] = found.get("instruments", [])
    excluded = tuple(dict.fromkeys(found.get("excluded", [])))
    genres = tuple(dict.fromkeys(found.get("genres", [])))
    moods = tuple(dict.fromkeys(found.get("moods", [])))
    drums = False if DRUMS in excluded else (True if DRUMS in asked else None)
    programs = tuple(p for p in dict.fromkeys(asked) if p != DRUMS and p not in excluded)
    only = bool(found.get("only")) and bool(asked)
    if only and drums is None:
        drums = False
    request = MusicRequest(
        instruments=programs,
        drums=drums,
        excluded=excluded,
        only=only,
        key=found.get("key"),
        mode=found["key"].mode if "key" in found else found.get("mode"),
        tempo=found.get("tempo"),
        tempo_range=found.get("tempo_range"),
        metre=found.get("metre"),
        genre=genres[0] if genres else None,
        genres=genres,
        moods=moods,
        era=found.get("era"),
        bars=found.get("bars"),
        seconds=found.get("seconds"),
        chords=tuple(found.get("chords", ())),
        unserved=tuple(dict.fromkeys(reader.unserved)),
        readings=tuple((phrase, meaning) for _, phrase, meaning in sorted(reader.notes)),
    )
    if "key" in found and found.get("mode_implied"):
        request = replace(request, implied=request.implied | {"mode"})
    return _fill_in(request, suggested)


def _fill_in(request: MusicRequest, suggested: dict[str, Any]) -> MusicRequest:
    """What is suggested fills only the fields about which the text says nothing."""
    changes: dict[str, Any] = {}
    era_genre = ERA_GENRES.get(request.era or "")
    if not request.genres and (genre := suggested.get("genre", era_genre)):
        changes |= {"genre": genre, "genres": (genre,)}
    if not request.instruments and request.drums is not True and (programs := suggested.get("instruments")):
        programs = tuple(p for p in programs if p not in request.excluded)
        changes["instruments"] = tuple(p for p in programs if p != DRUMS)
        if DRUMS in programs and request.drums is None:
            changes["drums"] = True
    if request.tempo is None and request.tempo_range is None and "tempo_range" in suggested:
        changes["tempo_range"] = suggested["tempo_range"]
    for name in ("metre", "mode", "bars"):
        if getattr(request, name) is None and name in suggested and not (name == "bars" and request.seconds):
            changes[name] = suggested[name]
    if not request.moods and "mood" in suggested:
        changes["moods"] = (suggested["mood"],)
    return replace(request, **changes, implied=request.implied | (frozenset(changes) - {"genres"}))


_SIGNS = {
    ord("♭"): "b",
    ord("♯"): "#",
    ord("’"): "'",
    ord("‘"): "'",
    ord("–"): "-",
    ord("—"): ",",
    ord("‑"): "-",
    ord("⁄"): "/",
    ord("♩"): "quarter ",
}
__all__ = ["DRUMS", "IMPLIED", "MAX_CHARACTERS", "MOODS", "MusicRequest", "parse_prompt"]
