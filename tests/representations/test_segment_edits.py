"""Scores whose segments are written anew: which tracks, and what becomes of their notes."""

import pytest
import symusic

from orchestrion.errors import InputError, OptionError
from orchestrion.representations.performance_events import EventVocabulary, StepNote
from orchestrion.representations.segment_edits import Faded, choose_tracks


def score():
    """A piano, a flute and drums, two bars of quarters each."""
    made = symusic.Score(480)
    for name, program, drums, pitch in (("piano", 0, False, 60), ("flute", 73, False, 84), ("drums", 0, True, 36)):
        track = symusic.Track(name, program, drums)
        track.notes.extend([symusic.Note(480 * n, 470, pitch, 60 + n) for n in range(8)])
        made.tracks.append(track)
    return made


def test_tracks_are_chosen():
    given = score()
    assert choose_tracks(given) == [0]
    assert choose_tracks(given, ["Flute", "1"]) == [0, 1]
    with pytest.raises(OptionError, match="no pitched track 'oboe'; there are piano, flute"):
        choose_tracks(given, ["oboe"])
    with pytest.raises(OptionError, match="no pitched track 'drums'"):
        choose_tracks(given, ["drums"])
    del given.tracks[1], given.tracks[0]
    with pytest.raises(InputError, match="no pitched notes"):
        choose_tracks(given)


def test_new_notes_go_to_the_track_that_was_nearest_and_take_the_loudness_before_them():
    given, vocabulary = score(), EventVocabulary(shifts=16, velocities=0)
    faded = Faded.from_score(given, [0, 1], vocabulary, "sixteenths")
    faded.replace(faded.segments[1], vocabulary.encode([StepNote(2, 4, 58), StepNote(5, 6, 90)]))
    made = faded.score()
    notes = [[(n.time, n.duration, n.pitch, n.velocity) for n in track.notes] for track in made.tracks]
    assert notes[0][4:] == [(1920 + 240, 240, 58, 64)] and notes[1][4:] == [(1920 + 600, 120, 90, 65)]
    assert notes[2] == [(480 * n, 470, 36, 60 + n) for n in range(8)]
    report = faded.report()
    assert (report["segments written"], report["segments kept"]) == (1, 1) and report["note density"] == [2.0, 3 / 16]
