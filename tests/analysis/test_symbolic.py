"""Features of scores with known answers."""

import numpy as np
import pytest
import symusic

from orchestrion.analysis.chord_summary import chord_summary
from orchestrion.analysis.symbolic import features
from orchestrion.analysis.symbolic_vector import DRUM_GROUPS, VECTOR_NAMES, symbolic_vector
from orchestrion.theory.keys import Key

TPQ = 480
TRIADS = {"C": (60, 64, 67), "G": (55, 59, 62), "Am": (57, 60, 64), "F": (53, 57, 60)}


def score(tempo=120.0, metre=(4, 4)):
    made = symusic.Score(TPQ)
    made.tempos.append(symusic.Tempo(0, tempo))
    made.time_signatures.append(symusic.TimeSignature(0, *metre))
    return made


def track(made, notes, program=0, drums=False):
    made.tracks.append(symusic.Track("", program, drums))
    for start, length, pitch in notes:  # quarters
        made.tracks[-1].notes.append(symusic.Note(int(start * TPQ), int(length * TPQ), pitch, 80))
    return made


def progression(times=4):
    made, names = score(), ["C", "G", "Am", "F"] * times
    chords = [(4 * i, 4, pitch) for i, name in enumerate(names) for pitch in TRIADS[name]]
    track(made, chords)
    track(made, [(i, 0.5, 36) for i in range(16 * times)], drums=True)
    return track(made, [(4 * i, 2, TRIADS[name][0] - 24) for i, name in enumerate(names)], program=33)


def test_a_four_chord_song():
    found = features(progression(), chord_frame="bar")
    assert found.key == Key.parse("C major")
    assert (found.tempo, found.metre, found.bars) == (120, (4, 4), 16)
    assert found.seconds == pytest.approx(32)
    assert found.chord_labels == ("C", "G", "Am", "F") * 4
    assert (found.chord_sequence, found.chord_count) == (("C", "G", "Am", "F"), 4)
    assert found.chord_times[:3] == pytest.approx((0, 2, 4))
    assert found.instruments == (0, 128, 33)
    assert found.sounding == pytest.approx((96, 16, 16))
    assert found.instrument_summary == ("Piano", "Drums", "Electric Bass")
    assert (found.lowest, found.highest) == (29, 67)
    assert found.notes == 48 + 64 + 16
    assert found.note_density == pytest.approx(128 / 32)
    assert found.duration_word == "Short song"


def test_a_late_rare_instrument_does_not_win_as_it_does_in_the_published_rule():
    made = track(score(), [(i, 1, 60 + i % 5) for i in range(64)])
    track(made, [(60, 1, 72)], program=73)
    assert features(made).instruments == (0, 73)


def test_the_tempo_and_metre_that_rule_the_piece():
    made = track(score(60.0, (3, 4)), [(i, 1, 60) for i in range(40)])
    made.tempos.append(symusic.Tempo(4 * TPQ, 90.0))
    made.time_signatures.append(symusic.TimeSignature(3 * TPQ, 4, 4))
    found = features(made)
    assert found.tempo == pytest.approx(90, abs=0.01)
    assert found.metre == (4, 4)
    assert found.tempo_changes == 1


def test_defaults_of_the_midi_standard():
    made = track(symusic.Score(TPQ), [(0, 4, 60)])
    found = features(made)
    assert (found.tempo, found.metre, found.key, found.chords) == (120, (4, 4), None, ())


def test_an_empty_score_has_zeros():
    found = features(symusic.Score(TPQ))
    assert (found.notes, found.bars, found.seconds, found.instruments, found.polyphony) == (0, 0, 0, (), 0)
    assert symbolic_vector(symusic.Score(TPQ), found).shape == (len(VECTOR_NAMES),)


@pytest.mark.parametrize(
    "notes, polyphony",
    [
        ([(0, 1, 60), (1, 1, 62)], 1.0),
        ([(0, 2, 60), (0, 2, 64)], 2.0),
        ([(0, 4, 60), (1, 1, 64), (3, 1, 67)], 1.5),
        ([(0, 1, 60), (9, 1, 60)], 1.0),
    ],
)
def test_polyphony_is_note_time_over_sounding_time(notes, polyphony):
    assert features(track(score(), notes)).polyphony == pytest.approx(polyphony)


def test_transposition_moves_key_and_chords_only():
    plain, moved = progression(), progression()
    for part in moved.tracks:
        if not part.is_drum:
            part.shift_pitch(3, inplace=True)
    a, b = features(plain), features(moved)
    assert b.key == a.key.transpose(3)
    assert [span.chord for span in b.chords] == [span.chord.transpose(3) for span in a.chords]
    assert (a.tempo, a.bars, a.polyphony, a.instruments) == (b.tempo, b.bars, b.polyphony, b.instruments)


def test_the_vector_knows_who_plays_when():
    made = progression()
    vector = dict(zip(VECTOR_NAMES, symbolic_vector(made, features(made)), strict=True))
    assert vector["plays Drums"] == vector["metre 4/4"] == vector["onsets at 0/12"] == vector["drum kick"] == 1
    assert vector["plays Flute"] == vector["drum snare"] == vector["onsets at 6/12"] == 0
    assert vector["share of Piano"] == pytest.approx(96 / 128)
    assert vector["log tempo"] == pytest.approx(np.log2(1.2))
    assert len({key for keys in DRUM_GROUPS.values() for key in keys}) == sum(map(len, DRUM_GROUPS.values()))


def test_short_chord_sequences_are_their_own_summary():
    assert chord_summary([]) == ((), 0)
    assert chord_summary(["C"]) == (("C",), 1)
    assert chord_summary(["C", "F"]) == (("C", "F"), 1)
    assert chord_summary(["A", "B"] * 5) == (("A", "B"), 4)
