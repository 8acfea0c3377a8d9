"""Passes over segments: which are written, in which order, and what the one that writes is shown."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from orchestrion.paradigms.corruption_refinement import refine, write_gap
from orchestrion.representations.performance_tokens import TimedNote, without_doubles


def note(pitch: int, onset: int = 0) -> TimedNote:
    return TimedNote(pitch, 60, onset, 500)


SEGMENTS = [[note(60 + place)] for place in range(6)]


class Recorder:
    """Writes one high note, and keeps what it was shown."""

    def __init__(self) -> None:
        self.shown: list[tuple[int, list]] = []
        self.at_once: list[int] = []

    def __call__(self, requests):
        self.shown += [(one.place, one.tokens) for one in requests]
        self.at_once.append(len(requests))
        return [[note(100)] for _ in requests]

    def pitches(self, number: int) -> list[int]:
        return [token[1] for token in self.shown[number][1] if isinstance(token, tuple) and token[0] == "piano"]


def seeded(number, place):
    return random.Random(f"{number}/{place}")


def test_a_pass_leaves_the_ends_and_what_is_protected():
    write = Recorder()
    (made,) = refine(
        SEGMENTS, write, corruptions=["whole_mask"], rate=1.0, genre="jazz", chance=seeded, protected={3}
    )  # fmt: skip
    assert [place for place, _ in write.shown] == [2, 4]
    assert [segment[0].pitch for segment in made] == [60, 61, 100, 63, 100, 65]
    assert 100 in write.pitches(1) and 62 not in write.pitches(1)  # the second sees what became of the first
    assert [segment[0].pitch for segment in SEGMENTS] == [60, 61, 62, 63, 64, 65]


def test_the_published_context_counts_segments_that_are_not_protected():
    options = {"corruptions": ["whole_mask"], "rate": 1.0, "genre": "jazz", "protected": {3, 4}, "first": 0}
    options |= {"before": 1, "after": 1, "keep_last": False, "chance": lambda number, place: random.Random(1)}
    ours, official = Recorder(), Recorder()
    refine(SEGMENTS, ours, **options)
    refine(SEGMENTS, official, quirks="official", **options)
    assert [place for place, _ in official.shown] == [0, 1, 2, 5]
    assert [ours.pitches(number) for number in range(4)] == [[61], [100, 62], [100, 63], [64]]
    assert [official.pitches(number) for number in range(4)] == [[61], [100, 62], [100, 63, 64, 65], [100, 63, 64]]


def test_a_higher_rate_takes_the_same_segments_and_more():
    taken = []
    for rate in (0.2, 0.5, 1.0):
        write = Recorder()
        refine(SEGMENTS * 5, write, corruptions=["whole_mask"], rate=rate, genre="jazz", chance=seeded)
        taken.append({place for place, _ in write.shown})
    assert taken[0] < taken[1] < taken[2] and len(taken[2]) == 27


def from_what_it_sees(requests):
    """Writes a segment that tells apart what the encoder read."""
    return [[note(random.Random(repr((one.number, one.tokens))).randrange(128))] for one in requests]


@pytest.mark.parametrize("rate", [0.3, 1.0])
@pytest.mark.parametrize(("before", "after"), [(1, 1), (5, 2), (0, 3)])
def test_passes_side_by_side_leave_what_passes_one_after_another_leave(rate, before, after):
    options = {"rate": rate, "genre": "pop", "before": before, "after": after}
    recipe = ["random", "skyline", "fragmentation", "random"]
    sizes = []

    def write(requests):
        sizes.append(len(requests))
        return from_what_it_sees(requests)

    together = refine(SEGMENTS * 5, write, corruptions=recipe, chance=seeded, **options)
    expected = SEGMENTS * 5
    for number, corruption in enumerate(recipe):
        # one pass alone, one segment at a time
        (expected,) = refine(
            expected, lambda requests, n=number: from_what_it_sees([replace(one, number=n) for one in requests]),
            corruptions=[corruption], chance=lambda _, place, n=number: seeded(n, place), most=1, **options,
        )  # fmt: skip
        assert together[number] == expected
    assert max(sizes) > 1


def test_all_passes_are_reported_in_the_end_and_no_wave_is_too_large():
    write, told = Recorder(), []
    refine(
        SEGMENTS * 9, write, corruptions=["skyline"] * 6, rate=0.4, genre="pop", chance=seeded, before=0, after=0,
        most=3, progress=lambda done, whole: told.append((done, whole)),
    )  # fmt: skip
    assert max(write.at_once) == 3 and told[-1] == (6, 6) and told == sorted(told)


def test_a_gap_is_written_from_the_left_and_only_its_end_sees_what_follows():
    write = Recorder()
    made = write_gap(SEGMENTS, range(2, 4), write, genre="pop", before=2, after=2)
    assert list(made) == [2, 3] and [segment[0].pitch for segment in made.values()] == [100, 100]
    assert write.pitches(0) == [60, 61] and write.pitches(1) == [61, 100, 64, 65]
    for _, tokens in write.shown:
        assert tokens[tokens.index("whole_mask") : tokens.index("whole_mask") + 3] == ["whole_mask", "pop", "mask"]


def test_doubles_are_notes_of_one_pitch_that_sound_together():
    tune = [note(60), note(64, 600)]
    assert without_doubles([note(60, 400), note(60, 500), note(64, 650), note(67)], tune) == [note(60, 500), note(67)]
