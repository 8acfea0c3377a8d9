"""Wishes in a prompt that notes alone cannot fulfil."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestrion.theory.vocabulary import COMPOSERS, ERAS, GENRES, INSTRUMENTS

if TYPE_CHECKING:
    from orchestrion.representations.prompt import Reader

_VOICE = re.compile(
    r"\b(?:female |male |soft |soulful |lead |backing |background |catchy |human |"
    r"soaring )*(?:vocals?|vocalists?|singers?|singing|sings?|"
    r"sung(?:\s+by\s+[a-z ]{1,30}?(?=[.,;]|$))?|lyrics?|rapp(?:er|ing)|rap|spoken[ -]word|"
    r"a cappella|acapella|yodel(?:l?ing)?|beatbox(?:ing)?|autotuned?)\b"
)
_SOUNDS = re.compile(
    r"\b(?:(?:sounds? of |the sound of )(?:the )?(?:rain|thunder|waves|wind|birds?|sea|ocean|"
    r"traffic|crowds?|fire|applause|water)\w*|(?:rain|waves?|ocean|bird|nature|crowd|city|"
    r"engine|animal)s? (?:sounds?|noises?)|sound effects?|sfx|birdsong|vinyl crackle|"
    r"tape hiss|thunderstorm sounds?|samples? from|sampled [a-z]+|record scratches|scratching|"
    r"turntables?)\b"
)
_PRODUCTION = re.compile(
    r"\b(?:reverb|echo effects?|delay effects?|auto-?tune|sidechain(?:ing| compression)?|"
    r"fade[sd]?[ -](?:out|in)|stereo panning|low-pass filter|mastered|mp3|432 ?hz|microtonal|"
    r"quarter[ -]tones?)\b"
)
_CHANGES = re.compile(
    r"\b(?:(?:key|tempo|metre|meter|time signature) changes?|modulat(?:es?|ing|ion)(?: (?:to|"
    r"into) [a-g][a-z -]{0,12})?|accelerando|ritardando|rubato|speeds? up|slows? down|"
    r"gets? (?:faster|slower))\b"
)
_STYLE = re.compile(
    r"\b(?:in the (?:style|manner|vein|spirit) of|à la|a la|sound(?:s|ing)? like|written by|"
    r"composed by|inspired by|reminiscent of|similar to|like(?= [A-Z])|"
    r"by(?= [A-Z]))\s+(?:an?\s+|the\s+)?((?:[^\W\d_]|['&.-])+(?:\s+(?:[^\W\d_]|['&.-])+){0,3})"
)
_NEGATED = re.compile(
    r"\b(?:no|without|not|minus|free of|don't want|do not want|any)"
    r"(?:\s+(?:any|a|the|use|add|include|need|\w+ (?:or|nor|and)|\w+,))*\s*$"
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
