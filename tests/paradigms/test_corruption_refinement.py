"""Passes over segments: which are written, in which order, and what the one that writes is shown."""

from __future__ import annotations

import random

from orchestrion.paradigms.corruption_refinement import refine, write_around, write_gap
from orchestrion.representations.performance_tokens import TimedNote, without_doubles


def note(pitch: int, onset: int = 0) -> TimedNote:
    return TimedNote(pitch, 60, onset, 500)


SEGMENTS = [[note(60 + place)] for place in range(6)]


class Recorder:
    """Writes one high note, and keeps what it was shown."""

    def __init__(self) -> None:
        self.shown: list[tuple[int, list]] = []

    def __call__(self, place, tokens):
        self.shown.append((place, tokens))
        return [note(100)]

    def pitches(self, number: int) -> list[int]:
        return [token[1] for token in self.shown[number][1] if isinstance(token, tuple) and token[0] == "piano"]


def test_a_pass_leaves_the_ends_and_what_is_protected():
    write = Recorder()
    made = refine(
        SEGMENTS, write, corruption="whole_mask", rate=1.0, genre="jazz", chance=lambda place: random.Random(place),
        protected={3},
    )  # fmt: skip
    assert [place for place, _ in write.shown] == [2, 4]
    assert [segment[0].pitch for segment in made] == [60, 61, 100, 63, 100, 65]
    assert 100 in write.pitches(1) and 62 not in write.pitches(1)  # the second sees what became of the first
    assert [segment[0].pitch for segment in SEGMENTS] == [60, 61, 62, 63, 64, 65]


def test_a_higher_rate_takes_the_same_segments_and_more():
    taken = []
    for rate in (0.2, 0.5, 1.0):
        write = Recorder()
        refine(
            SEGMENTS * 5, write, corruption="whole_mask", rate=rate, genre="jazz",
            chance=lambda place: random.Random(place),
        )  # fmt: skip
        taken.append({place for place, _ in write.shown})
    assert taken[0] < taken[1] < taken[2] and len(taken[2]) == 27


def test_a_gap_is_written_from_the_left_and_only_its_end_sees_what_follows():
    write = Recorder()
    made = write_gap(SEGMENTS, range(2, 4), write, genre="pop", before=2, after=2)
    assert list(made) == [2, 3] and [segment[0].pitch for segment in made.values()] == [100, 100]
    assert write.pitches(0) == [60, 61] and write.pitches(1) == [61, 100, 64, 65]
    for _, tokens in write.shown:
        assert tokens[tokens.index("whole_mask") : tokens.index("whole_mask") + 3] == ["whole_mask", "pop", "mask"]


def test_melody_is_shown_as_a_skyline_and_silence_is_left():
    write = Recorder()
    made = write_around([[note(60), note(72)], [], [note(64)]], write, genre="classical", before=1, after=1)
    assert [place for place, _ in write.shown] == [0, 2] and made[1] == []
    assert write.pitches(0)[0] == 72 and 60 not in write.pitches(0)
    assert write_around([[note(60)]], lambda place, tokens: [], genre="pop", before=1, after=1) == [[note(60)]]


def test_doubles_are_notes_of_one_pitch_that_sound_together():
    tune = [note(60), note(64, 600)]
    assert without_doubles([note(60, 400), note(60, 500), note(64, 650), note(67)], tune) == [note(60, 500), note(67)]
