"""From what a sentence asks for to the plan of an arrangement: what is fixed, what is chosen, what cannot be served."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from orchestrion.analysis.instruments import instrument_name
from orchestrion.representations.arrangement import METRES, TEMPOS, Arrangement, ArrangementVocabulary, nearest
from orchestrion.representations.arrangement_grammar import KIT, Plan
from orchestrion.representations.orchestration import BAND_GENRES, assign_roles
from orchestrion.representations.prompt import MusicRequest
from orchestrion.theory.keys import ALL_KEYS, Key

TEMPO_MARGIN = 0.03  # of tempo tokens at the borders of a range that is asked for
FORMS = {
    1: ("A",),
    2: ("AA",),
    3: ("ABA", "AAB"),
    4: ("ABAB", "AABC", "ABAC", "ABCA", "ABCB"),
    5: ("ABABC", "ABCAB", "AABAC"),
    6: ("ABABCD", "ABCDCD", "ABACAB", "AABCDC"),
    7: ("ABABCDC", "ABABCAB", "AABCAAB"),
    8: ("ABABCDCD", "ABABCDAB", "ABACABAC"),
}
"""Forms of so many phrases, in most of which whole sections of two phrases come back, as in tunes of this length."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is wanted of one piece, read from a sentence and from options.

    Attributes:
        plan: what is fixed for the tokens.
        tempo: exact, in quarter notes a minute; None where a token decides.
        bars, seconds: length asked for.
        unserved: sentences about wishes that cannot be met.
    """

    plan: Plan
    tempo: float | None = None
    bars: int | None = None
    seconds: float | None = None
    unserved: tuple[str, ...] = field(default=())


def read_wishes(request: MusicRequest, asked: Mapping[str, Any], vocabulary: ArrangementVocabulary) -> Wishes:
    """What is fixed by the text (`request`) and by options (`asked`: bars, seconds, tempo, key, metre, instruments).

    Options go before the text; what the text only implies is taken as said.
    """
    unserved = list(request.unserved)
    plan = Plan(
        genre=_genre(request, vocabulary, unserved),
        metre=_metre(asked.get("metre", request.metre), vocabulary, unserved),
        key=_key(asked.get("key", request.key), request.mode if "key" not in asked else None, vocabulary),
    )
    tempo = asked.get("tempo", request.tempo)
    if tempo is not None:
        plan = replace(plan, tempo=(vocabulary.token("Tempo", nearest(TEMPOS, tempo)),))
    elif request.tempo_range is not None:
        plan = replace(plan, tempo=_tempi(request.tempo_range, vocabulary))
    if request.chords:
        unserved.append(f"The chords {' '.join(request.chords)} are not followed; they are chosen to fit the tune.")
    plan = _parts(plan, request, asked.get("instruments"), unserved)
    bars, seconds = asked.get("bars"), asked.get("seconds")
    if bars is None and seconds is None:
        bars, seconds = request.bars, request.seconds if request.bars is None else None
    return Wishes(plan, tempo, bars, seconds, tuple(unserved))


def _genre(request: MusicRequest, v: ArrangementVocabulary, unserved: list[str]) -> tuple[int, ...] | None:
    known = tuple(v.genre(name) for name in request.genres if name in v.genres)
    if request.genres and not known:
        unserved.append(f"The genre {request.genres[0]} was not learned; the text alone guides the style.")
    return known or None


def _metre(metre: tuple[int, int] | None, v: ArrangementVocabulary, unserved: list[str]) -> tuple[int, ...] | None:
    if metre is None:
        return None
    wanted = metre
    if wanted not in METRES:
        near = min(METRES, key=lambda one: (abs(one[0] / one[1] - wanted[0] / wanted[1]), one[1] != wanted[1]))
        unserved.append(f"The metre {wanted[0]}/{wanted[1]} cannot be written; {near[0]}/{near[1]} is taken.")
        wanted = near
    return (v.token("Metre", METRES.index(wanted)),)


def _key(key: Key | None, mode: str | None, v: ArrangementVocabulary) -> tuple[int, ...] | None:
    if key is not None:
        return (v.ids[f"Key_{key}"],)
    if mode is not None:
        return tuple(v.ids[f"Key_{one}"] for one in ALL_KEYS if one.mode == mode)
    return None


def _tempi(wanted: tuple[float, float], v: ArrangementVocabulary) -> tuple[int, ...]:
    low, high = wanted
    inside = [i for i, tempo in enumerate(TEMPOS) if low * (1 + TEMPO_MARGIN) <= tempo <= high * (1 - TEMPO_MARGIN)]
    return tuple(v.token("Tempo", i) for i in inside or [nearest(TEMPOS, (low + high) / 2)])


def _parts(plan: Plan, request: MusicRequest, programs: Any, unserved: list[str]) -> Plan:
    """Instruments that are named play, and no others, except that a lone tune in a band's genre gets its band."""
    without = frozenset(request.excluded) if programs is None else frozenset()
    if programs is None:
        programs = [*request.instruments, *([KIT] if request.drums else [])]
        if programs == [KIT]:
            return replace(plan, drums=True, without=without)
    if not programs:
        return replace(plan, without=without, drums=request.drums)
    roles = assign_roles(programs)
    for program in dict.fromkeys(programs):
        if program not in roles.values():
            unserved.append(f"There is no part left for {instrument_name(program)}.")
    parts = tuple((role, (program,)) for role, program in roles.items())
    more = list(roles) == ["melody"] and not request.only and bool(set(request.genres) & BAND_GENRES)
    return replace(plan, parts=parts, more=more, without=without, drums=request.drums if more else None)


