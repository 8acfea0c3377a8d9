"""The parts of a prompt with a grammar of their own: keys, tempi, metres, lengths, chords, and wishes that cannot be served."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rapidfuzz.distance import DamerauLevenshtein

from orchestrion.theory.vocabulary import COMPOSERS, ERAS, GENRES, INSTRUMENTS
from orchestrion.theory.keys import Key

if TYPE_CHECKING:
    from orchestrion.representations.prompt import Reader

_STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_ACCIDENTAL = r"(?:[\s-]*(?:flat|sharp|natural)(?=[\s,.;!?)-]|major|minor|$)|[b#](?![a-ln-z])|#)?"
_MODES = {"ionian": "major", "lydian": "major", "mixolydian": "major", "dorian": "minor", "phrygian": "minor", "aeolian": "minor", "locrian": "minor"}  # fmt: skip

_FULL_KEY = re.compile(
    rf"(?<![\w#'])([a-g])({_ACCIDENTAL})[\s-]*((?:harmonic |melodic |natural )?)([a-z]{{3,10}})\b", re.IGNORECASE
)
_BARE_KEY = re.compile(rf"\b((?i:in|key of|key:|key is|key|tonic))(\s+)([A-G])({_ACCIDENTAL})(m|min|maj|M)?(?![\w'#/-])", 0)
_LOOSE_KEY = re.compile(rf"\b((?i:key of|key:|key is))(\s+)([a-g])({_ACCIDENTAL})()(?![\w'#/-])", 0)
_LETTER_KEY = re.compile(r"(?:^|(?<=[,;.:|/(]))(\s*)([A-G])()m(?=\s*(?:$|[,;.|)]))")
_SPELT_KEY = re.compile(r"\b(in)(\s+)([a-g])([\s-]+(?:flat|sharp))()(?![\w'#/-])")
_SYMBOL_KEY = re.compile(r"(?<![\w#'])([A-G])([b#])(m)(?![\w#])")
_MODE = re.compile(r"\b(major|minor)\b(?:[\s-]+(key|mode|scale|tonality|mood|sound|harmony|feel))?")
_NOT_A_KEY = re.compile(
    r"\s+(hit|third|thirds|sixth|seventh|chord|chords|role|part|work|works|league|event|change|detail|success|success|difference)\b"
)
_AFTER_KEY = re.compile(
    r"\s*(?:$|[.,;:!?)(]|(?:for|with|at|and|in|on|using|played|by|that|featuring|to|please|key|but|performed|tonality|scale|about|around|tempo|over|running|set|is)\b|\d)"
)
_CHORD = (
    r"[A-G][b#]?(?:maj7|maj9|maj|min7|min|m7b5|m7|m9|m6|m|dim7|dim|aug|sus2|sus4|add9|6|7|9|11|13)?(?:/[A-G][b#]?)?"
)
_CHORDS = re.compile(rf"(?<![\w#'])({_CHORD}(?:(?:\s*[-,|>→]+\s*|\s+){_CHORD}(?![\w#'])){{2,}})(?![\w#'])")
_ROMAN = re.compile(
    r"(?<![\w'])([b#]?(?:[iI]{1,3}|[iI]?[vV]|[vV][iI]{1,2})[7°ø]?(?:\s*-\s*[b#]?(?:[iI]{1,3}|[iI]?[vV]|[vV][iI]{1,2})[7°ø]?){2,})(?![\w'])"
)


def _pitch(letter: str, accidental: str) -> int:
    accidental = accidental.strip().lower().lstrip("- ")
    return (
        _STEPS[letter.lower()] + (accidental.startswith(("#", "sharp")) - accidental.startswith(("b", "flat")))
    ) % 12


def _mode(word: str) -> str | None:
    word = word.lower()
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
    for pattern in (_BARE_KEY, _LOOSE_KEY, _SPELT_KEY):
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


_BPM = r"(?:bpm|b\.p\.m\.?|beats?\s+(?:per|a|/)\s*(?:minute|min)|beats?/min|qpm)"
_NUMBER = r"(\d{1,4}(?:\.\d+)?)"
_BEATS = {"dotted quarter": 1.5, "dotted-quarter": 1.5, "dotted crotchet": 1.5, "half": 2.0, "minim": 2.0, "dotted half": 3.0, "eighth": 0.5, "8th": 0.5, "quaver": 0.5, "quarter": 1.0, "crotchet": 1.0}  # fmt: skip
_TEMPI = (
    re.compile(
        rf"\b(dotted[ -](?:quarter|half|crotchet)|half|minim|eighth|quaver|quarter|crotchet)(?:[ -]?notes?)?\s*(?:=|equals|at|is)\s*{_NUMBER}\b(?:\s*{_BPM})?"
    ),
    re.compile(
        rf"()(?:\b(?:at|around|about|roughly|tempo(?: of| is)?:?|~|approximately|approx\.?)\s+)*{_NUMBER}\s*-?\s*{_BPM}"
    ),
    re.compile(rf"\b()(?:tempo[^.;,(]{{0,25}}|presto|vivace|allegro|allegretto|moderato|andante|adagio|largo|lento)\s*\(\s*{_NUMBER}\s*\)"),
    re.compile(rf"\b()bpm\s*(?:=|:|of|is|about|around|at)?\s*{_NUMBER}\b"),
    re.compile(
        rf"\b()(?:tempo|metronome|speed|mm|m\.m\.)\s*(?:=|:|of|is|at|around|about|set\s+to|marking|should\s+be|\s)*\s*{_NUMBER}\b(?!\s*(?:/|bars?\b|measures?\b|sec|min))"
    ),
    re.compile(
        rf"\b()(?:at|around)\s+(?:about\s+|around\s+|roughly\s+)?{_NUMBER}\b(?!\s*[-/]|\s*(?:bars?|measures?|seconds?|secs?|minutes?|mins?|hz|khz|db|%|am\b|pm\b|o'clock|s\b))"
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
        r"\b(?:time signature|metre|meter|time|in)(?:\s+(?:is|of|in))?:?\s+(\d{1,2})\s+(4|8)\b(?!\s*(?:bars?|measures?|sec|min|bpm))"
    ),
    re.compile(r"\b(2|3|4|5|6|7|9|12)\s+over\s+(4|8)\b"),
)
_IN_NUMBER = re.compile(r"\b(?:in|counted in|a feel of)\s+([2-7])(?=\s*(?:$|[.,;!?)]|and\b|with\b|for\b|at\b))")
_NAMED_METRES = {r"common[\s-]time": (4, 4), r"cut[\s-](?:common[\s-])?time|alla breve": (2, 2), r"waltz[\s-](?:time|metre|meter|rhythm|beat)": (3, 4), r"march[\s-]time": (2, 4),
                 r"triple[\s-](?:time|metre|meter)|3 beats (?:to|in|per) (?:the|a|each|every)? ?(?:bar|measure)|3 to the bar": (3, 4), r"duple[\s-](?:time|metre|meter)|2 beats (?:to|in|per) (?:the|a|each|every)? ?(?:bar|measure)": (2, 4),
                 r"quadruple[\s-](?:time|metre|meter)|4[\s-]on[\s-]the[\s-]floor|4 beats (?:to|in|per) (?:the|a|each|every)? ?(?:bar|measure)": (4, 4), r"5 beats (?:to|in|per) (?:the|a|each|every)? ?(?:bar|measure)": (5, 4),
                 r"7 beats (?:to|in|per) (?:the|a|each|every)? ?(?:bar|measure)": (7, 4), r"compound[\s-](?:duple|time|metre|meter)(?:[\s-](?:time|metre|meter))?|6 8s": (6, 8)}  # fmt: skip


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
    r"\b(very short|short|brief|tiny|long|lengthy|extended)\s+((?:[a-z-]+\s+){0,2}?)(piece|tune|song|fragment|melody|jingle|composition|track|theme|loop|intro|snippet|phrase)\b"
)


_DECADE = re.compile(r"(?:(?:1[5-9]|20)\d|[2-9])0s")


def _is_decade(text: str, match: re.Match[str]) -> bool:
    """Whether "1960s" or "80s" names a time rather than a length."""
    if not _DECADE.fullmatch(match.group().strip()):
        return False
    before, after = text[: match.start()].rstrip(), text[match.end() :].lstrip()
    if len(match.group().strip()) == 5:
        return True
    if after.startswith(("long", "in length", "of music")) or re.search(r"\b(?:for|about|around|lasts?|lasting|length|duration|is)[: ]*$", before):
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


_VOICE = re.compile(
    r"\b(?:female |male |soft |soulful |lead |backing |background |catchy |human |soaring )*(?:vocals?|vocalists?|singers?|singing|sings?|sung(?:\s+by\s+[a-z ]{1,30}?(?=[.,;]|$))?|lyrics?|rapp(?:er|ing)|rap|spoken[ -]word|a cappella|acapella|yodel(?:l?ing)?|beatbox(?:ing)?|autotuned?)\b"
)
_SOUNDS = re.compile(
    r"\b(?:(?:sounds? of |the sound of )(?:the )?(?:rain|thunder|waves|wind|birds?|sea|ocean|traffic|crowds?|fire|applause|water)\w*|(?:rain|waves?|ocean|bird|nature|crowd|city|engine|animal)s? (?:sounds?|noises?)|sound effects?|sfx|birdsong|vinyl crackle|tape hiss|thunderstorm sounds?|samples? from|sampled [a-z]+|record scratches|scratching|turntables?)\b"
)
_PRODUCTION = re.compile(
    r"\b(?:reverb|echo effects?|delay effects?|auto-?tune|sidechain(?:ing| compression)?|fade[sd]?[ -](?:out|in)|stereo panning|low-pass filter|mastered|mp3|432 ?hz|microtonal|quarter[ -]tones?)\b"
)
_CHANGES = re.compile(
    r"\b(?:(?:key|tempo|metre|meter|time signature) changes?|modulat(?:es?|ing|ion)(?: (?:to|into) [a-g][a-z -]{0,12})?|accelerando|ritardando|rubato|speeds? up|slows? down|gets? (?:faster|slower))\b"
)
_STYLE = re.compile(
    r"\b(?:in the (?:style|manner|vein|spirit) of|à la|a la|sound(?:s|ing)? like|written by|composed by|inspired by|reminiscent of|similar to|like(?= [A-Z])|by(?= [A-Z]))\s+(?:an?\s+|the\s+)?((?:[^\W\d_]|['&.-])+(?:\s+(?:[^\W\d_]|['&.-])+){0,3})"
)
_NEGATED = re.compile(
    r"\b(?:no|without|not|minus|free of|don't want|do not want|any)(?:\s+(?:any|a|the|use|add|include|need))*\s*$"
)


def read_unserved(reader: Reader) -> None:
    """Wishes that notes alone cannot fulfil, each answered with a sentence."""
    for pattern, sentence in (
        (_VOICE, "Voices with words cannot be made from notes: '{}' is left out, and an instrument plays the melody."),
        (_SOUNDS, "Sounds that are not notes cannot be made: '{}' is left out."),
        (_PRODUCTION, "'{}' is a matter of recording or tuning, which cannot be asked in a prompt: it is left out."),
        (_CHANGES, "A piece keeps one key, tempo and metre throughout: '{}' is left out."),
    ):
        for match in pattern.finditer(reader.lower):
            if not reader.is_free(*match.span()):
                continue
            phrase = " ".join(match.group().split())
            before = reader.lower[max(0, match.start() - 30) : match.start()]
            if _NEGATED.search(before) or reader.lower[match.end() : match.end() + 5] == "-free":
                reader.claim(*match.span(), f"no {phrase}")
                continue
            reader.unserved.append(sentence.format(phrase))
            reader.claim(*match.span(), "not served")
    _read_names(reader)


_AFTER_NAME = frozenset("for with in at and played on but from of to".split())  # noqa: SIM905


def _is_known(phrase: str) -> bool:
    return any(form in table for form in (phrase, phrase.rstrip("s.")) for table in (GENRES, ERAS, INSTRUMENTS))


def _read_names(reader: Reader) -> None:
    for match in _STYLE.finditer(reader.text):
        words = match[1].lower().split()
        stop = next((i for i, word in enumerate(words) if word in _AFTER_NAME), len(words))
        spans = [(i, j) for i in range(stop) for j in range(i + 1, stop + 1)]
        known = {k for i, j in spans if _is_known(" ".join(words[i:j])) for k in range(i, j)}
        is_name = all(word[0].isupper() for word in match[1].split()[:stop]) and len(known) < stop
        if stop == 0 or (known and not is_name):
            continue  # "in the style of jazz" asks for something that can be had
        composer = next(
            (w.removesuffix("'s") for w in words[:stop] if w.removesuffix("'s").rstrip(".") in COMPOSERS), None
        )
        name = " ".join(match[1].split()[:stop]).rstrip(".")
        if not name or not reader.is_free(match.start(), match.start(1) + len(name)):
            continue
        if composer is None and not (name[0].isupper() or "style" in match.group() or "manner" in match.group()):
            continue
        if composer:
            reader.put("era", COMPOSERS[composer])
        reader.unserved.append(
            f"The style of {name} has not been learnt"
            + (f": the {COMPOSERS[composer]} era stands in for it." if composer else ": it is left out.")
        )
        reader.claim(
            match.start(), match.start(1) + len(name), f"era {COMPOSERS[composer]}" if composer else "not served"
        )


PATTERNS = (read_unserved, read_length, read_chords, read_key, read_tempo, read_metre)
