"""Keys and chords in a prompt."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rapidfuzz.distance import DamerauLevenshtein

from orchestrion.theory.keys import Key

if TYPE_CHECKING:
    from orchestrion.representations.prompt import Reader

_STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_ACCIDENTAL = r"(?:[\s-]*(?:flat|sharp|natural)(?=[\s,.;!?)-]|major|minor|$)|[b#](?![a-ln-z])|#)?"
_MODES = {
    "ionian": "major",
    "lydian": "major",
    "mixolydian": "major",
    "dorian": "minor",
    "phrygian": "minor",
    "aeolian": "minor",
    "locrian": "minor",
}

_FULL_KEY = re.compile(
    rf"(?<![\w#'])([a-g])({_ACCIDENTAL})[\s-]*((?:harmonic |melodic |natural )?)([a-z]{{3,10}})\b", re.IGNORECASE
)
_BARE_KEY = re.compile(
    rf"\b((?i:in|key of|key:|key is|key|tonic))(\s+)([A-G])({_ACCIDENTAL})(m|min|maj|"
    rf"M)?(?![\w'#/-])",
    0,
)
_LOOSE_KEY = re.compile(rf"\b((?i:key of|key:|key is))(\s+)([a-g])({_ACCIDENTAL})()(?![\w'#/-])", 0)
_LETTER_KEY = re.compile(r"(?:^|(?<=[,;.:|/(]))(\s*)([A-G])()m(?=\s*(?:$|[,;.|)]))")
_LONE_KEY = re.compile(r"(?<=[,;:])()(\s+)([A-G])([b#]?)()(?=\s*(?:[,;.]|$))")
_SPELT_KEY = re.compile(r"\b(in)(\s+)([a-g])([\s-]+(?:flat|sharp))()(?![\w'#/-])")
_SYMBOL_KEY = re.compile(r"(?<![\w#'])([A-G])([b#])(m)(?![\w#])")
_MODE = re.compile(r"\b(major|minor)\b(?:[\s-]+(key|mode|scale|tonality|mood|sound|harmony|feel))?")
_NOT_A_KEY = re.compile(
    r"\s+(hit|third|thirds|sixth|seventh|chord|chords|role|part|work|works|league|event|"
    r"change|detail|success|success|difference)\b"
)
_AFTER_KEY = re.compile(
    r"\s*(?:$|[.,;:!?)(]|(?:for|with|at|and|in|on|using|played|by|that|featuring|to|please|"
    r"key|but|performed|tonality|scale|about|around|tempo|over|running|set|is)\b|\d)"
)
_CHORD = (
    r"[A-G][b#]?(?:maj7|maj9|maj|min7|min|m7b5|m7|m9|m6|m|dim7|dim|aug|sus2|sus4|add9|6|7|9|11|13)?(?:/[A-G][b#]?)?"
)
_CHORDS = re.compile(rf"(?<![\w#'])({_CHORD}(?:(?:\s*[-,|>→]+\s*|\s+){_CHORD}(?![\w#'])){{2,}})(?![\w#'])")
_ROMAN = re.compile(
    r"(?<![\w'])([b#]?(?:[iI]{1,3}|[iI]?[vV]|[vV][iI]{1,2})[7°ø]?(?:\s*-\s*[b#]?(?:[iI]{1,3}|"
    r"[iI]?[vV]|[vV][iI]{1,2})[7°ø]?){2,})(?![\w'])"
)


def _pitch(letter: str, accidental: str) -> int:
    accidental = accidental.strip().lower().lstrip("- ")
    return (
        _STEPS[letter.lower()] + (accidental.startswith(("#", "sharp")) - accidental.startswith(("b", "flat")))
    ) % 12


def _mode(word: str) -> str | None:
    word = word.lower()
    if word in ("dur", "moll"):
        return {"dur": "major", "moll": "minor"}[word]
    if word in ("major", "maj", "minor", "min"):
        return word[:3] + "or"
    if word in _MODES:
        return _MODES[word]
    if (
        len(word) >= 4
        and word[0] == "m"
        and word
        not in ("mayor", "motor", "manor", "miner", "mirror", "memory", "most", "main", "mind", "mine", "more", "many")
    ):
        for mode in ("major", "minor"):
            if DamerauLevenshtein.distance(word, mode) <= 1:
                return mode
    return None


def read_chords(reader: Reader) -> None:
    """Three or more chord symbols or Roman numerals in a row."""
    for pattern in (_CHORDS, _ROMAN):
        for match in pattern.finditer(reader.text):
            symbols = re.findall(r"[^\s,|>→-]+", match.group(1))
            if len(set(symbols)) > 1 and reader.is_free(*match.span()):
                reader.put("chords", tuple(symbols))
                reader.claim(*match.span(), "chords " + " ".join(symbols))


def read_key(reader: Reader) -> None:
    """Key with mode, key without mode, or only "minor"."""
    for match in _FULL_KEY.finditer(reader.text):
        letter, accidental, _, word = match.groups()
        mode = _mode(word)
        if mode is None or not reader.is_free(*match.span()):
            continue
        if letter in "aA" and not accidental and not _is_key_of_a(reader, match):
            continue
        _take_key(reader, match.span(), Key(_pitch(letter, accidental), mode))
        if word.lower() in _MODES and word.lower() not in ("ionian", "aeolian"):
            reader.unserved.append(f"The {word.lower()} mode is played as {mode}, the nearest mode there is.")
    for pattern in (_BARE_KEY, _LOOSE_KEY, _SPELT_KEY, _LONE_KEY):
        for match in pattern.finditer(reader.text):
            _, _, letter, accidental, suffix = match.groups()
            if not reader.is_free(*match.span()):
                continue
            if letter in "aA" and not accidental and not suffix and not _AFTER_KEY.match(reader.lower, match.end()):
                continue
            if suffix:
                _take_key(
                    reader,
                    match.span(),
                    Key(_pitch(letter, accidental), "minor" if suffix in ("m", "min") else "major"),
                )
            else:
                minor = re.search(r"\bminor\b", reader.lower) is not None
                reader.put("mode_implied", not minor)
                _take_key(reader, match.span(), Key(_pitch(letter, accidental), "minor" if minor else "major"))
    for match in _SYMBOL_KEY.finditer(reader.text):
        if reader.is_free(*match.span()):
            _take_key(reader, match.span(), Key(_pitch(match[1], match[2]), "minor"))
    for match in _LETTER_KEY.finditer(reader.text):
        if reader.is_free(match.start(2), match.end()):
            _take_key(reader, (match.start(2), match.end()), Key(_pitch(match[2], ""), "minor"))
    for match in _MODE.finditer(reader.lower):
        if reader.is_free(*match.span()) and not _NOT_A_KEY.match(reader.lower, match.end(1)):
            negated = re.search(r"\b(?:not|no|without|isn't)\s+(?:in\s+)?(?:a\s+)?$", reader.lower[: match.start()])
            mode = {"major": "minor", "minor": "major"}[match[1]] if negated else match[1]
            reader.put("mode", mode)
            reader.claim(*match.span(), f"{mode} mode")


def _take_key(reader: Reader, span: tuple[int, int], key: Key) -> None:
    reader.put("key", key)
    reader.claim(*span, f"key {key}")


def _is_key_of_a(reader: Reader, match: re.Match[str]) -> bool:
    """Whether "a major" or "a minor" names the key of A rather than an article before an adjective."""
    if _NOT_A_KEY.match(reader.lower, match.end()):
        return False
    before = reader.lower[: match.start()].rstrip()
    following = re.match(r"\s+(key|mode|scale|tonality|mood|feel)\b", reader.lower[match.end() :])
    if before.endswith((" of", " an", "key:", "key is", " key")) or before == "an" or "-" in match.group():
        return True
    if following:
        return False
    return _AFTER_KEY.match(reader.lower, match.end()) is not None or (
        match[1] == "A" and bool(before) and before[-1] not in ".!?"
    )
