"""Metres: how bars divide into beats and pulses, and how strong each position is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from orchestrion.media.timeline import beat_quarters


@dataclass(frozen=True, slots=True)
class Metre:
    """A time signature; 3/8 is simple, as conductors count three (or one)."""

    numerator: int
    denominator: int

    def __post_init__(self) -> None:
        if self.numerator < 1 or self.denominator < 1 or self.denominator & (self.denominator - 1):
            raise ValueError(f"no metre is written {self.numerator}/{self.denominator}")

    @classmethod
    def parse(cls, text: str) -> Metre:
        """Reads "3/4".

        Raises:
            ValueError: it is no metre.
        """
        above, slash, below = text.strip().partition("/")
        if not slash or not above.strip().isdecimal() or not below.strip().isdecimal():
            raise ValueError(f"{text!r} is not a metre such as 3/4 or 6/8")
        return cls(int(above), int(below))

    def __str__(self) -> str:
        return f"{self.numerator}/{self.denominator}"

    @property
    def compound(self) -> bool:
        """Whether beats divide into three: 6/8, 9/8, 12/8, 6/4."""
        return self.numerator > 3 and self.numerator % 3 == 0

    @property
    def beat(self) -> float:
        """Quarters of a beat."""
        return beat_quarters(self.numerator, self.denominator)

    @property
    def beats(self) -> int:
        """Beats of a bar."""
        return self.numerator // 3 if self.compound else self.numerator

    @property
    def bar(self) -> float:
        """Quarters of a bar."""
        return 4.0 * self.numerator / self.denominator

    @property
    def groups(self) -> tuple[int, ...]:
        """How the beats group: twos and threes, threes first; 4 → (2, 2), 5 → (3, 2), 7 → (3, 2, 2)."""
        if self.beats <= 3:
            return (self.beats,)
        return (3,) * (self.beats % 2) + (2,) * ((self.beats - 3 * (self.beats % 2)) // 2)


def beat_strengths(metre: Metre, *, positions: int) -> Float[np.ndarray, " positions"]:
    """Metrical weight of equal parts of a bar: 4 bar line, 3 first beats of groups, 2 other beats, 1 halves (thirds in
    compound metres) of beats, 0 the rest (after Lerdahl & Jackendoff 1983, a level each).

    Args:
        positions: parts of the bar; beats that fall on none of them are not marked.
    """
    weights = np.zeros(positions)
    unit = metre.beats * (3 if metre.compound else 2)
    heads = set(np.cumsum((0, *metre.groups[:-1])).tolist())
    for index in range(unit):
        if index * positions % unit:
            continue
        beat, inside = divmod(index, unit // metre.beats)
        weights[index * positions // unit] = 1 if inside else 2 + (beat in heads) + (beat == 0)
    return weights


def syncopation(onsets: Iterable[int], metre: Metre, *, positions: int) -> float:
    """Longuet-Higgins & Lee's (1984) syncopation of one bar, which is repeated: of each onset, how much stronger the
    strongest silent position before the next onset is than its own, added up where positive."""
    places = sorted({onset % positions for onset in onsets})
    weights = beat_strengths(metre, positions=positions)
    total = 0.0
    for index, place in enumerate(places):
        following = places[index + 1] if index + 1 < len(places) else places[0] + positions
        between = [weights[p % positions] for p in range(place + 1, following)]
        total += max(max(between, default=0.0) - weights[place], 0.0)
    return total
