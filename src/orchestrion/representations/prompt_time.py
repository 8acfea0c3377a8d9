"""Tempi, metres and lengths in a prompt."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrion.representations.prompt import Reader

_BPM = r"(?:bpm|b\.p\.m\.?|beats?\s+(?:per|a|/)\s*(?:minute|min)|beats?/min|qpm)"
_NUMBER = r"(\d{1,4}(?:\.\d+)?)"
_BEATS = {
    "dotted quarter": 1.5,
    "dotted-quarter": 1.5,
    "dotted crotchet": 1.5,
    "half": 2.0,
    "minim": 2.0,
    "dotted half": 3.0,
    "eighth": 0.5,
    "8th": 0.5,
    "quaver": 0.5,
    "quarter": 1.0,
    "crotchet": 1.0,
}
_TEMPI = (
    re.compile(
        rf"\b(dotted[ -](?:quarter|half|crotchet)|half|minim|eighth|quaver|quarter|"
        rf"crotchet)(?:[ -]?notes?)?\s*(?:=|equals|at|is)\s*{_NUMBER}\b(?:\s*{_BPM})?"
    ),
    re.compile(
        rf"()(?:\b(?:at|around|about|roughly|tempo(?: of| is)?:?|~|approximately|"
        rf"approx\.?)\s+)*{_NUMBER}\s*-?\s*{_BPM}"
    ),
    re.compile(
        rf"\b()(?:tempo[^.;,(]{{0,25}}|presto|vivace|allegro|allegretto|moderato|andante|adagio|"
        rf"largo|lento)\s*\(\s*{_NUMBER}\s*\)"
    ),
    re.compile(rf"\b()bpm\s*(?:=|:|of|is|about|around|at)?\s*{_NUMBER}\b"),
    re.compile(
        rf"\b()(?:tempo|metronome|speed|mm|m\.m\.)\s*(?:=|:|of|is|at|around|about|set\s+to|marking|"
        rf"should\s+be|\s)*\s*{_NUMBER}\b(?!\s*(?:/|bars?\b|measures?\b|sec|min))"
    ),
    re.compile(
        rf"\b()(?:at|around)\s+(?:about\s+|around\s+|roughly\s+)?{_NUMBER}\b(?!\s*[-/]|\s*(?:bars?|"
        rf"measures?|seconds?|secs?|minutes?|mins?|hz|khz|db|%|am\b|pm\b|o'clock|s\b))"
    ),
)
_TEMPO_RANGE = re.compile(
    rf"\b(?:between\s+)?(\d{{2,3}})\s*(?:-|to|and)\s*(\d{{2,3}})\s*{_BPM}"
    r"|\b(?:tempo|bpm|speed)\s*:?\s*(?:is |of )?(?:between |from )?(\d{2,3})\s*(?:-|to|and)\s*(\d{2,3})\b"
)


def read_tempo(reader: Reader) -> None:
    """Tempi given as numbers, in quarter notes a minute unless another note value is named."""
    for match in _TEMPO_RANGE.finditer(reader.lower):
        low, high = sorted(float(bound) for bound in match.groups() if bound)
        if reader.is_free(*match.span()) and 10 <= low < high <= 400:
            reader.put("tempo_range", (low, high))
            reader.claim(*match.span(), f"tempo {low:g} to {high:g} bpm")
    for pattern in _TEMPI:
        for match in pattern.finditer(reader.lower):
            bpm = float(match[2]) * _BEATS.get(match[1].replace("-", " ") if match[1] else "", 1.0)
            if reader.is_free(*match.span()) and (
                10 <= bpm <= 400 or "bpm" in match.group() or "beats" in match.group()
            ):
                reader.put("tempo", bpm)
                reader.claim(*match.span(), f"tempo {bpm:g} bpm")


_METRES = (
    re.compile(
        r"(?<![\d/])(\d{1,2})\s*/\s*(1|2|4|8|16)(?![\d/])(?:[\s-]+(?:time|metre|meter|signature|feel|beat|rhythm))*"
    ),
    re.compile(r"(?<!\d)(\d{1,2})[\s-]+(2|4|8|16)[\s-]+(?:time|metre|meter|signature|feel|rhythm|groove)\b"),
    re.compile(r"\b(2|3|4|5|6|7|9|12)-(4|8)\b(?![\s-]*(?:bars?|measures?|sec|min|bpm))"),
    re.compile(
        r"\b(?:time signature|metre|meter|time|in)(?:\s+(?:is|of|in))?:?\s+(\d{1,2})\s+(4|"
        r"8)\b(?!\s*(?:bars?|measures?|sec|min|bpm))"
    ),
    re.compile(r"\b(2|3|4|5|6|7|9|12)\s+over\s+(4|8)\b"),
)
_IN_NUMBER = re.compile(r"\b(?:in|counted in|a feel of)\s+([2-7])(?=\s*(?:$|[.,;!?)]|and\b|with\b|for\b|at\b))")
_TIME = r"[\s-](?:time|metre|meter)"
_A_BAR = r" beats (?:to|in|per) (?:the|a|each)? ?(?:bar|measure)"
_NAMED_METRES = {
    r"common[\s-]time": (4, 4),
    r"cut[\s-](?:common[\s-])?time|alla breve": (2, 2),
    rf"waltz(?:{_TIME}|[\s-](?:rhythm|beat))": (3, 4),
    r"march[\s-]time": (2, 4),
    rf"duple{_TIME}|2{_A_BAR}": (2, 4),
    rf"triple{_TIME}|3[\s-]quarters?{_TIME}|3{_A_BAR}|3 to the bar": (3, 4),
    rf"quadruple{_TIME}|4{_A_BAR}|4[\s-]on[\s-]the[\s-]floor": (4, 4),
    rf"5{_A_BAR}": (5, 4),
    rf"7{_A_BAR}": (7, 4),
    rf"compound(?:{_TIME}|[\s-]duple(?:{_TIME})?)|6 8s": (6, 8),
}


def read_metre(reader: Reader) -> None:
    """Metres: "6/8", "3-4", "in three", "triple time"."""
    for pattern in _METRES:
        for match in pattern.finditer(reader.lower):
            if reader.is_free(*match.span()) and 1 <= int(match[1]) <= 24:
                _take_metre(reader, match.span(), (int(match[1]), int(match[2])))
    for pattern_text, metre in _NAMED_METRES.items():
        for match in re.finditer(rf"\b(?:{pattern_text})\b", reader.lower):
            if reader.is_free(*match.span()):
                _take_metre(reader, match.span(), metre)
    for match in _IN_NUMBER.finditer(reader.lower):
        if reader.is_free(*match.span()):
            count = int(match[1])
            _take_metre(reader, match.span(), (6, 8) if count == 6 else (count, 4))


def _take_metre(reader: Reader, span: tuple[int, int], metre: tuple[int, int]) -> None:
    reader.put("metre", metre)
    reader.claim(*span, f"metre {metre[0]}/{metre[1]}")


_BARS = re.compile(
    r"(?<![\d/.])(\d{1,6})[\s-]*(?:bars?|measures?)\b(?![\s-]+(blues)\b)(?:[\s-]+(?:long|in length|of music))?"
)
_BLUES = re.compile(r"\b(\d{1,2})[\s-]+bar[\s-]+blues\b")
_MINUTES = r"(?:minutes?|mins?|m)\b"
_SECONDS_UNIT = r"(?:seconds?|secs?|s)\b"
_LENGTHS = (
    (
        re.compile(rf"(\d{{1,4}})\s*-?\s*{_MINUTES}\.?,?\s*(?:and\s+)?(\d{{1,2}})\s*-?\s*{_SECONDS_UNIT}"),
        lambda m: 60 * float(m[1]) + float(m[2]),
    ),
    (re.compile(r"\b(?:(?:a|1)\s+minute\s+and\s+a\s+half|1\s+and\s+a\s+half\s+minutes?)\b"), lambda m: 90.0),
    (
        re.compile(r"\b(\d{1,3})\s+and\s+a\s+half\s+minutes?\b|\b(\d{1,3})\s+minutes?\s+and\s+a\s+half\b"),
        lambda m: 60 * (float(m[1] or m[2]) + 0.5),
    ),
    (re.compile(r"\bhalf\s+a\s+minute\b|\bhalf-?minute\b|\bhalf\s+of\s+a\s+minute\b"), lambda m: 30.0),
    (re.compile(r"\ba\s+quarter\s+of\s+a\s+minute\b"), lambda m: 15.0),
    (re.compile(rf"(?<![\d/.:])(\d{{1,4}}(?:\.\d+)?)\s*-?\s*{_MINUTES}(?!\s*/)"), lambda m: 60 * float(m[1])),
    (re.compile(rf"(?<![\d/.:'])(\d{{1,6}}(?:\.\d+)?)\s*-?\s*{_SECONDS_UNIT}"), lambda m: float(m[1])),
    (re.compile(r"(?<![\d/:.])(\d{1,2}):([0-5]\d)(?![\d:])"), lambda m: 60 * float(m[1]) + float(m[2])),
    (
        re.compile(r"(?<!per )(?<!beats )\b(?:a|an|one)\s+(?:full\s+|whole\s+)?minute\b(?!\s+(?:and|hand))"),
        lambda m: 60.0,
    ),
    (re.compile(r"\bminute-long\b"), lambda m: 60.0),
)
_VAGUE = re.compile(
    r"\b(very short|short|brief|tiny|long|lengthy|extended)\s+((?:[a-z-]+\s+){0,2}?)(piece|"
    r"tune|song|fragment|melody|jingle|composition|track|theme|loop|intro|snippet|phrase)\b"
)


_DECADE = re.compile(r"(?:(?:1[5-9]|20)\d|[2-9])0s")


def _is_decade(text: str, match: re.Match[str]) -> bool:
    """Whether "1960s" or "80s" names a time rather than a length."""
    if not _DECADE.fullmatch(match.group().strip()):
        return False
    before, after = text[: match.start()].rstrip(), text[match.end() :].lstrip()
    if len(match.group().strip()) == 5:
        return True
    if after.startswith(("long", "in length", "of music")) or re.search(
        r"\b(?:for|about|around|lasts?|lasting|length|duration|is)[: ]*$", before
    ):
        return False
    return match.group().strip() not in ("20s", "30s") or not (not after or after[0] in ",.;")


def read_length(reader: Reader) -> None:
    """Lengths in bars or seconds; "short" and "long" only suggest one."""
    for match in _BLUES.finditer(reader.lower):
        if reader.is_free(*match.span()):
            reader.suggest("bars", int(match[1]))
            reader.found.setdefault("genres", []).append("blues")
            reader.claim(*match.span(), f"genre blues, {match[1]} bars implied")
    for match in _BARS.finditer(reader.lower):
        if reader.is_free(*match.span()):
            reader.put("bars", int(match[1]))
            reader.claim(*match.span(), f"{int(match[1])} bars")
    for pattern, seconds in _LENGTHS:
        for match in pattern.finditer(reader.lower):
            if reader.is_free(*match.span()) and not _is_decade(reader.lower, match):
                reader.put("seconds", seconds(match))
                reader.claim(*match.span(), f"{seconds(match):g} seconds")
    for match in _VAGUE.finditer(reader.lower):
        bars = 4 if match[1] in ("very short", "tiny") else 8 if match[1] in ("short", "brief") else 32
        reader.suggest("bars", bars)
        if reader.is_free(*match.span(1)):
            reader.claim(*match.span(1), f"about {bars} bars (implied)")
