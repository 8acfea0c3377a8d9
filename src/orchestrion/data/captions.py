"""Captions of pieces: the offline writer, dropping of sentences, and the check of a caption against the facts."""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from orchestrion.analysis.instruments import DRUMS
from orchestrion.data import caption_grammar as grammar
from orchestrion.data.caption_facts import Facts, facts_of_piece
from orchestrion.errors import OptionError

if TYPE_CHECKING:
    from orchestrion.data.piece import Piece

Style = Literal["any", "prompt", "sentences"]
STYLES = ("any", "prompt", "sentences")
MOST_SENTENCES = 7


@dataclass(frozen=True, slots=True)
class Caption:
    """A text, and which fields of the grammar it says: "key", "bpm", "instruments", "metre", "bars" …"""

    text: str
    fields: frozenset[str]


class CaptionWriter(Protocol):
    """Whatever puts facts into words."""

    def write(self, facts: Facts, rng: random.Random) -> str:
        """A caption that says nothing but `facts`."""
        ...


class GrammarWriter:
    """Writes from patterns, offline, some thousands of captions a second.

    Args:
        style: "prompt" for one phrase as people type it, "sentences" for one to seven sentences, "any" for a mixture.
        thorough: mention every fact that is known, as a description should; otherwise facts are left out at random.
    """

    def __init__(self, *, style: Style = "any", thorough: bool = False) -> None:
        if style not in STYLES:
            raise OptionError(f"There is no caption style {style!r}: choose one of {', '.join(STYLES)}.")
        self.style = style
        self.thorough = thorough

    def write(self, facts: Facts, rng: random.Random) -> str:
        """A caption of `facts`, worded at random."""
        return self.compose(facts, rng).text

    def compose(self, facts: Facts, rng: random.Random) -> Caption:
        """The same, with what it says."""
        if self.thorough:
            return _everything(facts, rng)
        style = self.style if self.style != "any" else ("prompt" if rng.random() < 0.5 else "sentences")
        known = grammar.available(facts)
        if style == "prompt":
            return _prompt(facts, known, rng)
        left_out = frozenset(name for name in sorted(known) if rng.random() < 0.2 and name not in grammar.FREE)
        return _sentences(facts, known - left_out, rng, most=rng.randint(1, MOST_SENTENCES))


def caption_piece(piece: Piece, rng: random.Random, style: Style = "any") -> str:
    """A caption from the labels of a piece of the corpus (see `facts_of_piece`)."""
    return GrammarWriter(style=style).write(facts_of_piece(piece), rng)


def _prompt(facts: Facts, known: frozenset[str], rng: random.Random) -> Caption:
    fitting = [p for p in grammar.patterns(grammar.PROMPTS) if p[2] <= known]
    pattern, fields, said = rng.choice(fitting)
    text, told = grammar.fill(pattern, fields, facts, rng), set(fields)
    extras = [name for name in ("metre", "tempo", "key", "bars") if name in known - said]
    for name in extras:
        if rng.random() < 0.25:
            text += _EXTRA[name](facts, rng)
            told.add("bpm" if name == "tempo" else name)
    if facts.instruments and DRUMS not in facts.instruments and rng.random() < 0.08:
        text += rng.choice((", no drums", " without drums", ", no percussion", " without a drum kit"))
    case = rng.random()
    if case < 0.4:
        text = text[0].upper() + text[1:]
    return Caption(text + "." if rng.random() < 0.2 else text, _lower(told))


def _lower(fields: set[str]) -> frozenset[str]:
    return frozenset(name.lower() for name in fields)


_EXTRA = {
    "metre": lambda f, r: r.choice((", {}", ", in {}", ", {} time")).format(f"{f.metre[0]}/{f.metre[1]}"),
    "tempo": lambda f, r: r.choice((", {}", " at {}", ", tempo {}")).format(grammar.words.bpm(f.tempo, r)),
    "key": lambda f, r: r.choice((", in {}", ", key of {}", ", {}")).format(grammar.words.key(f.key, r)),
    "bars": lambda f, r: r.choice((", {}", ", {} long")).format(grammar.words.bars(f.bars, r)),
}


def _sentences(facts: Facts, known: frozenset[str], rng: random.Random, *, most: int) -> Caption:
    """Sentences whose facts overlap little, an opening first, until all is said or `most` are written."""
    left = set(known) - grammar.FREE
    openings = [p for p in grammar.patterns(grammar.OPENINGS) if p[2] <= known]
    following = [p for p in grammar.patterns(grammar.FOLLOWING) if p[2] <= known]
    rng.shuffle(following)
    pattern, fields, said = rng.choice(openings)
    text, told = [grammar.fill(pattern, fields, facts, rng)], set(fields)
    left -= said
    for pattern, fields, said in following:
        if len(text) >= most or not left:
            break
        new = said & left
        if new and len((said - left) - grammar.FREE) <= (rng.random() < 0.3):
            text.append(grammar.fill(pattern, fields, facts, rng))
            told |= set(fields)
            left -= said
    return Caption(" ".join(text), _lower(told))


def _everything(facts: Facts, rng: random.Random) -> Caption:
    """Sentences that together mention every fact that is known, at most seven if the patterns allow."""
    known = grammar.available(facts)
    left = set(known) - grammar.FREE
    openings = [p for p in grammar.patterns(grammar.OPENINGS) if p[2] <= known]
    following = [p for p in grammar.patterns(grammar.FOLLOWING) if p[2] <= known]
    pattern, fields, said = rng.choice(openings)
    text, told, left = [grammar.fill(pattern, fields, facts, rng)], set(fields), left - said
    while left:
        rng.shuffle(following)
        pattern, fields, said = max(
            following, key=lambda p: (len(p[2] & left) - 1.5 * len(p[2] - left - grammar.FREE)) if p[2] & left else -99
        )
        text.append(grammar.fill(pattern, fields, facts, rng))
        told |= set(fields)
        left -= said
    caption = " ".join(text)
    if facts.genres and not grammar.words.names_genre(caption, facts.genres):
        caption += f" Its style is {facts.genres[0]}."
    return Caption(caption, _lower(told))


def split_sentences(caption: str) -> list[str]:
    """Sentences of a caption; the point in "2.5" or "b.p.m." ends none."""
    return [part for part in re.split(r"(?<=[.!?])\s+(?=[A-Z0-9\"'])", caption.strip()) if part]


def drop_sentences(caption: str, rng: random.Random, *, probability: float = 0.5) -> str:
    """Text2midi's augmentation: with `probability`, 20–50 % of the sentences are left out, at random (arXiv
    2412.16526).

    The number is rounded up from four sentences on, down below; at least one sentence stays.
    """
    sentences = split_sentences(caption)
    if rng.random() >= probability or len(sentences) < 2:
        return caption
    share = rng.uniform(0.2, 0.5) * len(sentences)
    count = min(math.ceil(share) if len(sentences) >= 4 else math.floor(share), len(sentences) - 1)
    dropped = set(rng.sample(range(len(sentences)), count))
    return " ".join(sentence for i, sentence in enumerate(sentences) if i not in dropped)
