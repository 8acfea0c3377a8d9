"""Harmonies for bare melodies: cadences, functions, chord tones, and what each option changes."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrion.data.factory.sources import read_tunes
from orchestrion.theory.chords import Chord, ChordSpan
from orchestrion.theory.harmony import (
    MelodyNote,
    beat_length,
    chord_tone_share,
    harmonic_rhythm,
    harmonise,
    stress,
)
from orchestrion.theory.keys import Key

C, A_MINOR = Key(0, "major"), Key(9, "minor")


def melody(pitches, length=1.0):
    return [MelodyNote(i * length, length, p) for i, p in enumerate(pitches) if p is not None]


ODE = melody([64, 64, 65, 67, 67, 65, 64, 62, 60, 60, 62, 64, 64, 62, 62, None]) + melody([])
TWINKLE = melody([60, 60, 67, 67, 69, 69, 67, None, 65, 65, 64, 64, 62, 62, 60, None])


def at(spans, time):
    return next(s.chord for s in spans if s.start <= time < s.end)


def test_a_nursery_tune_gets_the_chords_everybody_plays():
    chords = harmonise(TWINKLE, C, (4, 4))
    assert at(chords, 0).harte() == "C:maj"
    assert at(chords, 4).harte() == "F:maj"  # A A
    assert at(chords, 12).root == 7  # D D
    assert at(chords, 14).harte() == "C:maj"  # the last C


def test_minor_ends_with_a_major_dominant_and_the_tonic():
    chords = harmonise(melody([69, 72, 76, 72, 74, 71, 68, 71, 69, 72, 76, 76, 71, 68, 69, 69]), A_MINOR, (4, 4))
    assert chords[-1].chord.harte() == "A:min"
    assert any(s.chord.root == 4 and s.chord.quality in ("maj", "7") for s in chords)


@pytest.mark.parametrize("metre", [(4, 4), (3, 4), (2, 4), (6, 8), (9, 8), (12, 8), (5, 4)])
def test_spans_cover_all_bars_without_gaps(metre):
    bar = 4 * metre[0] / metre[1]
    rng = np.random.default_rng(1)
    notes = [
        MelodyNote(i * bar / 2, bar / 2, int(p)) for i, p in enumerate(rng.choice([60, 62, 64, 65, 67, 69, 71], 16))
    ]
    spans = harmonise(notes, C, metre)
    assert spans[0].start == 0
    assert spans[-1].end == pytest.approx(8 * bar)
    assert all(a.end == pytest.approx(b.start) and a.chord != b.chord for a, b in pairwise(spans))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(55, 80), min_size=8, max_size=24), st.integers(1, 11), st.sampled_from(["major", "minor"]))
def test_transposing_the_tune_transposes_the_chords(pitches, shift, mode):
    key = Key(0, mode)
    plain = harmonise(melody(pitches), key, (4, 4))
    moved = harmonise(melody([p + shift for p in pitches]), key.transpose(shift), (4, 4))
    assert [s.chord.transpose(shift) for s in plain] == [s.chord for s in moved]
    assert plain[-1].chord.root == 0  # the last chord is the tonic whatever the tune


def test_options_change_what_they_say():
    plain = harmonise(TWINKLE, C, (4, 4))
    jazzy = harmonise(TWINKLE, C, (4, 4), colour=1.0)
    assert {s.chord.quality for s in plain} <= {"maj", "min", "7"}
    assert {s.chord.quality for s in jazzy} & {"maj7", "maj6", "min7"}
    moving = harmonise(TWINKLE, C, (4, 4), movement=2.0)
    assert len(moving) >= len(plain)
    avoided = harmonise(TWINKLE, C, (4, 4), taste={"IV": 5.0})
    assert "F:maj" not in {s.chord.harte() for s in avoided}
    assert harmonise(melody([60, 64, 67, 67, 65, 62, 59, 62]), C, (4, 4), final=False)[-1].chord.root == 7


def test_a_pick_up_bears_no_chord():
    notes = [MelodyNote(-1, 1, 67), *TWINKLE]
    assert harmonise(notes, C, (4, 4)) == harmonise(TWINKLE, C, (4, 4))


def test_an_empty_melody_is_refused():
    with pytest.raises(ValueError, match="without notes"):
        harmonise([], C, (4, 4))


def test_metre():
    assert [stress(t, (4, 4)) for t in (0, 1, 2, 2.5)] == [1.0, 0.6, 0.8, 0.3]
    assert [stress(t, (6, 8)) for t in (0, 0.5, 1.5)] == [1.0, 0.3, 0.8]
    assert [stress(t, (3, 4)) for t in (0, 1, 2)] == [1.0, 0.6, 0.6]
    assert (beat_length((6, 8)), beat_length((3, 4)), beat_length((3, 8)), beat_length((2, 2))) == (1.5, 1.0, 0.5, 2.0)
    assert (harmonic_rhythm((4, 4)), harmonic_rhythm((3, 4)), harmonic_rhythm((6, 8))) == (2.0, 3.0, 1.5)


def test_chord_tone_share_counts_strong_beats_only():
    notes = melody([60, 61, 62, 61])
    spans = [ChordSpan(0, 4, Chord(0, "maj"))]
    assert chord_tone_share(notes, spans, (4, 4)) == 0.5  # C on the bar line fits, D on the half bar does not
    with pytest.raises(ValueError, match="strong beat"):
        chord_tone_share([MelodyNote(0.5, 0.5, 60)], spans, (4, 4))


def test_nine_tenths_of_strong_beat_notes_of_folk_tunes_are_chord_tones():
    shares = []
    for number, tune in enumerate(read_tunes(redistributable_only=True, folders=("miscFolk",))):
        if number > 60:
            break
        for strain, closed in zip(tune.strains, tune.closed, strict=True):
            notes = [MelodyNote(float(n.onset), float(n.duration), n.pitch) for n in strain.notes]
            spans = harmonise(notes, tune.key, tune.metre, bars=strain.bars, final=closed)
            shares.append(chord_tone_share(notes, spans, tune.metre))
    assert len(shares) > 60
    assert np.mean(shares) >= 0.9
