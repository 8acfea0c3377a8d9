"""Added notes leave those of a track as they are, also in the file that is written."""

from collections import Counter

import symusic
from hypothesis import given
from hypothesis import strategies as st

from orchestrion.media.added_notes import add_notes
from orchestrion.media.score import midi_bytes

NOTES = st.lists(
    st.builds(
        symusic.Note,
        st.integers(0, 60),
        st.integers(1, 40),
        st.integers(60, 62),
        st.integers(1, 127),
    ),
    max_size=12,
)


def track(*notes, drums=False):
    made = symusic.Track("a", 0, drums)
    for time, duration, pitch in notes:
        made.notes.append(symusic.Note(time, duration, pitch, 80))
    return made


def spans(made):
    return [(note.time, note.duration, note.pitch) for note in made.notes]


def added(held, new, **options):
    made = track(*held, **options)
    add_notes(made, list(track(*new).notes))
    return spans(made)


def test_a_key_that_sounds_is_not_struck():
    assert added([(0, 10, 60)], [(4, 4, 60), (4, 4, 61)]) == [(0, 10, 60), (4, 4, 61)]
    assert added([(0, 10, 60)], [(0, 4, 60)]) == [(0, 10, 60)]
    assert added([(0, 10, 60)], [(10, 4, 60)]) == [(0, 10, 60), (10, 4, 60)]
    assert added([(0, 20, 60), (2, 3, 60)], [(8, 4, 60)]) == [(0, 20, 60), (2, 3, 60)]


def test_a_note_ends_where_the_next_begins():
    assert added([(10, 5, 60)], [(4, 20, 60)]) == [(4, 6, 60), (10, 5, 60)]
    assert added([], [(4, 20, 60), (9, 2, 60)]) == [(4, 5, 60), (9, 2, 60)]
    assert added([], [(4, 20, 60), (4, 2, 60)]) == [(4, 2, 60)]


def test_drums_are_all_added():
    assert added([(0, 10, 36)], [(0, 4, 36), (4, 4, 36)], drums=True) == [(0, 10, 36), (0, 4, 36), (4, 4, 36)]


@given(NOTES, NOTES)
def test_what_was_there_is_in_the_file(held, new):
    made = symusic.Track("a", 0, False)
    add_notes(made, held)  # so that no two of them sound together
    before = [(note.time, note.duration, note.pitch, note.velocity) for note in made.notes]
    add_notes(made, new)
    score = symusic.Score(480)
    score.tracks.append(made)
    read = symusic.Score.from_midi(midi_bytes(score)) if len(made.notes) else symusic.Score(480)
    after = Counter((note.time, note.duration, note.pitch, note.velocity) for one in read.tracks for note in one.notes)
    assert not Counter(before) - after
    assert sum(after.values()) == len(made.notes)
    assert list(made.notes) == sorted(made.notes, key=lambda note: (note.time, note.pitch))
