"""Orders in which a language model writes the codes of several books: one lane a book, step by step (MusicGen, Copet et
al. 2023, arXiv 2306.05284, section 2.2).

A pattern says for each step which codes (time, book) are written in it; lanes that write nothing hold a special token.
The first step is empty, for it is where a model begins, unless a pattern without it is asked for. Times at or beyond
the end stand for nothing and are skipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int, Shaped

from orchestrion.errors import OptionError

Place = tuple[int, int]
"""Time and book of a code."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """Codes in another order, where each came from, and which are real.

    Attributes:
        values: the special token, or what was asked for, where there is none.
        positions: indices into the flattened (book, step or time) axes of the input; −1 where there is none.
        mask: True where there is a code.
    """

    values: Shaped[np.ndarray, "*batch books steps"]
    positions: Int[np.ndarray, "books steps"]
    mask: Bool[np.ndarray, "books steps"]


@dataclass(frozen=True, slots=True)
class CodePattern:
    """An order for so many books and times.

    Attributes:
        books, times: of the codes.
        steps: the places that each step writes.
        begins: whether the first step must be empty.

    Raises:
        OptionError: it must and is not, or times of a book do not rise.
    """

    books: int
    times: int
    steps: tuple[tuple[Place, ...], ...]
    begins: bool = True

    def __post_init__(self) -> None:
        if not self.steps or (self.begins and self.steps[0]):
            raise OptionError("The first step of a code pattern must be empty; it is where a model begins.")
        last: dict[int, int] = {}
        for step in self.steps:
            for time, book in step:
                if time <= last.get(book, -1):
                    raise OptionError(f"A code pattern goes back to time {time} of book {book}; times must rise.")
                last[book] = time

    @property
    def longest_delay(self) -> int:
        """Times beyond the end that steps name: how many last steps have books without a code."""
        return max((time for step in self.steps for time, _ in step), default=self.times - 1) + 1 - self.times

    @property
    def valid(self) -> CodePattern:
        """Without the last steps, in which not every lane writes."""
        return replace(self, steps=self.steps[: len(self.steps) - self.longest_delay])

    def first_step(self, time: int) -> int | None:
        """The first step that writes a code of this time."""
        return next((number for number, step in enumerate(self.steps) if any(t == time for t, _ in step)), None)

    def apply(self, codes: Shaped[np.ndarray, "*batch books times"], special: int) -> Ordered:
        """Codes [..., books, times] in the order of steps [..., books, steps]."""
        self._check(codes, self.times)
        positions = np.full((self.books, len(self.steps)), -1, dtype=np.int64)
        for number, step in enumerate(self.steps):
            for time, book in step:
                if time < self.times:
                    positions[book, number] = book * self.times + time
        return _taken(codes, positions, special)

    def revert(self, lanes: Shaped[np.ndarray, "*batch books steps"], special: int) -> Ordered:
        """Codes from lanes, also from the first steps alone; `special` where they are missing."""
        return _taken(lanes, self._backward(lanes, self.steps), special)

    def revert_predictions(self, predictions: Shaped[np.ndarray, "*batch books steps"], missing: float) -> Ordered:
        """The same of what a model says after each step, which is about the step that follows; where no first step is
        empty, about the step itself."""
        told = self.steps if self.steps[0] else self.steps[1:]
        return _taken(predictions, self._backward(predictions, told), missing)

    def _backward(self, lanes: np.ndarray, steps: Sequence[tuple[Place, ...]]) -> np.ndarray:
        given = lanes.shape[-1]
        self._check(lanes, None)
        positions = np.full((self.books, self.times), -1, dtype=np.int64)
        for number, step in enumerate(steps[:given]):
            for time, book in step:
                if time < self.times:
                    positions[book, time] = book * given + number
        return positions

    def _check(self, codes: np.ndarray, length: int | None) -> None:
        if codes.ndim < 2 or codes.shape[-2] != self.books or (length is not None and codes.shape[-1] != length):
            wanted = f"{self.books} books" + ("" if length is None else f" and {length} times")
            raise OptionError(f"Codes have the shape {list(codes.shape)}; the pattern is for {wanted}.")


def _taken(codes: np.ndarray, positions: np.ndarray, missing: float) -> Ordered:
    mask = positions >= 0
    flat = codes.reshape(*codes.shape[:-2], -1)
    values = np.where(mask, flat[..., np.where(mask, positions, 0)], np.asarray(missing, dtype=codes.dtype))
    return Ordered(values, positions, mask)


def delayed(
    books: int, times: int, *, delays: Sequence[int] | None = None, flatten_first: int = 0, empty_first: int = 0
) -> CodePattern:
    """Book k is late by `delays[k]` steps, by k where none are given.

    Args:
        flatten_first: so many first times are written code by code, each in a step of its own.
        empty_first: empty steps after the first; below 0: not even the first is empty.

    Raises:
        OptionError: there is not one delay a book, or they fall.
    """
    late = list(range(books)) if delays is None else list(delays)
    if len(late) != books or late != sorted(late) or min(late, default=0) < 0:
        raise OptionError(f"A delay pattern of {books} books needs as many delays that do not fall, not {late}.")
    steps: list[tuple[Place, ...]] = [()] * (1 + empty_first)
    steps += [((time, book),) for time in range(min(times, flatten_first)) for book in range(books)]
    for step in range(flatten_first, times + max(late)):
        steps.append(tuple((step - delay, book) for book, delay in enumerate(late) if step - delay >= flatten_first))
    return CodePattern(books, times, tuple(steps), begins=empty_first >= 0)


def parallel(books: int, times: int, *, empty_first: int = 0) -> CodePattern:
    """All books of a time in one step."""
    return delayed(books, times, delays=[0] * books, empty_first=empty_first)


def flattened(
    books: int, times: int, *, groups: Sequence[int] | None = None, delays: Sequence[int] | None = None
) -> CodePattern:
    """The books of a time one after the other, those with the same number in `groups` together.

    Args:
        groups: place of each book within its time; each on its own by default.
        delays: by how many times a book is late, alike within a group; none by default.

    Raises:
        OptionError: there is not one group and delay a book, or a group has two delays.
    """
    group_of = list(range(books)) if groups is None else list(groups)
    late = [0] * books if delays is None else list(delays)
    if len(group_of) != books or len(late) != books:
        raise OptionError(f"A flattened pattern of {books} books needs a group and a delay for each of them.")
    members = {group: [book for book in range(books) if group_of[book] == group] for group in sorted(set(group_of))}
    if any(len({late[book] for book in held}) > 1 for held in members.values()):
        raise OptionError("Books of one group of a flattened pattern must have the same delay.")
    total = times + max(late)
    placed = []
    for time in range(total):
        for group in range(max(group_of) + 1):
            held = members.get(group, [])
            when = time + (late[held[0]] if held else 0)
            if when < total:
                placed.append((when, tuple((time, book) for book in held)))
    return CodePattern(books, times, ((), *(step for _, step in sorted(placed))))


def coarse_first(books: int, times: int, *, delays: Sequence[int] | None = None) -> CodePattern:
    """The first book of all times, then the others in parallel, late by `delays` (one for each but the first).

    Raises:
        OptionError: there are not as many delays.
    """
    late = [0] * (books - 1) if delays is None else list(delays)
    if len(late) != books - 1:
        raise OptionError(f"A coarse-first pattern of {books} books needs {books - 1} delays, not {len(late)}.")
    steps: list[tuple[Place, ...]] = [(), *(((time, 0),) for time in range(times))]
    for step in range(times + max(late, default=0)):
        steps.append(tuple((step - delay, book) for book, delay in enumerate(late, start=1) if step >= delay))
    return CodePattern(books, times, tuple(steps))


def grouped(books: int, times: int, *, group: int = 2) -> CodePattern:
    """The first `group` books of all times, code by code, then the next (MusicLM, Agostinelli et al. 2023, section
    3.1). With `group` 1, book after book.

    Raises:
        OptionError: the books are not a multiple of the group.
    """
    if group < 1 or books % group:
        raise OptionError(f"{books} books cannot be divided into groups of {group}.")
    steps = [
        ((time, book),)
        for start in range(0, books, group)
        for time in range(times)
        for book in range(start, start + group)
    ]
    return CodePattern(books, times, ((), *steps))
