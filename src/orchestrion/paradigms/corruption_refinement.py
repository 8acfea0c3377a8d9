"""Iterative refinement by corruption (ImprovNet, arXiv 2502.04522): a pass spoils segments of a sequence from left to
right and lets a network write each anew, so that later ones see what became of the earlier ones."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence

from orchestrion.representations.corruptions import (
    CORRUPTIONS,
    Chance,
    corrupt,
    cut_at_last_break,
    encoder_tokens,
    skyline,
)
from orchestrion.representations.performance_tokens import Item, Token

Write = Callable[[int, list[Token]], list[Item]]
"""Takes the place of a segment and what the encoder reads; gives the segment that is written for it."""

RANDOM = "random"
CUT = 0.1  # probability with which the right context is cut, in training and in the published sampling
RECIPE = (
    "skyline",
    "skyline",
    "pitch_velocity_mask",
    "incorrect_transposition",
    "permute_pitches",
    "note_modification",
    "onset_duration_mask",
    "fragmentation",
    "whole_mask",
    RANDOM,
)
"""The published ten passes; `RANDOM` is another corruption for each segment."""
RECIPE_RATES = (1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 1.0, 0.5, 0.25, 0.25)


def refine(
    segments: Sequence[Sequence[Item]],
    write: Write,
    *,
    corruption: str,
    rate: float,
    genre: str,
    chance: Callable[[int], Chance],
    first: int = 2,
    keep_last: bool = True,
    protected: Collection[int] = (),
    before: int = 5,
    after: int = 5,
    quirks: str = "none",
) -> list[list[Item]]:
    """One pass.

    Args:
        corruption: name, or `RANDOM`.
        rate: probability that a segment is written anew.
        chance: of a segment: its own source of chance, so that a higher rate takes the same segments and more.
        first: segments at the beginning that stay.
        keep_last: whether the last one stays.
        protected: places of segments that stay.
        before, after: segments of context.
        quirks: "official": `first` does not count protected segments, and in one of ten cases the last segment of the
            right context is cut off, as in training.
    """
    refined = [list(segment) for segment in segments]
    places = [place for place in range(len(refined)) if place not in protected]
    if quirks == "official":
        places = places[first : len(places) - 1 if keep_last else None]
    else:
        end = len(refined) - 1 if keep_last else len(refined)
        places = [place for place in places if first <= place < end]
    for place in places:
        drawn = chance(place)
        if drawn.random() >= rate:
            continue
        name = drawn.choice(list(CORRUPTIONS)) if corruption == RANDOM else corruption
        spoiled = corrupt(name, refined[place], drawn, genre=genre, quirks=quirks)
        tokens = encoder_tokens(refined, place, spoiled, before=before, after=after)
        if quirks == "official" and drawn.uniform(0, 1) < CUT and place > 0:
            tokens = cut_at_last_break(tokens)
        refined[place] = write(place, tokens)
    return refined


def write_around(
    segments: Sequence[Sequence[Item]], write: Write, *, genre: str, before: int, after: int
) -> list[list[Item]]:
    """A pass in which each segment that holds something is written from its skyline, so that a melody gets harmony.

    Args:
        before, after: segments of context.
    """
    made = [list(segment) for segment in segments]
    for place, segment in enumerate(made):
        if segment:
            spoiled = ["skyline", genre, *skyline(segment, random.Random(0))]
            made[place] = write(place, encoder_tokens(made, place, spoiled, before=before, after=after)) or segment
    return made


def write_gap(
    segments: Sequence[Sequence[Item]], places: Sequence[int], write: Write, *, genre: str, before: int, after: int
) -> dict[int, list[Item]]:
    """Segments of a gap from left to right, each from nothing but its neighbours.

    Args:
        places: of the gap, without holes.
        before, after: segments of context; what comes after is shown to the last of the gap alone, as published.
    """
    held = [list(segment) for segment in segments]
    for place in places:
        shown = after if place == places[-1] else 0
        spoiled: list[Token] = ["whole_mask", genre, "mask"]
        held[place] = write(place, encoder_tokens(held, place, spoiled, before=before, after=shown))
    return {place: held[place] for place in places}
