"""Arrangements as short token sequences: a plan, then bars of roles, with repeats written as one token.

A REMI-like stream (Huang & Yang 2020) made compact enough to learn on a laptop. It begins with the plan (genre, metre,
tempo, key, and for every role its program and loudness) and goes on bar by bar: bars left, chords, then each role's
events. What a role played `k` bars before is written as one `Repeat` token; an event that begins where the one before
it ended needs no position. Pitches are written as if the tonic were C (major) or A (minor): the key is in the plan,
and decoding transposes.

Time is an integer grid of `GRID` = 12 steps a quarter note, which holds sixteenths and triplets exactly.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from orchestrion.theory.chords import Chord
from orchestrion.theory.keys import Key

GRID = 12  # steps a quarter note: the least common multiple of sixteenths (4) and eighth triplets (3)
ROLES = ("melody", "counter", "line", "chords", "pad", "bass", "drums")
METRES = ((4, 4), (3, 4), (2, 4), (6, 8), (12, 8), (9, 8), (5, 4), (2, 2), (3, 8), (7, 8), (6, 4), (3, 2))
MAX_BAR = 72  # steps in the longest metre above, 12/8 and 6/4
DURATIONS = (
    1,
    2,
    3,
    4,
    5,
    6,
    8,
    9,
    10,
    12,
    14,
    15,
    16,
    18,
    20,
    21,
    24,
    28,
    30,
    33,
    36,
    42,
    45,
    48,
    54,
    60,
    72,
    96,
    144,
)
REPEATS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 24)
TEMPOS = tuple(round(40 * 1.06**i) for i in range(31))  # bpm, 6 % apart: less than listeners notice, 40 to 230
LEVELS = (28, 40, 52, 62, 72, 82, 92, 104)  # mean velocity of a role
MAX_BARS_LEFT = 48
CHORD_QUALITIES = ("maj", "min", "dim", "aug", "7", "maj7", "min7", "hdim7", "sus4")
PITCHES = range(24, 104)
DRUMS = range(35, 82)  # the General MIDI percussion keys
MAX_NOTES = {"melody": 2, "counter": 2, "line": 2, "chords": 6, "pad": 6, "bass": 2, "drums": 6}  # at once, by role
UNKNOWN_GENRE = "other"


@dataclass(frozen=True, slots=True)
class Event:
    """Notes of one role that begin together and last equally long. `position` counts grid steps from the bar line."""

    position: int
    pitches: tuple[int, ...]
    duration: int


@dataclass(frozen=True, slots=True)
class Part:
    """Who plays a role: General MIDI program (128 = drum kit) and mean velocity."""

    role: str
    program: int
    level: int


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: chords as (position, chord) and the events of every role, pitches relative to a C or A minor tonic."""

    chords: tuple[tuple[int, Chord], ...]
    events: dict[str, tuple[Event, ...]]


@dataclass(slots=True)
class Arrangement:
    """A piece in one metre and tempo. `bars` hold pitches as if in C major or A minor; `key` is where it sounds."""

    genre: str
    metre: tuple[int, int]
    tempo: float  # quarter notes a minute
    key: Key
    parts: tuple[Part, ...]
    bars: list[Bar] = field(default_factory=list)

    @property
    def bar_length(self) -> int:
        """Grid steps in a bar."""
        return bar_length(self.metre)


def bar_length(metre: tuple[int, int]) -> int:
    """Grid steps in a bar of `metre`."""
    numerator, denominator = metre
    return numerator * 4 * GRID // denominator


def normalising_shift(key: Key) -> int:
    """Semitones, −6 to 5, that bring `key` to C major or A minor."""
    home = 0 if key.mode == "major" else 9
    return (home - key.tonic + 6) % 12 - 6


def nearest(values: tuple[int, ...], value: float) -> int:
    """Index of the entry of `values` closest to `value`."""
    return min(range(len(values)), key=lambda i: abs(values[i] - value))