def choose_form(bars: int, rng: random.Random) -> tuple[str, dict[int, int]]:
    """A form for up to 35 bars, as letters of phrases, and which bar repeats the one how many bars before.

    Phrases that return one after another return as a whole, but for the last bar, which has to lead on or to close.
    What else returns is left to the network, as in the music that it learned from.
    """
    phrase = 4 if bars >= 8 else 2
    form = rng.choice(FORMS[max(bars // phrase, 1)])
    backs = _phrases_back(form)
    repeats: dict[int, int] = {}
    for place, back in enumerate(backs):
        goes_on = place + 1 < len(form) and backs[place + 1] == back
        first, last = place * phrase, (place + 1) * phrase - (0 if goes_on else 1)
        if back:
            repeats |= dict.fromkeys(range(first, last), back * phrase)
    return form, repeats


def _phrases_back(form: str) -> list[int]:
    """For each phrase, how many phrases earlier it was played: as many as for the one before it if that fits."""
    backs: list[int] = []
    for place, letter in enumerate(form):
        back = backs[-1] if backs else 0
        if not back or form[place - back] != letter:
            back = place - form.rfind(letter, 0, place) if letter in form[:place] else 0
        backs.append(back)
    return backs


def describe_choice(arrangement: Arrangement, wishes: Wishes, form: str) -> dict[str, Any]:
    """What was played, and what of it the text left open, as plain values for a report."""
    plan = wishes.plan
    played = {
        "genre": arrangement.genre,
        "metre": f"{arrangement.metre[0]}/{arrangement.metre[1]}",
        "tempo": wishes.tempo or arrangement.tempo,
        "key": str(arrangement.key),
        "instruments": {part.role: instrument_name(part.program) for part in arrangement.parts},
        "bars": len(arrangement.bars),
        "form": form,
    }
    fixed = {
        "genre": plan.genre is not None and len(plan.genre) == 1,
        "metre": plan.metre is not None,
        "tempo": plan.tempo is not None and wishes.tempo is not None,
        "key": plan.key is not None and len(plan.key) == 1,
        "instruments": plan.parts is not None and not plan.more,
        "bars": wishes.bars is not None,
    }
    return {"played": played, "chosen": [name for name in played if not fixed.get(name, False)]}
