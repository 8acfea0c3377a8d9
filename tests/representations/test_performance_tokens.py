"""Tokens of performances and corruptions: round trips, what each corruption leaves, and the slips that are mended."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrion.representations.corruptions import CORRUPTIONS, corrupt, skyline
from orchestrion.representations.performance_tokens import (
    NEAR_END,
    PerformanceVocabulary,
    TimedNote,
    from_segment,
    join_segments,
    mark_near_end,
    note_tokens,
    read_notes,
    split_segments,
    to_segments,
)

WORDS = PerformanceVocabulary()
NOTES = st.builds(
    TimedNote,
    st.integers(0, 127),
    st.sampled_from(WORDS.velocities),
    st.integers(0, 1999).map(lambda n: 10 * n),
    st.integers(1, 500).map(lambda n: 10 * n),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(NOTES, max_size=30))
def test_notes_return_from_their_ids(notes):
    segments = to_segments(notes, WORDS)
    ids = WORDS.encode(note_tokens(join_segments(segments)))
    back = split_segments(read_notes(WORDS.decode(ids)))
    found = [note for place, segment in enumerate(back) for note in from_segment(segment, 5000 * place)]
    assert sorted(found) == sorted(notes)


@settings(max_examples=25, deadline=None)
@given(st.integers(-40, 200), st.integers(1, 127), st.integers(0, 9000), st.integers(0, 20000))
def test_what_fits_is_in_the_vocabulary(pitch, velocity, onset, duration):
    small = PerformanceVocabulary((45, 60, 90), 24, 103, 20, 2500)
    for words in (WORDS, small):
        note = words.fit(TimedNote(pitch, velocity, onset, duration))
        assert all(token in words.ids for token in note_tokens([note]))
        assert (note.pitch - pitch) % 12 == 0


@settings(max_examples=20, deadline=None)
@given(st.lists(NOTES, min_size=1, max_size=12), st.integers(0, 99), st.sampled_from(sorted(CORRUPTIONS)))
def test_corruptions_leave_what_they_say(notes, seed, name):
    (segment, *_) = to_segments([note._replace(onset=note.onset % 5000) for note in notes], WORDS)
    made = corrupt(name, segment, random.Random(seed), genre="jazz")
    assert made[:2] == [CORRUPTIONS[name][0], "jazz"]
    kept = read_notes(made[2:])
    if name in ("pitch_velocity_mask", "onset_duration_mask"):
        assert len(made) == 2 + 3 * len(segment)
    elif name == "whole_mask":
        assert made[2:] == ["mask"]
    elif name.startswith("permute"):
        assert sorted(n.pitch for n in kept) == sorted(n.pitch for n in segment)
        assert [(n.onset, n.duration) for n in kept] == [(n.onset, n.duration) for n in segment]
    elif name == "fragmentation":
        assert kept == segment[: len(kept)] and len(kept) <= len(segment) / 2
    elif name == "incorrect_transposition":
        assert all(abs(a.pitch - b.pitch) <= 5 and a[1:] == b[1:] for a, b in zip(kept, segment, strict=True))
    else:
        assert kept  # neither skyline nor note_modification leaves nothing


def test_skyline_keeps_the_last_group():
    segment = [
        TimedNote(60, 50, 0, 100),
        TimedNote(64, 60, 20, 100),
        TimedNote(55, 60, 400, 90),
        TimedNote(50, 60, 420, 90),
    ]
    kept = read_notes(skyline(segment, random.Random(0)))
    assert [(note.pitch, note.velocity) for note in kept] == [(64, 90), (55, 90)]
    assert len(read_notes(skyline(segment, random.Random(0), quirks="official"))) == 1


def test_the_mark_of_the_end_stands_about_where_it_is_asked_for():
    segments = [[TimedNote(60, 60, 10 * n, 10) for n in range(50)] for _ in range(2)]
    tokens = note_tokens(join_segments(mark_near_end(segments, tokens=100)))
    assert abs(len(tokens) - tokens.index(NEAR_END) - 100) <= 4
    with pytest.raises(KeyError):
        WORDS.encode([("piano", 200, 60)])
