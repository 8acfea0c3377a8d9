"""Instruments, genres, moods, eras and tempo words in a prompt, with plurals, typing errors and negation."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler

from orchestrion.theory import vocabulary as known

if TYPE_CHECKING:
    from orchestrion.representations.prompt import Reader

_TOKEN = re.compile(r"'?[^\W_]+(?:'[^\W_]+)*|[^\w\s]", re.UNICODE)
_LONGEST = 6  # tokens in the longest phrase of the tables
_GLUE = known.words(
    """
a an any have having include including kind much nor of or overly particularly really so some the too use using very
want
"""
)
_NEGATORS = known.words(
    """
avoid avoiding doesn't don't except excluding hardly isn't lacking minus neither never no nor not nothing omit sans
skip w/o without
"""
)
_SOLO_BEFORE = tuple([word] for word in ("solo", "unaccompanied", "lone", "only", "just", "alone", "single"))
_VERBS = known.words("drives lights loves moves pops rocks shuffles sings stills strides swings")
_BEFORE_VIBES = known.words("bad good great nice positive same strong such weird")
_ACCOMPANIED = tuple([word] for word in ("and", "with", "over", "on", "in"))


@dataclass(frozen=True, slots=True)
class Sense:
    """One meaning of a phrase."""

    kind: str  # instrument, ensemble, genre, mood, era, tempo or scene
    value: object


@dataclass(slots=True)
class Hit:
    """A known phrase in the text: tokens `first` to `last`, characters `start` to `end`."""

    first: int
    last: int
    start: int
    end: int
    phrase: str
    negated: bool = False


@lru_cache(maxsize=1)
def lexicon() -> dict[tuple[str, ...], list[Sense]]:
    """All phrases of the vocabulary as tuples of tokens, hyphens apart."""
    senses: dict[tuple[str, ...], list[Sense]] = defaultdict(list)
    for kind, table in (
        ("instrument", known.INSTRUMENTS),
        ("ensemble", known.ENSEMBLES),
        ("genre", known.GENRES),
        ("mood", known.MOODS),
        ("era", known.ERAS),
        ("tempo", known.TEMPO_WORDS),
        ("scene", known.IMPLIED),
    ):
        for phrase, value in table.items():
            senses[_tokens(phrase)].append(Sense(kind, value))
    return dict(senses)


def _tokens(text: str) -> tuple[str, ...]:
    return tuple(match.group() for match in _TOKEN.finditer(text.replace("-", " ")))


@lru_cache(maxsize=1)
def _long_words() -> list[str]:
    return sorted({word for phrase in lexicon() for word in phrase if len(word) >= 5 and word.isalpha()})


@lru_cache(maxsize=1)
def _all_words() -> frozenset[str]:
    return frozenset(word for phrase in lexicon() for word in phrase)


def _is_known(word: str) -> bool:
    return any(form in _all_words() for form in (word, word.removesuffix("s"), word.removesuffix("es")))


@lru_cache(maxsize=4096)
def _corrected(word: str) -> str:
    """The word of the vocabulary that `word` was meant to be: one slip up to seven letters, two beyond."""
    if len(word) < 4 or not word.isascii() or not word.isalpha() or word in known.NEVER_CORRECTED or _is_known(word):
        return word
    slips = 1 if len(word) < 8 else 2
    if len(word) == 4:  # only a lost letter of an instrument: "celo"
        candidates = [w for w in _long_words() if len(w) == 5 and w[0] == word[0] and w in known.INSTRUMENTS]
    else:
        candidates = [
            w for w in _long_words() if abs(len(w) - len(word)) <= slips and (w[0] == word[0] or w[:2] == word[1::-1])
        ]
    near = [w for w in candidates if DamerauLevenshtein.distance(word, w) <= slips]
    return max(
        near, key=lambda w: (-DamerauLevenshtein.distance(word, w), JaroWinkler.similarity(word, w)), default=word
    )


def read_phrases(reader: Reader) -> None:
    """Finds the phrases of the vocabulary in what is still free of the text and records them."""
    text = reader.lower.replace("-", " ")
    spans = [match.span() for match in _TOKEN.finditer(text)]
    words = [text[a:b] for a, b in spans]
    hits = _find(reader, words, spans)
    _negate(hits, words)
    if re.search(r"\b(?:nothing else|no other instruments?|no one else|and that is all|and that's (?:all|it))\b", text):
        reader.put("only", True)
    for hit in hits:  # "drum-free", "piano less"
        hit.negated |= words[hit.last + 1 : hit.last + 2] in (["free"], ["less"]) and text[
            hit.end : hit.end + 5
        ].strip() in ("free", "less")
    hits = [hit for hit in hits if not reader.lower.startswith("-like", hit.end)]  # "lute-like" asks for no lute
    adjectives = {
        hit.last for hit in hits if lexicon()[_tokens(hit.phrase)][0].kind in ("genre", "mood", "era", "scene")
    }
    for hit in hits:
        if (
            hit.phrase == "vibes"
            and hit.first
            and (words[hit.first - 1] in _BEFORE_VIBES or hit.first - 1 in adjectives)
        ):
            continue  # "good vibes" are no vibraphone
        _record(reader, hit, words, hits)


def _find(reader: Reader, words: list[str], spans: list[tuple[int, int]]) -> list[Hit]:
    senses = lexicon()
    spelt = [_corrected(word) for word in words]
    hits, i = [], 0
    while i < len(words):
        for length in range(min(_LONGEST, len(words) - i), 0, -1):
            start, end = spans[i][0], spans[i + length - 1][1]
            if not reader.is_free(start, end):
                continue
            phrase = _lookup(senses, words[i : i + length]) or _lookup(senses, spelt[i : i + length])
            if phrase is not None:
                hits.append(Hit(i, i + length - 1, start, end, " ".join(phrase)))
                i += length - 1
                break
        i += 1
    return hits


def _lookup(senses: dict[tuple[str, ...], list[Sense]], words: list[str]) -> tuple[str, ...] | None:
    last = words[-1]
    if last in _VERBS or words == ["brass", "leads"]:
        return None
    for ending in (
        last,
        last.removesuffix("s"),
        last.removesuffix("es"),
        last.removesuffix("'s"),
        re.sub("ies$", "y", last),
    ):
        phrase = (*words[:-1], ending)
        if phrase in senses:
            return phrase
    return None


def _negate(hits: list[Hit], words: list[str]) -> None:
    """Marks what "no", "without" … reach: over glue words, on through "or", and through "and" between bare names."""
    by_first = {hit.first: hit for hit in hits}
    for i, word in enumerate(words):
        if word == "but" and words[i - 1 : i] in (["anything"], ["everything"], ["all"]):
            word = "without"
        if word not in _NEGATORS or (word == "not" and words[i + 1 : i + 2] == ["only"]):
            continue
        if word == "nothing" and words[i + 1 : i + 2] != ["with"]:
            continue
        at, reached = i + 1, False
        while at < len(words):
            if at in by_first:
                by_first[at].negated, reached = True, True
                at = by_first[at].last + 1
            elif (
                words[at] in _GLUE
                or (words[at] == "and" and reached and word != "not" and at + 1 in by_first)
                or (words[at] == "," and reached and _list_ends_in_or(words, at, by_first))
            ):
                at += 1
            else:
                break


def _list_ends_in_or(words: list[str], at: int, by_first: dict[int, Hit]) -> bool:
    while at < len(words):
        if words[at] in ("or", "nor"):
            return True
        if at in by_first:
            at = by_first[at].last + 1
        elif words[at] == "," or words[at] in _GLUE:
            at += 1
        else:
            return False
    return False


def _record(reader: Reader, hit: Hit, words: list[str], hits: list[Hit]) -> None:
    senses = lexicon()[_tokens(hit.phrase)]
    meanings = []
    for sense in senses:
        meaning = (
            _NEGATIVE[sense.kind](reader, sense, hit)
            if hit.negated
            else _POSITIVE[sense.kind](reader, sense, hit, words)
        )
        if meaning:
            meanings.append(meaning)
    if senses[0].kind == "ensemble" and not hit.negated:  # "jazz trio" names a genre too
        for word in hit.phrase.split():
            for sense in lexicon().get((word,), []):
                if sense.kind == "genre" and word != "orchestral":
                    meanings.append(_POSITIVE["genre"](reader, sense, hit, words))
    reader.claim(hit.start, hit.end, "; ".join(dict.fromkeys(meanings)) or None)


def _instrument(reader: Reader, sense: Sense, hit: Hit, words: list[str]) -> str:
    programs: tuple[int, ...] = sense.value  # type: ignore[assignment]
    reader.found.setdefault("instruments", []).extend(programs)
    start = hit.first - 1 if words[hit.first - 1 : hit.first] in (["a"], ["the"]) and hit.first > 1 else hit.first
    before, after = words[max(0, start - 2) : start], words[hit.last + 1 : hit.last + 2]
    is_solo = (
        bool(after) and after[0] in ("solo", "unaccompanied") and words[hit.last + 2 : hit.last + 3] not in _ACCOMPANIED
    )
    if before == ["nothing", "but"] or before[-1:] in _SOLO_BEFORE or after in (["alone"], ["only"]) or is_solo:
        reader.put("only", True)
        return f"only {_names(programs)}"
    return _names(programs)


def _names(programs: tuple[int, ...]) -> str:
    from orchestrion.analysis.instruments import instrument_name

    noun = "instrument" if len(programs) == 1 else "instruments"
    return f"{noun} " + ", ".join(dict.fromkeys(instrument_name(p) for p in programs))


def _exclude(reader: Reader, sense: Sense, hit: Hit) -> str:
    programs: tuple[int, ...] = sense.value  # type: ignore[assignment]
    low, high = known.FAMILIES.get(hit.phrase, known.FAMILIES.get(hit.phrase.removesuffix("s"), (1, 0)))
    family = {p for q in programs for p in _kin(q)} | set(range(low, high + 1))
    reader.found.setdefault("excluded", []).extend(sorted(family))
    return f"without {_names(programs)}"


def _kin(program: int) -> tuple[int, ...]:
    """Programs a listener would call by the same word: no piano means no bright piano either."""
    for low, high in (
        (0, 3),
        (4, 5),
        (16, 20),
        (24, 25),
        (26, 31),
        (32, 39),
        (44, 45),
        (48, 51),
        (52, 54),
        (61, 63),
        (64, 67),
        (80, 87),
        (88, 95),
    ):
        if low <= program <= high:
            return tuple(range(low, high + 1))
    return (program,)


def _append(name: str):  # type: ignore[no-untyped-def]
    def record(reader: Reader, sense: Sense, hit: Hit, words: list[str]) -> str:
        reader.found.setdefault(name + "s", []).append(sense.value)
        return f"{name} {sense.value}"

    return record


def _era(reader: Reader, sense: Sense, hit: Hit, words: list[str]) -> str:
    reader.put("era", sense.value)
    return f"era {sense.value}"


def _tempo(reader: Reader, sense: Sense, hit: Hit, words: list[str]) -> str:
    low, high = sense.value  # type: ignore[misc]
    reader.put("tempo_range", (low, high))
    return f"tempo {low:g} to {high:g} bpm"


def _not_tempo(reader: Reader, sense: Sense, hit: Hit) -> str:
    low, high = sense.value  # type: ignore[misc]
    low, high = (80.0, 120.0) if low >= 110 else (90.0, 130.0) if high <= 90 else (50.0, 80.0)
    reader.put("tempo_range", (low, high))
    return f"tempo {low:g} to {high:g} bpm"


def _scene(reader: Reader, sense: Sense, hit: Hit, words: list[str]) -> str | None:
    hints: dict[str, str] = sense.value  # type: ignore[assignment]
    for name, value in hints.items():
        if name == "tempo":
            low, high = value.split("-")
            reader.suggest("tempo_range", (float(low), float(high)))
        elif name == "metre":
            numerator, denominator = value.split("/")
            reader.suggest("metre", (int(numerator), int(denominator)))
        elif name == "instruments":
            reader.suggest("instruments", tuple(int(p) for p in value.split()))
        else:
            reader.suggest(name, value)
    return "suggests " + ", ".join(_hint(name, value) for name, value in hints.items())


def _hint(name: str, value: str) -> str:
    if name == "instruments":
        return _names(tuple(int(p) for p in value.split()))
    return f"{name} {value}" + (" bpm" if name == "tempo" else "")


_POSITIVE = {
    "instrument": _instrument,
    "ensemble": _instrument,
    "genre": _append("genre"),
    "mood": _append("mood"),
    "era": _era,
    "tempo": _tempo,
    "scene": _scene,
}
_NEGATIVE = {
    "instrument": _exclude,
    "ensemble": _exclude,
    "genre": lambda reader, sense, hit: f"not {sense.value}",
    "mood": lambda reader, sense, hit: f"not {sense.value}",
    "era": lambda reader, sense, hit: f"not {sense.value}",
    "tempo": _not_tempo,
    "scene": lambda reader, sense, hit: None,
}