class ArrangementVocabulary:
    """Token names and ids. `genres` are the names known to the plan; ids depend on their order.

    Names are `Kind_value`; `first[kind]` and `count[kind]` give each kind's contiguous range of ids.
    """

    def __init__(self, genres: tuple[str, ...]) -> None:
        self.genres = genres
        kinds: dict[str, list[str]] = {
            "Special": ["PAD", "BOS", "EOS"],
            "Genre": [*genres, UNKNOWN_GENRE] if UNKNOWN_GENRE not in genres else list(genres),
            "Metre": [f"{n}/{d}" for n, d in METRES],
            "Tempo": [str(t) for t in TEMPOS],
            "Key": [str(Key(tonic, mode)) for mode in ("major", "minor") for tonic in range(12)],
            "Role": list(ROLES),
            "Program": [str(p) for p in range(129)],
            "Level": [str(v) for v in LEVELS],
            "Left": [str(n) for n in range(1, MAX_BARS_LEFT + 1)],
            "Chord": ["N", *(Chord(r, q).harte() for q in CHORD_QUALITIES for r in range(12))],
            "Repeat": [str(k) for k in REPEATS],
            "Rest": ["bar"],
            "Position": [str(p) for p in range(MAX_BAR)],
            "Pitch": [str(p) for p in PITCHES],
            "Drum": [str(p) for p in DRUMS],
            "Duration": [str(d) for d in DURATIONS],
        }
        self.first: dict[str, int] = {}
        self.count: dict[str, int] = {}
        self.names: list[str] = []
        for kind, values in kinds.items():
            self.first[kind], self.count[kind] = len(self.names), len(values)
            self.names += [f"{kind}_{value}" for value in values]
        self.ids = {name: i for i, name in enumerate(self.names)}

    pad, bos, eos = 0, 1, 2

    def __len__(self) -> int:
        return len(self.names)

    def kind(self, token: int) -> str:
        """The kind of a token id."""
        return self._kinds[token]

    def value(self, token: int) -> int:
        """Index of a token inside its kind."""
        return token - self.first[self._kinds[token]]

    def token(self, kind: str, index: int) -> int:
        """Id of entry `index` of `kind`."""
        if not 0 <= index < self.count[kind]:
            raise ValueError(f"{kind} has no entry {index}")
        return self.first[kind] + index

    @cached_property
    def _kinds(self) -> list[str]:
        return [name.partition("_")[0] for name in self.names]

    def genre(self, name: str) -> int:
        """Token of a genre; names that are not in the vocabulary share one."""
        return self.ids.get(f"Genre_{name}", self.ids[f"Genre_{UNKNOWN_GENRE}"])

    def chord(self, chord: Chord) -> int:
        """Token of a chord, after the reduction of its quality to the nine of the vocabulary."""
        if chord.root is None:
            return self.first["Chord"]
        quality = reduce_quality(chord.quality)
        return self.token("Chord", 1 + 12 * CHORD_QUALITIES.index(quality) + chord.root)

    def to_chord(self, token: int) -> Chord:
        """The chord of a token."""
        index = self.value(token)
        if index == 0:
            return Chord(None, "N")
        return Chord((index - 1) % 12, CHORD_QUALITIES[(index - 1) // 12])


def reduce_quality(quality: str) -> str:
    """The nearest of the nine chord qualities of the vocabulary: triads and sevenths stay, colours go."""
    if quality in CHORD_QUALITIES:
        return quality
    table = {
        "maj6": "maj", "maj9": "maj7", "maj11": "maj7", "maj13": "maj7", "min6": "min", "minmaj7": "min",
        "min9": "min7", "min11": "min7", "min13": "min7", "9": "7", "11": "7", "13": "7", "dim7": "dim", "sus2": "sus4",
        "5": "maj", "1": "maj",
    }  # fmt: skip
    return table.get(quality, "min" if quality.startswith("min") else "maj")


def encode(arrangement: Arrangement, vocabulary: ArrangementVocabulary) -> list[int]:
    """Tokens of an arrangement, from BOS to EOS."""
    return [
        vocabulary.bos,
        *encode_plan(arrangement, vocabulary),
        *_encode_bars(arrangement, vocabulary),
        vocabulary.eos,
    ]


def encode_plan(arrangement: Arrangement, vocabulary: ArrangementVocabulary) -> list[int]:
    """The tokens before the first bar: genre, metre, tempo, key, then role, program and level of every part."""
    v = vocabulary
    tokens = [
        v.genre(arrangement.genre),
        v.token("Metre", METRES.index(arrangement.metre)),
        v.token("Tempo", nearest(TEMPOS, arrangement.tempo)),
        v.ids[f"Key_{arrangement.key}"],
    ]
    for part in arrangement.parts:
        tokens += [v.ids[f"Role_{part.role}"], v.token("Program", part.program)]
        tokens += [v.token("Level", nearest(LEVELS, part.level))]
    return tokens


def _encode_bars(arrangement: Arrangement, v: ArrangementVocabulary) -> Iterator[int]:
    bars = arrangement.bars
    for index, bar in enumerate(bars):
        yield v.token("Left", min(len(bars) - index, MAX_BARS_LEFT) - 1)
        back = _repeat([b.chords for b in bars], index)
        if back is not None:
            yield v.token("Repeat", back)
        else:
            for position, chord in bar.chords:
                if position:
                    yield v.token("Position", position)
                yield v.chord(chord)
        for part in arrangement.parts:
            events = bar.events.get(part.role, ())
            yield v.ids[f"Role_{part.role}"]
            if not events:
                yield v.first["Rest"]
                continue
            back = _repeat([b.events.get(part.role, ()) for b in bars], index)
            if back is not None:
                yield v.token("Repeat", back)
            else:
                yield from _encode_events(events, part.role == "drums", v)


def _repeat(contents: list, index: int) -> int | None:
    """Index into `REPEATS` of the nearest earlier bar with the same non-empty content."""
    for i, back in enumerate(REPEATS):
        if back > index:
            return None
        if contents[index] and contents[index - back] == contents[index]:
            return i
    return None


def _encode_events(events: tuple[Event, ...], drums: bool, v: ArrangementVocabulary) -> Iterator[int]:
    cursor = 0
    for event in events:
        if event.position != cursor:
            yield v.token("Position", event.position)
        if drums:
            cursor = -1  # percussion has no length: every later hit names its position
            yield from (v.token("Drum", pitch - DRUMS.start) for pitch in event.pitches)
        else:
            cursor = event.position + event.duration
            yield from (v.token("Pitch", pitch - PITCHES.start) for pitch in event.pitches)
            yield v.token("Duration", DURATIONS.index(event.duration))


def decode(tokens: list[int], vocabulary: ArrangementVocabulary) -> Arrangement:
    """The arrangement written by `tokens` (BOS and EOS optional).

    Raises:
        ValueError: the plan is not complete or a repeat reaches before the first bar.
    """
    v = vocabulary
    stream = [t for t in tokens if t > v.eos]
    if [v.kind(t) for t in stream[:4]] != ["Genre", "Metre", "Tempo", "Key"]:
        raise ValueError("an arrangement begins with genre, metre, tempo and key")
    genre, metre, tempo = (v.names[t].partition("_")[2] for t in stream[:3])
    key = Key.parse(v.names[stream[3]].partition("_")[2])
    at, parts = 4, []
    while at + 2 < len(stream) and v.kind(stream[at]) == "Role" and v.kind(stream[at + 1]) == "Program":
        role, program, level = (v.value(t) for t in stream[at : at + 3])
        parts.append(Part(ROLES[role], program, LEVELS[level]))
        at += 3
    numerator, denominator = map(int, metre.split("/"))
    arrangement = Arrangement(genre, (numerator, denominator), float(tempo), key, tuple(parts))
    for bar_tokens in _split(stream[at:], v, "Left"):
        arrangement.bars.append(_decode_bar(bar_tokens[1:], arrangement.bars, v))
    return arrangement


def _split(stream: list[int], v: ArrangementVocabulary, kind: str) -> Iterator[list[int]]:
    starts = [i for i, t in enumerate(stream) if v.kind(t) == kind]
    for start, end in itertools.pairwise([*starts, len(stream)]):
        yield stream[start:end]


def _decode_bar(tokens: list[int], before: list[Bar], v: ArrangementVocabulary) -> Bar:
    first_role = next((i for i, t in enumerate(tokens) if v.kind(t) == "Role"), len(tokens))
    chords: list[tuple[int, Chord]] = []
    position = 0
    for token in tokens[:first_role]:
        kind = v.kind(token)
        if kind == "Repeat":
            chords = list(_earlier(before, REPEATS[v.value(token)]).chords)
        elif kind == "Position":
            position = v.value(token)
        elif kind == "Chord":
            chords.append((position, v.to_chord(token)))
    events: dict[str, tuple[Event, ...]] = {}
    for role_tokens in _split(tokens[first_role:], v, "Role"):
        role = ROLES[v.value(role_tokens[0])]
        if len(role_tokens) > 1 and v.kind(role_tokens[1]) == "Repeat":
            events[role] = _earlier(before, REPEATS[v.value(role_tokens[1])]).events.get(role, ())
        else:
            events[role] = tuple(_decode_events(role_tokens[1:], v))
    return Bar(tuple(chords), events)


def _earlier(before: list[Bar], back: int) -> Bar:
    if back > len(before):
        raise ValueError(f"bar {len(before) + 1} repeats a bar before the first")
    return before[-back]


def _decode_events(tokens: list[int], v: ArrangementVocabulary) -> Iterator[Event]:
    cursor, position, pitches = 0, 0, []
    drums = False
    for token in [*tokens, v.eos]:
        kind, value = v.kind(token), v.value(token)
        if drums and pitches and kind != "Drum":
            yield Event(position, tuple(pitches), 1)
            pitches = []
        if kind == "Position":
            cursor = value
        elif kind == "Pitch" or kind == "Drum":
            position = cursor
            drums = kind == "Drum"
            pitches.append(value + (DRUMS if drums else PITCHES).start)
        elif kind == "Duration" and pitches:
            yield Event(position, tuple(pitches), DURATIONS[value])
            cursor, pitches = position + DURATIONS[value], []
