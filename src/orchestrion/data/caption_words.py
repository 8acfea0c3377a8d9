"""The wordings a caption chooses from: one fact, many ways to say it."""

from __future__ import annotations

import random
from collections import defaultdict
from functools import lru_cache

from orchestrion.analysis.instruments import instrument_name
from orchestrion.theory.keys import Key
from orchestrion.theory.vocabulary import INSTRUMENTS, MOODS, NUMBERS

SPELLED_OUT = 16  # the largest number that captions write in letters

# genre: adjectives | nouns. An adjective goes before a plain noun ("a jazzy tune"), a noun stands alone ("a waltz").
_GENRES = {
    line.split(":")[0]: tuple(
        tuple(w.strip() for w in part.split(",") if w.strip()) for part in line.split(":")[1].split("|")
    )
    for line in """
classical: classical, classical-style | classical piece, piece of classical music
baroque: baroque, baroque-style | baroque piece
chorale: chorale-style, hymn-like | chorale, hymn
jazz: jazz, jazzy | jazz tune, jazz number, piece of jazz
swing: swing, swinging | swing tune, swing number
blues: blues, bluesy | blues, blues tune, blues number
rock: rock | rock song, rock tune, rock number
metal: metal, heavy metal | metal track
pop: pop | pop song, pop tune
ballad: ballad-like | ballad
folk: folk, folky, traditional | folk song, folk tune
country: country | country song, country tune
latin: latin, Latin | latin number, Latin tune, Latin American tune
bossa nova: bossa nova, bossa | bossa nova
samba: samba | samba
tango: tango | tango
reggae: reggae | reggae tune, reggae song
funk: funk, funky | funk tune, funk groove
soul: soul, soulful | soul song, soul number
disco: disco | disco track, disco tune
electronic: electronic | electronic track, piece of electronic music
hip hop: hip hop, hip-hop | hip hop track
ambient: ambient | ambient piece
march: marching, march-like | march
waltz: waltz | waltz
polka: polka | polka
ragtime: ragtime | ragtime, rag, ragtime piece
lullaby: lullaby-like | lullaby, cradle song
soundtrack: cinematic, soundtrack | soundtrack piece, piece of film music
children: children's | children's song
christmas: Christmas | Christmas carol, Christmas song
world: world music | world music piece
""".strip().splitlines()
}
# where the table of MidiCaps says "Piano" and a listener would not
_PLAIN = {2: "electric grand piano", 4: "electric piano", 5: "electric piano"}
_NOUNS = ("piece", "tune", "song", "track", "composition", "number", "instrumental", "piece of music", "melody")
_KEY_SPELLINGS = {1: ("Db", "C#"), 3: ("Eb", "D#"), 6: ("F#", "Gb"), 8: ("Ab", "G#"), 10: ("Bb", "A#")}
_METRE_WORDS = {
    (3, 4): ("three-four", "waltz time", "triple time"),
    (4, 4): ("four-four", "common time"),
    (6, 8): ("six-eight",),
    (2, 4): ("two-four",),
    (5, 4): ("five-four",),
    (12, 8): ("twelve-eight",),
    (9, 8): ("nine-eight",),
    (7, 8): ("seven-eight",),
    (2, 2): ("cut time",),
}
_TEMPO_NOUNS = frozenset(
    [
        "slow tempo",
        "walking pace",
        "walking tempo",
        "moderate tempo",
        "moderate speed",
        "medium tempo",
        "moderate pace",
        "fast tempo",
        "quick tempo",
        "comfortable tempo",
    ]
)
_PLAIN_TEMPO = {
    (50.0, 80.0): ("slow", "slow", "leisurely", "slow-paced"),
    (80.0, 120.0): ("moderate", "medium-tempo", "mid-tempo", "medium"),
    (120.0, 160.0): ("fast", "quick", "brisk", "up-tempo", "fast-paced"),
    (160.0, 400.0): ("very fast", "extremely fast"),
    (0.0, 50.0): ("very slow",),
}
_ITALIAN = (
    (40, "grave"),
    (60, "largo"),
    (70, "adagio"),
    (90, "andante"),
    (110, "moderato"),
    (140, "allegro"),
    (160, "vivace"),
    (210, "presto"),
)


def a(phrase: str) -> str:
    """The phrase with "a" or "an" before it; names of notes go by their sound ("an F minor tune")."""
    first = phrase.split(" ", 1)[0].split("-", 1)[0]
    vowel = first[0] in "aeiouAEIO" and not first.lower().startswith(("uni", "eu", "uk"))
    if len(first) <= 2 and first[0] in "ABCDEFG":
        vowel = first[0] in "AEF"
    return ("an " if vowel or first in ("8", "11", "18") else "a ") + phrase


def join(parts: list[str], rng: random.Random) -> str:
    """ "a", "a and b", "a, b and c" in a few manners."""
    if len(parts) < 2:
        return parts[0] if parts else ""
    last = (
        rng.choice((" and ", " and ", " & ", ", and ", " plus "))
        if len(parts) > 2
        else rng.choice((" and ",) * 5 + (" & ", " with ", " plus "))
    )
    return ", ".join(parts[:-1]) + last + parts[-1]


