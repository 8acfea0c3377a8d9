"""Melodies over chords as events: cut, joined, measured."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrion.errors import InputError
from orchestrion.representations.leads import (
    from_plain_key,
    key_of_chords,
    lead_score,
    move,
    to_plain_key,
    track_line,
    voicing,
)
from orchestrion.representations.melody_events import (
    SUSTAIN,
    WIDTH,
    Event,
    Lead,
    bar_lengths,
    chord_class,
    class_chord,
    cut_melody,
    elapsed_classes,
    from_classes,
    join_events,
    success_bar_ratio,
    to_classes,
    to_rows,
)
from orchestrion.theory.chords import INTERVALS, NO_CHORD, Chord, ChordSpan
from orchestrion.theory.harmony import MelodyNote
from orchestrion.theory.keys import Key


@st.composite
def leads(draw):
    """A line of notes and rests of whole sixteenths over chords that change on eighths; ends on a bar line."""
    notes, time = [], 0
    for length, rest, pitch in draw(
        st.lists(st.tuples(st.integers(1, 40), st.integers(0, 6), st.integers(2, 127)), min_size=1, max_size=12)
    ):
        notes.append(MelodyNote((time + rest) / 4, length / 4, pitch))
        time += rest + length
    quarters = -(-time // 16) * 4.0
    borders = sorted({0, *draw(st.lists(st.integers(1, int(quarters) * 2), max_size=6))})
    classes = draw(st.lists(st.integers(0, 48), min_size=len(borders), max_size=len(borders)))
    spans, ends = [], [*borders[1:], int(quarters) * 2]
    for start, end, number in zip(borders, ends, classes, strict=True):
        if end > start:
            spans.append(ChordSpan(start / 2, end / 2, class_chord(number)))
    return Lead(tuple(notes), tuple(spans), quarters)


@given(leads())
@settings(max_examples=40, deadline=None)
def test_events_give_the_melody_back(lead):
    events = cut_melody(lead.melody, lead.chords, quarters=lead.quarters)
    joined = join_events(events)
    assert joined.melody == lead.melody
    assert joined.quarters == lead.quarters
    for time in np.arange(0, lead.quarters, 0.25):
        here = [next(s.chord for s in spans if s.start <= time < s.end) for spans in (lead.chords, joined.chords)]
        assert here[0] == here[1]
    assert set(bar_lengths(events)) <= {16} and events[0].bar and events[0].note != SUSTAIN
    assert sum(event.duration for event in events) == lead.quarters * 4
    assert from_classes(to_classes(events)) == events
    rows = to_rows(events)
    assert rows.shape == (len(events), WIDTH) and (rows.sum(1) == 4).all()


def test_a_note_is_cut_at_bars_and_chords():
    chords = [ChordSpan(0, 3, Chord.parse("C")), ChordSpan(3, 8, Chord.parse("Am"))]
    events = cut_melody([MelodyNote(2, 4, 60)], chords, quarters=8)
    c, a = chord_class(Chord.parse("C")), chord_class(Chord.parse("Am"))
    assert (c, a) == (13, 2)
    assert events == [
        Event(True, c, 8, 0), Event(False, c, 4, 62), Event(False, a, 4, 1),
        Event(True, a, 8, 1), Event(False, a, 8, 0),
    ]  # fmt: skip
    assert elapsed_classes(to_classes(events)[:, 0], to_classes(events)[:, 2]).tolist() == [7, 11, 15, 7, 15]


@pytest.mark.parametrize(
    ("symbol", "mode"),
    [
        ("Cmaj7", "maj"),
        ("Dm7b5", "dim"),
        ("F#9", "7"),
        ("Gsus4", "maj"),
        ("Ebm6", "min"),
        ("Bdim7", "dim"),
        ("A13", "7"),
    ],
)
def test_other_chords_have_the_nearest_mode(symbol, mode):
    chord = Chord.parse(symbol)
    assert class_chord(chord_class(chord)) == Chord(chord.root, mode)


def test_classes_of_chords():
    assert chord_class(NO_CHORD) == 0 and class_chord(0) == NO_CHORD
    assert [chord_class(class_chord(number)) for number in range(49)] == list(range(49))


def test_success_bars():
    assert success_bar_ratio([16, 16, 8, 32]) == 0.5
    assert success_bar_ratio([16, 16, 8, 32], quirks="official") == 0.75
    assert np.isnan(success_bar_ratio([]))


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="off the grid of sixteenths"):
        cut_melody([MelodyNote(0.2, 1, 60)], [], quarters=4)
    with pytest.raises(InputError, match="give one line"):
        cut_melody([MelodyNote(0, 2, 60), MelodyNote(1, 1, 62)], [], quarters=4)


def test_keys_are_left_and_come_back():
    lead = Lead((MelodyNote(0, 4, 90),), (ChordSpan(0, 4, Chord.parse("F#m")),), 4)
    plain = to_plain_key(lead, Key.parse("A major"))
    assert plain.melody[0].pitch % 12 == (90 + 3) % 12 and 65 <= plain.melody[0].pitch <= 77
    assert str(plain.chords[0].chord) == "Am"
    back = from_plain_key(plain, Key.parse("A major"))
    assert back.chords == lead.chords and (back.melody[0].pitch - 90) % 12 == 0
    assert move(move(lead, 5), -5) == lead
    spans = [ChordSpan(4.0 * n, 4.0 * n + 4, Chord.parse(s)) for n, s in enumerate(["Dm", "Gm", "A7", "Dm"])]
    assert str(key_of_chords(spans)) == "D minor"
    with pytest.raises(ValueError, match="no key"):
        key_of_chords([ChordSpan(0, 4, NO_CHORD)])


def test_score_holds_melody_and_chords():
    chords = (ChordSpan(0, 2, Chord.parse("G7")), ChordSpan(2, 4, NO_CHORD))
    lead = Lead((MelodyNote(0, 1.5, 71), MelodyNote(2, 2, 72)), chords, 4)
    score = lead_score(lead, tempo=90, program=40)
    assert [track.name for track in score.tracks] == ["melody", "chords"] and score.tracks[0].program == 40
    assert track_line(score, 0) == list(lead.melody)
    assert sorted(note.pitch for note in score.tracks[1].notes) == [50, 53, 55, 59]
    assert voicing(NO_CHORD) == [] and voicing(Chord.parse("C")) == [48, 52, 55]
    assert len(voicing(Chord.parse("C13"))) == min(4, len(INTERVALS["13"]))
