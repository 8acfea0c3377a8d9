"""Iterative refinement by corruption (ImprovNet, arXiv 2502.04522): a pass spoils segments of a sequence from left to
right and lets a network write each anew, so that later ones see what became of the earlier ones.

What a segment is written from ends a few segments to its left and right. So a pass may follow the one before it at that
distance, and what is asked for at the same time is written side by side, with the same result as one after another.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from orchestrion.representations.corruptions import (
    CORRUPTIONS,
    Chance,
    corrupt,
    cut_at_last_break,
    encoder_tokens,
)
from orchestrion.representations.performance_tokens import Item, Token


@dataclass(frozen=True, slots=True)
class Request:
    """A segment to write anew: number of the pass, place of the segment, what stands there, what the encoder reads."""

    number: int
    place: int
    old: list[Item]
    tokens: list[Token]


Write = Callable[[Sequence[Request]], Sequence[list[Item]]]
"""Takes requests that do not depend on each other; gives the segment that is written for each."""

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
    corruptions: Sequence[str],
    rate: float,
    genre: str,
    chance: Callable[[int, int], Chance],
    first: int = 2,
    keep_last: bool = True,
    protected: Collection[int] = (),
    before: int = 5,
    after: int = 5,
    most: int = 16,
    quirks: str = "none",
    progress: Callable[[int, int], None] | None = None,
) -> list[list[list[Item]]]:
    """What each pass leaves.

    Args:
        corruptions: of each pass: a name, or `RANDOM`.
        rate: probability that a segment is written anew in a pass.
        chance: of a pass and a segment: its own source of chance, so that a higher rate takes the same segments and
            more.
        first: segments at the beginning that stay.
        keep_last: whether the last one stays.
        protected: places of segments that stay.
        before, after: segments of context.
        most: requests at once.
        quirks: "official": neither `first` nor the context counts protected segments (they are shown where they lie
            between others), and in one of ten cases the last segment of the right context is cut off, as in training.
        progress: called with the passes that are done, and all.
    """
    free = [place for place in range(len(segments)) if place not in protected]
    if quirks == "official":
        places = free[first : len(free) - 1 if keep_last else None]
        reach = {
            place: (place - free[max(count - before, 0)], free[min(count + after, len(free) - 1)] - place)
            for count, place in enumerate(free)
        }
    else:
        places = [place for place in free if first <= place < len(segments) - keep_last]
        reach = dict.fromkeys(places, (before, after))

    def spoil(place: int, corruption: str, context: Sequence[list[Item]], at: int, drawn: Chance) -> list[Token]:
        name = drawn.choice(list(CORRUPTIONS)) if corruption == RANDOM else corruption
        spoiled = corrupt(name, context[at], drawn, genre=genre, quirks=quirks)
        tokens = encoder_tokens(context, at, spoiled, before=at, after=len(context) - at - 1)
        if quirks == "official" and drawn.uniform(0, 1) < CUT and place > 0:
            tokens = cut_at_last_break(tokens)
        return tokens

    passes: list[_Pass] = []
    state: Sequence[list[Item] | None] = [list(segment) for segment in segments]
    for number, corruption in enumerate(corruptions):
        passes.append(_Pass(number, corruption, state, {one: reach[one] for one in places}, [None] * len(segments)))
        state = passes[-1].made
    while not all(one.done for one in passes):
        requests: list[Request] = []
        for one in passes:
            requests += one.ask(most - len(requests), spoil, chance, rate=rate)
        for request, made in zip(requests, write(requests) if requests else (), strict=True):
            passes[request.number].made[request.place] = made
        if progress is not None:
            progress(sum(one.done for one in passes), len(passes))
    return [[segment for segment in one.made if segment is not None] for one in passes]


@dataclass(slots=True)
class _Pass:
    """A pass on its way from left to right: `earlier` is what the one before leaves, `made` what this one does, with
    None where that is still being written. `reach` gives the segments of context before and after each place that may
    be written anew. `next` is the segment to look at, `drawn` its chance where it was chosen."""

    number: int
    corruption: str
    earlier: Sequence[list[Item] | None]
    reach: Mapping[int, tuple[int, int]]
    made: list[list[Item] | None]
    next: int = 0
    drawn: Chance | None = None

    @property
    def done(self) -> bool:
        return self.next == len(self.made) and None not in self.made

    def ask(
        self,
        most: int,
        spoil: Callable[..., list[Token]],
        chance: Callable[[int, int], Chance],
        *,
        rate: float,
    ) -> list[Request]:
        """At most `most` requests, up to the first segment whose context is not there yet."""
        found: list[Request] = []
        while self.next < len(self.made):
            place, old = self.next, self.earlier[self.next]
            if old is None:
                break
            if self.drawn is None and place in self.reach:
                drawn = chance(self.number, place)
                self.drawn = drawn if drawn.random() < rate else None
            if self.drawn is None:
                self.made[place] = old
            else:
                before, after = self.reach[place]
                left = [*self.made[max(place - before, 0) : place]]
                context = [*left, old, *self.earlier[place + 1 : place + 1 + after]]
                known = [segment for segment in context if segment is not None]
                if len(known) < len(context) or len(found) >= most:
                    break
                found.append(
                    Request(self.number, place, old, spoil(place, self.corruption, known, len(left), self.drawn))
                )
                self.drawn = None
            self.next += 1
        return found


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
        tokens = encoder_tokens(held, place, spoiled, before=before, after=shown)
        (held[place],) = write([Request(0, place, held[place], tokens)])
    return {place: held[place] for place in places}
