"""Figures of melodies over chords by known answers."""

import numpy as np
import pytest
from symusic import Note, Score, TimeSignature, Track

from orchestrion.evaluation.melody_line import melody_line
from orchestrion.evaluation.melody_over_chords import FIGURES, melody_figures
from orchestrion.theory.chords import Chord, ChordSpan

C, G = (ChordSpan(start, start + 4.0, Chord.parse(name)) for start, name in ((0.0, "C"), (4.0, "G")))


def tune(*pitches: int | None):
    """Quarter notes, None for a rest."""
    score = Score(4)
    score.time_signatures.append(TimeSignature(0, 4, 4))
    track = Track("melody", 0, False)
    for place, pitch in enumerate(pitches):
        if pitch is not None:
            track.notes.append(Note(4 * place, 4, pitch, 90))
    score.tracks.append(track)
    return melody_line(score)


def test_a_melody_of_chord_tones():
    found = melody_figures(tune(60, 64, 67, 64, 67, 71, 74, 71), [C, G], quarters=8)
    assert set(found) == {figure.name for figure in FIGURES}
    assert found["chord_tones"] == 1
    assert found["notes_a_quarter"] == 1
    assert found["step"] == pytest.approx((4 + 3 + 3 + 3 + 4 + 3 + 3) / 7)
    assert found["range"] == 14
    assert found["silence"] == 0
    assert found["repetition"] == 0.5  # the second bar is the first, a fifth higher


def test_strange_notes_and_rests_are_told():
    found = melody_figures(tune(61, None, 66, None, 61, None, 66, None), [C, G], quarters=8)
    assert found["chord_tones"] == 0
    assert found["silence"] == 0.5
    assert found["notes_a_quarter"] == 0.5
    fitting = melody_figures(tune(60, None, 67, None, 67, None, 74, None), [C, G], quarters=8)
    assert fitting["consonance"] > found["consonance"]
    assert fitting["tonal_distance"] < found["tonal_distance"]


def test_what_lies_behind_does_not_count_and_silence_has_no_figures():
    line = tune(60, 64, 67, 64, 61, 61, 61, 61)
    assert melody_figures(line, [C, G], quarters=4)["chord_tones"] == 1
    empty = melody_figures(line.select(np.zeros(0, int)), [C, G], quarters=4)
    assert np.isnan(empty["chord_tones"])
    assert np.isnan(empty["step"])
    assert empty["silence"] == 1
