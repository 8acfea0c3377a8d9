"""What is given and what is to be written, chosen for training (GETMusic, Lv et al. 2023, section 3.3, and the
published code)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Protocol

import numpy as np
from jaxtyping import Bool, Int

from orchestrion.errors import InputError, check_choice
from orchestrion.representations.getscore import CHORD_ROW, ROWS, TRACKS, GetVocabulary

CHORDS = len(TRACKS)
"""Number of the chord rows among the tracks."""


class Draws(Protocol):
    """Where choices come from."""

    def chance(self, share: float) -> bool:
        """True with this probability."""
        ...

    def integer(self, low: int, high: int) -> int:
        """One of low … high, the last included."""
        ...

    def choice(self, options: Sequence[Any]) -> Any:
        """One of the options."""
        ...


class RandomDraws:
    """Draws from a generator of numpy."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def chance(self, share: float) -> bool:
        """True with this probability."""
        return bool(self.rng.random() < share)

    def integer(self, low: int, high: int) -> int:
        """One of low … high, the last included."""
        return int(self.rng.integers(low, high + 1))

    def choice(self, options: Sequence[Any]) -> Any:
        """One of the options."""
        return options[int(self.rng.integers(len(options)))]


@dataclass(frozen=True, slots=True)
class Condition:
    """A training item: tokens with EMPTY in the tracks that are left out, and which cells are given; all others are
    targets."""

    tokens: Int[np.ndarray, "rows columns"]
    source: Bool[np.ndarray, "rows columns"]


def choose_tracks(
    grid: Int[np.ndarray, "rows columns"],
    vocabulary: GetVocabulary,
    draws: Draws,
    *,
    single_share: float = 0.1,
    chord_share: float = 0.25,
    quirks: str = "none",
) -> Condition:
    """Sources and targets, as published: every subset of targets of a drawn size is as likely.

    Args:
        single_share: of the items keep one track (and the chords) only.
        chord_share: of the items show the chords; they are a source then.
        quirks: "official" leaves one track a source where there are no chords, and then does not call them given.

    Raises:
        InputError: with quirks="official", one track is left and there are no chords.
    """
    check_choice("quirks", quirks, "none", "official")
    tokens = grid.copy()
    there = [t for t in range(len(TRACKS)) if (grid[2 * t] != vocabulary.empty).any()]
    if draws.chance(single_share):
        kept = draws.choice(there)
        _leave_out(tokens, set(there) - {kept}, vocabulary)
        there = [kept]
    chords = quirks == "none" or bool((grid[CHORD_ROW:] != vocabulary.empty).any())
    most = len(there) - (not chords)
    if not most:
        raise InputError("One track without chords cannot be a target in the published code; use quirks='none'.")
    number = draws.integer(1, most)
    targets = set(draws.choice(list(combinations(there, number))))
    source = np.zeros((ROWS, grid.shape[1]), bool)
    for track in set(there) - targets:
        source[2 * track : 2 * track + 2] = True
    if draws.chance(1 - chord_share):
        _leave_out(tokens, {CHORDS}, vocabulary)
    else:
        source[CHORD_ROW:] = chords
    return Condition(tokens, source)


def choose_chords(grid: Int[np.ndarray, "rows columns"], vocabulary: GetVocabulary, draws: Draws) -> Condition:
    """The chords are the target, and any subset of the tracks, also none, is the source. Not in the paper: it lets a
    model harmonise."""
    tokens = grid.copy()
    there = [t for t in range(len(TRACKS)) if (grid[2 * t] != vocabulary.empty).any()]
    sources = set(draws.choice(list(combinations(there, draws.integer(0, len(there))))))
    _leave_out(tokens, set(there) - sources, vocabulary)
    source = np.zeros((ROWS, grid.shape[1]), bool)
    for track in sources:
        source[2 * track : 2 * track + 2] = True
    return Condition(tokens, source)


def give_outside(condition: Condition, bars: Int[np.ndarray, " bar_edges"], draws: Draws) -> Condition:
    """Leaves a span of bars of the targets to be written; what lies before and behind is given. Not in the paper: it
    trains infilling and continuation.

    Args:
        bars: first columns of the bars, and the end.
    """
    first = draws.integer(0, len(bars) - 2)
    last = draws.integer(first + 1, len(bars) - 1)
    source = condition.source.copy()
    source[:, : bars[first]] = source[:, bars[last] :] = True
    return Condition(condition.tokens, source)


def _leave_out(tokens: np.ndarray, tracks: set[int], vocabulary: GetVocabulary) -> None:
    for track in tracks:
        tokens[2 * track : 2 * track + 2] = vocabulary.empty
