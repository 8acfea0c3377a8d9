"""Values that music21 10.5.1 gave."""

import numpy as np
import pytest

from orchestrion.analysis.music21_keys import TickNote, music21_best, music21_histogram, music21_scores


def quarters(*notes, drum=(), marks=()):
    track = [TickNote(round(start * 480), round(end * 480), pitch, pitch in drum) for pitch, start, end in notes]
    found = music21_histogram([track], 480, marks=[[round(mark * 480) for mark in marks]])
    return None if found is None else {pitch: value for pitch, value in enumerate(found) if value}


def test_a_chord_is_as_long_as_its_last_note():
    assert quarters((60, 0, 0.75), (64, 0, 1), (67, 0, 2)) == {0: 1, 4: 1, 7: 2}
    assert quarters((60, 0, 1), (64, 0, 0.75), drum=(64,)) == {}
    assert quarters((60, 0, 1), drum=(60,)) is quarters() is None


def test_lengths_are_on_the_grid_and_fill_gaps():
    assert quarters((60, 0, 0.385), (62, 0.5, 0.885)) == {0: 0.5, 2: pytest.approx(1 / 3)}
    assert quarters((60, 0, 0.01), (62, 1, 1)) == {0: 0.25}
    assert quarters((60, 0, 0.385)) == {0: pytest.approx(1 / 3)}
    assert quarters((60, 0, 0.385), marks=[0.5]) == {0: 0.5}


@pytest.mark.parametrize(("pitches", "best"), [((0, 2, 4, 6, 8, 10), 15), ((1, 4, 7, 10), 9), (range(12), 23)])
def test_ties(pitches, best):
    assert music21_best(music21_scores(np.isin(np.arange(12), list(pitches)).astype(float))) == best
