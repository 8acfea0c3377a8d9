"""Sentences about a piece, drawn from patterns: what each says, in how many ways, in what order, with what left out.

A pattern names its facts in braces. `{subject}` and the like are worded anew at every use, so one pattern gives
hundreds of sentences. Facts that are not known are never mentioned.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from functools import lru_cache

from orchestrion.data import caption_words as words
from orchestrion.data.caption_facts import Facts

# One phrase, as people type it: "a slow waltz in D minor for flute and strings".
PROMPTS = """
{a_subject} in {key} for {instruments}
{a_tempo_subject} in {key} for {instruments}
{a_mood_subject} with {instruments} in {key}
{a_mood_subject} for {instruments}, {metre}, {bpm}
{a_subject} at {bpm} in {key} with {instruments}
{tempo_subject} in {metre}, {key}, {instruments}
{a_mood_tempo_subject} in {metre} for {instruments}
{a_mood_tempo_subject} in {key}, {metre} time
{instruments} playing {a_mood_subject} in {key}
{instruments} playing {a_tempo_subject}
{genre_adjective}, {key}, {bpm}, {metre}, {instruments}
{mood}, {tempo_adjective}, {instruments}, {key}
{instruments}; {key}; {bpm}; {metre}
write {a_mood_subject} for {instruments} in {key}
compose {a_tempo_subject} for {instruments}
make me {a_mood_subject} in {metre} at {bpm} with {instruments}
I want {a_mood_tempo_subject} with {instruments}
please give me {a_subject} in {key} played by {instruments}
{a_bars_subject} in {key} for {instruments}
{a_subject} for {instruments}, {tempo_italian}, {metre}
{a_mood_subject}
{a_tempo_subject}
{a_subject}
{a_subject} for {instruments}
{a_subject} in {key}
{mood} music for {instruments}
{a_key_subject} with {instruments} at {bpm}
{a_subject} with {instruments} at a {tempo_adjective} tempo
{a_subject} featuring {instruments}, in {key} and {metre} at {bpm}
"""

# Whole sentences, by what they are for. Each may open a caption if it is an opening, and follow if it is not.
OPENINGS = """
This is {a_subject}.
{A_subject} for {instruments}.
This is {a_mood_subject}.
{A_mood_tempo_subject} in {key}.
{A_subject} in {key} with a {mood} feel.
{A_tempo_subject} performed by {instruments}.
{A_mood_subject} featuring {instruments}.
Here is {a_subject} that sounds {mood}.
The piece is {a_mood_subject} for {instruments}.
{A_subject} set in {key} and {metre} time.
{A_mood_tempo_subject} with {instruments}.
An instrumental {subject} with a {mood} character.
{A_mood_subject} that moves at a {tempo_adjective} {bpm}.
{A_subject} in {metre} led by {first_instrument}.
{First_instrument} leads this {mood} {subject}.
{Instruments} perform {a_subject} in {key}.
{A_subject}, {mood} in mood, at {bpm}.
"""
FOLLOWING = """
It is written in {key}.
It is in {key} with a {metre} time signature.
The key is {key}.
The music is in the key of {key}.
Set in {key}, it has a {mood} atmosphere.
The tempo is {bpm}.
It moves at a {tempo_adjective} tempo of {bpm}.
The pace is {tempo_adjective}, around {bpm}.
It is played {tempo_italian}, at {bpm}.
The tempo marking is {tempo_italian}.
The {tempo_adjective} tempo suits the {mood} mood.
The time signature is {metre}.
It has a {metre} metre and a tempo of {bpm}.
With a {metre} time signature and a tempo of {bpm}, it stays {mood} throughout.
It is counted in {metre}.
The instruments are {instruments}.
It features {instruments}.
{Instruments} can be heard.
The instrumentation consists of {instruments}.
{First_instrument} carries the melody, joined by {other_instruments}.
The melody is played by {first_instrument}, with {other_instruments} in support.
{Other_instruments} accompany the {first_instrument}.
The arrangement brings together {instruments}.
The mood is {mood}.
The overall feeling is {mood}.
It sounds {mood} and has {a_genre_adjective} flavour.
It evokes a {mood} atmosphere.
The harmony runs {chords}.
The chord progression {chords} comes back again and again.
Its chords include {chords_once}.
The chord sequence {chords} repeats throughout.
It lasts {seconds}.
The whole piece takes about {seconds}.
It is {bars} long.
The form takes {bars}.
Written in {key} and {metre}, it moves at {bpm}.
"""
FREE = frozenset(
    {"genre", "others", "repeats", "lead"}
)  # conditions of patterns rather than facts that want to be said
_FORMATTER = string.Formatter()


@lru_cache(maxsize=8)
def patterns(table: str) -> tuple[tuple[str, tuple[str, ...], frozenset[str]], ...]:
    """The lines of a table with their fields and the facts these need."""
    result = []
    for line in table.strip().splitlines():
        fields = tuple(name for _, name, _, _ in _FORMATTER.parse(line) if name)
        result.append((line, fields, frozenset(fact for name in fields for fact in NEEDS[name.lower()])))
    return tuple(result)


NEEDS: dict[str, tuple[str, ...]] = {
    "subject": ("genre",),
    "a_subject": ("genre",),
    "a_tempo_subject": ("genre", "tempo"),
    "tempo_subject": ("genre", "tempo"),
    "a_mood_subject": ("genre", "mood"),
    "a_mood_tempo_subject": ("genre", "mood", "tempo"),
    "a_key_subject": ("genre", "key"),
    "a_bars_subject": ("genre", "bars"),
    "key": ("key",),
    "bpm": ("tempo",),
    "tempo_adjective": ("tempo",),
    "tempo_italian": ("tempo",),
    "metre": ("metre",),
    "instruments": ("instruments",),
    "first_instrument": ("lead",),
    "other_instruments": ("instruments", "others"),
    "mood": ("mood",),
    "genre_adjective": ("genre",),
    "a_genre_adjective": ("genre",),
    "chords": ("chords", "repeats"),
    "chords_once": ("chords",),
    "bars": ("bars",),
    "seconds": ("seconds",),
}


def available(facts: Facts, *, without: frozenset[str] = frozenset()) -> frozenset[str]:
    """Names of the facts that may be mentioned. A subject may leave its genre out, so that is always there."""
    known = {"genre"}
    for name in ("key", "tempo", "metre", "instruments", "mood", "bars", "seconds", "chords"):
        if getattr(facts, "moods" if name == "mood" else name):
            known.add(name)
    if facts.instruments:
        known.add("lead")
    if len(facts.instruments) > 1:
        known.add("others")
    if facts.chord_count >= 10:  # the note's rule: no claim of repetition below ten occurrences
        known.add("repeats")
    return frozenset(known) - without


def fill(pattern: str, fields: tuple[str, ...], facts: Facts, rng: random.Random) -> str:
    """The pattern with its fields worded."""
    return pattern.format(**{name: _word(name, facts, rng) for name in fields})


def _word(name: str, facts: Facts, rng: random.Random) -> str:
    capital = name[0].isupper()
    text = _WORDINGS[name.lower()](facts, rng)
    return text[0].upper() + text[1:] if capital else text


def _subject(facts: Facts, rng: random.Random, *, mood: bool = False, tempo: bool = False) -> str:
    genre = rng.choice(facts.genres[:2]) if facts.genres and rng.random() < 0.8 else None
    adjectives = []
    if mood:
        adjectives.append(words.mood(rng.choice(facts.moods), rng))
    if tempo:
        adjectives.append(words.tempo_adjective(facts.tempo or 120.0, rng))
    rng.shuffle(adjectives)
    return " ".join(
        ([(", " if rng.random() < 0.4 else " ").join(adjectives)] if adjectives else []) + [words.subject(genre, rng)]
    )


def _instruments(facts: Facts, rng: random.Random, programs: tuple[int, ...] | None = None) -> str:
    programs = facts.instruments if programs is None else programs
    names = list(dict.fromkeys(words.instrument(p, rng) for p in programs))
    if programs is facts.instruments:
        if len(names) == 1 and rng.random() < 0.4:
            return rng.choice(("solo ", "only ")) + names[0]
        if rng.random() < 0.4:
            rng.shuffle(names)
    return words.join(names, rng)


def _chords(facts: Facts, rng: random.Random) -> str:
    return rng.choice((", ", " - ", " ")).join(facts.chords)


_WORDINGS: dict[str, Callable[[Facts, random.Random], str]] = {
    "subject": _subject,
    "a_subject": lambda f, r: words.a(_subject(f, r)),
    "tempo_subject": lambda f, r: _subject(f, r, tempo=True),
    "a_tempo_subject": lambda f, r: words.a(_subject(f, r, tempo=True)),
    "a_mood_subject": lambda f, r: words.a(_subject(f, r, mood=True)),
    "a_mood_tempo_subject": lambda f, r: words.a(_subject(f, r, mood=True, tempo=True)),
    "a_key_subject": lambda f, r: words.a(f"{words.key(f.key, r)} {_subject(f, r)}") if f.key else "",
    "a_bars_subject": lambda f, r: words.a(f"{f.bars}-bar {_subject(f, r)}"),
    "key": lambda f, r: words.key(f.key, r) if f.key else "",
    "bpm": lambda f, r: words.bpm(f.tempo or 120.0, r),
    "tempo_adjective": lambda f, r: words.tempo_adjective(f.tempo or 120.0, r, before_noun=False),
    "tempo_italian": lambda f, r: words.tempo_italian(f.tempo or 120.0),
    "metre": lambda f, r: words.metre(f.metre, r) if f.metre else "",
    "instruments": _instruments,
    "first_instrument": lambda f, r: words.instrument(f.instruments[0], r),
    "other_instruments": lambda f, r: _instruments(f, r, f.instruments[1:]),
    "mood": lambda f, r: words.mood(r.choice(f.moods), r),
    "genre_adjective": lambda f, r: words.genre_adjective(r.choice(f.genres[:2]), r) if f.genres else "instrumental",
    "a_genre_adjective": lambda f, r: words.a(
        words.genre_adjective(r.choice(f.genres[:2]), r) if f.genres else "particular"
    ),
    "chords": _chords,
    "chords_once": _chords,
    "bars": lambda f, r: words.bars(f.bars or 0, r),
    "seconds": lambda f, r: words.seconds(f.seconds or 0.0, r),
}
