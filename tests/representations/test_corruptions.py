"""Corruptions of odd segments with the official quirks: the values that the published `corruptions.py` gives."""

from __future__ import annotations

import pytest

from orchestrion.representations.corruptions import CORRUPTIONS, cut_at_last_break
from orchestrion.representations.performance_tokens import BREAK, NEAR_END, Item, TimedNote, note_tokens


class Drawn:
    """A source of chance that gives what is listed."""

    def __init__(self, *values: object) -> None:
        self.values = list(values)

    def _next(self, *arguments: object) -> object:
        return self.values.pop(0)

    random = uniform = randint = choice = shuffle = _next


def notes(*found: Item | tuple[int, int, int, int]) -> list[Item]:
    return [one if isinstance(one, str) else TimedNote(*one) for one in found]


@pytest.mark.parametrize(
    ("name", "segment", "drawn", "expected"),
    [
        ("skyline", [NEAR_END, (60, 50, 0, 100)], [], [NEAR_END]),
        # onsets far apart, whichever comes first
        (
            "skyline",
            [(60, 50, 500, 100), (64, 50, 0, 100), (67, 50, 300, 100)],
            [],
            [(60, 90, 500, 100), (64, 90, 0, 100), (67, 90, 300, 100)],
        ),
        ("skyline", [(0, 50, 0, 100), (64, 50, 200, 100)], [], [(64, 90, 200, 100)]),
        (
            "skyline",
            [(60, 50, 0, 100), NEAR_END, NEAR_END, (64, 50, 20, 100), (67, 50, 300, 100)],
            [],
            [NEAR_END, NEAR_END, (60, 90, 0, 100), (64, 90, 20, 100), (67, 90, 300, 100)],
        ),
        (
            "fragmentation",
            [NEAR_END, (60, 50, 0, 100), NEAR_END, (64, 50, 20, 100)],
            [0.5],
            [NEAR_END, (60, 50, 0, 100), NEAR_END],
        ),
        (
            "incorrect_transposition",
            [(126, 50, 0, 100), (2, 50, 20, 100)],
            [True, 5, True, -5],
            [(131, 50, 0, 100), (-3, 50, 20, 100)],
        ),
        (  # a new note between, above the range, 400 ms after the first although the next one lies before it
            "note_modification",
            [(126, 50, 400, 600), (60, 50, 0, 100), (60, 50, 0, 100)],
            [0.1, 0.5, 0.1, 0.5, 0.4, 0.0, 5, 45, 400, 0, 0.1, 0.5],
            [(126, 50, 400, 300), (131, 45, 800, 300), (60, 50, 0, 100)],
        ),
        (  # the second left out; its time goes to the first
            "note_modification",
            [(62, 50, 400, 200), (60, 50, 0, 100), (60, 50, 0, 100)],
            [0.4, 0.0, 0.1, 0.5],
            [(62, 50, 400, 300)],
        ),
    ],
)
def test_odd_segments(name, segment, drawn, expected):
    chance = Drawn(*drawn)
    assert CORRUPTIONS[name][1](notes(*segment), chance, quirks="official") == note_tokens(notes(*expected))
    assert not chance.values


def test_pitches_stay_in_range_without_the_quirk():
    transpose = CORRUPTIONS["incorrect_transposition"][1]
    made = transpose(notes((126, 50, 0, 100), (2, 50, 20, 100)), Drawn(True, 5, True, -5))
    assert made == note_tokens(notes((127, 50, 0, 100), (0, 50, 20, 100)))


def test_the_published_cut_leaves_nothing_without_a_break():
    assert cut_at_last_break(["mask"]) == []
    assert cut_at_last_break(["mask", BREAK, "mask"]) == ["mask", BREAK]
