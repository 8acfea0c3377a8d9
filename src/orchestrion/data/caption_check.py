"""Whether a caption tells the truth: it is read again, and what it says is compared with the facts."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any, Protocol

from orchestrion.analysis.instruments import DRUMS, instrument_name
from orchestrion.data.caption_facts import Facts
from orchestrion.data.captions import CaptionWriter, GrammarWriter, split_sentences

REPEATS_FROM = 10  # occurrences from which a chord sequence may be called repeating (MidiCaps)
TEMPO_TOLERANCE = 0.04  # of a number in the text; words may be half a border's width off
LENGTH_TOLERANCE = 0.15
Read = Callable[[str], Any]  # `representations.prompt.parse_prompt`, which lies on the same floor and is handed in
_REPETITION = re.compile(r"\b(repeat\w*|again and again|recurr\w*|loop\w*|over and over)\b", re.IGNORECASE)
_OPPOSED = (
    ({"happy", "fun", "party", "uplifting", "upbeat"}, {"sad", "melancholic", "dark", "solemn", "tense"}),
    ({"calm", "relaxing", "soft", "meditative"}, {"energetic", "heavy", "party", "tense"}),
)
_KIN = (
    (0, 5),
    (16, 20),
    (24, 25),
    (26, 31),
    (32, 39),
    (40, 40),
    (43, 43),
    (44, 51),
    (52, 54),
    (56, 56),
    (59, 63),
    (64, 67),
    (80, 87),
    (88, 95),
    (96, 103),
)


class Reader(Protocol):
    """Reads text; raises an OrchestrionError where there is nothing to read."""

    def __call__(self, text: str) -> Any: ...


def verify(caption: str, facts: Facts, read: Read) -> list[str]:
    """What the caption says that is not so, one sentence each; an empty list for a true caption.

    Facts that are unknown contradict nothing, except that instruments beyond the known ones are always wrong.

    Args:
        read: the prompt reader, `representations.prompt.parse_prompt`.
    """
    said = read(caption)
    asked = lambda name: name not in said.implied  # noqa: E731
    wrong = []
    if said.key is not None and facts.key is not None and said.key != facts.key:
        wrong.append(f"The key is {facts.key}, not {said.key}.")
    elif said.mode is not None and asked("mode") and facts.key is not None and said.mode != facts.key.mode:
        wrong.append(f"The mode is {facts.key.mode}, not {said.mode}.")
    if said.metre is not None and asked("metre") and facts.metre is not None and said.metre != facts.metre:
        wrong.append("The metre is {}/{}, not {}/{}.".format(*facts.metre, *said.metre))
    wrong += _tempo(said, facts) + _instruments(said, facts)
    for genre in said.genres if asked("genre") else ():
        if facts.genres and genre not in facts.genres:
            wrong.append(f"The genre is {' or '.join(facts.genres)}, not {genre}.")
    for good, bad in _OPPOSED:
        for mine, other in ((good, bad), (bad, good)):
            if asked("moods") and set(said.moods) & other and set(facts.moods) & mine and not set(facts.moods) & other:
                wrong.append(f"The mood is {facts.moods[0]}, not {sorted(set(said.moods) & other)[0]}.")
    if said.bars is not None and asked("bars") and facts.bars is not None and said.bars != facts.bars:
        wrong.append(f"It has {facts.bars} bars, not {said.bars}.")
    if (
        said.seconds is not None
        and facts.seconds is not None
        and abs(said.seconds - facts.seconds) > max(2.0, LENGTH_TOLERANCE * facts.seconds)
    ):
        wrong.append(f"It lasts {facts.seconds:.0f} seconds, not {said.seconds:g}.")
    if said.chords and facts.chords and tuple(said.chords) != tuple(facts.chords):
        wrong.append(f"The chords are {' '.join(facts.chords)}, not {' '.join(said.chords)}.")
    if facts.chord_count < REPEATS_FROM and (match := _REPETITION.search(caption)):
        wrong.append(
            f"'{match.group()}' claims a repetition, but the chord sequence occurs {facts.chord_count} times only."
        )
    return wrong


def _tempo(said: Any, facts: Facts) -> list[str]:
    if facts.tempo is None:
        return []
    if said.tempo is not None and abs(said.tempo - facts.tempo) > TEMPO_TOLERANCE * facts.tempo:
        return [f"The tempo is {facts.tempo:.0f} bpm, not {said.tempo:g}."]
    if said.tempo_range is not None and "tempo_range" not in said.implied:
        low, high = said.tempo_range
        open_top = high >= 160  # "very fast" has no upper border, "very slow" no lower one
        if (facts.tempo < low * 0.95 and low > 50) or (facts.tempo > high * 1.05 and not open_top):
            return [f"The tempo is {facts.tempo:.0f} bpm, not between {low:g} and {high:g}."]
    return []


def _group(program: int) -> Any:
    program = 54 if program == 85 else program  # the lead that is a voice
    return next(((low, high) for low, high in _KIN if low <= program <= high), instrument_name(program))


def _instruments(said: Any, facts: Facts) -> list[str]:
    if not facts.instruments:
        return []
    present = {_group(program) for program in facts.instruments}
    names = {instrument_name(program) for program in facts.instruments}
    wrong = []
    if "instruments" not in said.implied:
        wrong = [
            f"There is no {instrument_name(p).lower()} in it."
            for p in said.instruments
            if _group(p) not in present and instrument_name(p) not in names
        ]
        wrong = list(dict.fromkeys(wrong))
    if said.drums and "drums" not in said.implied and DRUMS not in facts.instruments:
        wrong.append("There are no drums in it.")
    missing = [p for p in facts.instruments if _group(p) in {_group(q) for q in said.excluded}]
    if missing:
        wrong.append(f"It is not without {instrument_name(missing[0]).lower()}.")
    if said.only and present - {_group(p) for p in said.instruments} - ({_group(DRUMS)} if said.drums else set()):
        wrong.append("More instruments play than the only ones that are named.")
    return wrong


def write_truthfully(
    writer: CaptionWriter, facts: Facts, rng: random.Random, read: Read, *, attempts: int = 3
) -> tuple[str, list[str]]:
    """A caption without contradictions, and the contradictions that were removed on the way.

    A caption that is wrong loses its wrong sentences; where nothing is left, the writer tries again, up to
    `attempts` times, and then the offline grammar writes.
    """
    removed: list[str] = []
    for _ in range(attempts):
        caption = writer.write(facts, rng)
        wrong = verify(caption, facts, read)
        if not wrong:
            return caption, removed
        removed += wrong
        kept = " ".join(sentence for sentence in split_sentences(caption) if not _is_wrong(sentence, facts, read))
        if kept and not verify(kept, facts, read):
            return kept, removed
    for _ in range(20):
        caption = GrammarWriter(thorough=True).write(facts, rng)
        if not (wrong := verify(caption, facts, read)):
            return caption, removed
        removed += wrong
    return "An instrumental piece.", removed


def _is_wrong(sentence: str, facts: Facts, read: Read) -> bool:
    return any(c.isalnum() for c in sentence) and bool(verify(sentence, facts, read))