# understood in prompts as the nearest program, but no names for what that program plays
_KIN_ONLY = frozenset(
    """bass clarinet,contrabassoon,sousaphone,euphonium,cornet,flugelhorn,bugle,pedal steel,pedal steel guitar,
lap steel,slide guitar,dobro,resonator guitar,pno,vln,tpt,gtr,timbales,finger snaps,hand claps,handclaps,castanets,
maracas,pianist,ivories,violinist,cellist,trumpeter,flutist,fiddler,guitarist,bassist,saxophonist,clarinettist,
drummer,guzheng,chorus of voices,moog""".replace("\n", "").split(",")
)


@lru_cache(maxsize=1)
def _names() -> dict[int, tuple[str, ...]]:
    names: dict[int, list[str]] = defaultdict(list)
    for phrase, programs in INSTRUMENTS.items():
        if len(names[programs[0]]) < 4 and phrase not in _KIN_ONLY:
            names[programs[0]].append(phrase)
    for program in range(129):
        plain = _PLAIN.get(program, instrument_name(program).lower())
        if plain not in names[program]:
            names[program].insert(0, plain)
    return {program: tuple(phrases) for program, phrases in names.items()}


def instrument(program: int, rng: random.Random) -> str:
    """A name for a program, 128 = drums: half of the time the plain one of the released captions."""
    if rng.random() < 0.5:
        return _PLAIN.get(program, instrument_name(program).lower())
    return rng.choice(_names()[program])


def key(value: Key, rng: random.Random) -> str:
    """ "Bb minor", "B-flat minor", "b flat minor", "Bb min"; an enharmonic twin now and then."""
    name, _, mode = str(value).partition(" ")
    if rng.random() < 0.1 and value.tonic in _KEY_SPELLINGS:
        name = rng.choice(_KEY_SPELLINGS[value.tonic])
    spelling = rng.random()
    if len(name) > 1 and spelling < 0.4:
        name = name[0] + rng.choice(("-", " ")) + ("flat" if name[1] == "b" else "sharp")
    if spelling > 0.95 and len(name) == 1:
        name = name if name == "A" else name.lower()
    return f"{name} {mode if rng.random() < 0.93 else mode[:3]}"


def metre(value: tuple[int, int], rng: random.Random) -> str:
    """ "3/4", sometimes "three-four" or "waltz time"."""
    words = _METRE_WORDS.get(value)
    return rng.choice(words) if words and rng.random() < 0.15 else f"{value[0]}/{value[1]}"


def bpm(value: float, rng: random.Random) -> str:
    """ "120 bpm" and its kin."""
    number = f"{round(value)}"
    return number + rng.choice((" bpm", " bpm", " BPM", " beats per minute", "bpm"))


def tempo_adjective(value: float, rng: random.Random, *, before_noun: bool = True) -> str:
    """ "slow", "moderate", "fast", "very fast", with MidiCaps' borders; none ends in "-tempo" unless a noun follows."""
    for (low, high), words in _PLAIN_TEMPO.items():
        if low < value <= high or (low == 0 and value <= high):
            return rng.choice([word for word in words if before_noun or not word.endswith("-tempo")])
    return "very fast"


def tempo_italian(value: float) -> str:
    """ "andante" and its kin, with MidiCaps' borders."""
    return next((word for top, word in _ITALIAN if value <= top), "prestissimo")


def mood(value: str, rng: random.Random) -> str:
    """The mood's name or one of its synonyms."""
    return value if rng.random() < 0.5 else rng.choice(_mood_words().get(value, (value,)))


@lru_cache(maxsize=1)
def _mood_words() -> dict[str, tuple[str, ...]]:
    words: dict[str, list[str]] = defaultdict(list)
    for phrase, name in MOODS.items():
        if len(words[name]) < 7 and phrase not in (
            "love",
            "drama",
            "hope",
            "nostalgia",
            "horror",
            "light",
            "still",
            "warm",
            "moving",
        ):
            words[name].append(phrase)
    return {name: tuple(phrases) for name, phrases in words.items()}


def genre_adjective(value: str, rng: random.Random) -> str:
    """ "jazzy" for jazz."""
    return rng.choice(_GENRES[value][0]) if value in _GENRES else value


def subject(genre: str | None, rng: random.Random) -> str:
    """What the piece is: "jazz tune", "waltz", "instrumental"."""
    if genre is None:
        return rng.choice(_NOUNS)
    adjectives, nouns = _GENRES.get(genre, ((genre,), (f"{genre} piece",)))
    return rng.choice(nouns) if rng.random() < 0.5 else f"{rng.choice(adjectives)} {rng.choice(_NOUNS)}"


def names_genre(text: str, genres: tuple[str, ...]) -> bool:
    """Whether the text uses a wording of one of the genres."""
    text = text.lower().replace("waltz time", "")
    return any(word.lower() in text for genre in genres for part in _GENRES.get(genre, ((genre,),)) for word in part)


def bars(value: int, rng: random.Random) -> str:
    """ "16 bars", "sixteen measures"."""
    number = NUMBERS[value] if value <= SPELLED_OUT and rng.random() < 0.3 else str(value)
    return f"{number} {rng.choice(('bars', 'bars', 'measures'))}"


def seconds(value: float, rng: random.Random) -> str:
    """ "30 seconds", "half a minute", "about 2 minutes"."""
    whole = round(value)
    if whole == 60:
        return rng.choice(("a minute", "60 seconds", "one minute"))
    if whole == 30:
        return rng.choice(("half a minute", "30 seconds"))
    if whole > 90 and whole % 60 == 0:
        return f"{whole // 60} minutes"
    return f"{whole} seconds"
