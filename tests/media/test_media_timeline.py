"""The tempo map against known answers, `pretty_midi` (seconds, bar lines) and `music21` (bars and beats)."""

from __future__ import annotations

import io

import numpy as np
import pretty_midi
import pytest
import symusic
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrion.media.timeline import Timeline

TPQ = 480
METRES = ((4, 4), (3, 4), (2, 4), (2, 2), (5, 4), (6, 8), (9, 8), (12, 8), (7, 8))
tempos = st.lists(st.tuples(st.integers(0, 40_000), st.integers(100_000, 2_000_000)), max_size=6)
metre_runs = st.lists(st.tuples(st.sampled_from(METRES), st.integers(1, 5)), min_size=1, max_size=4)
cuts = st.lists(st.tuples(st.integers(0, 30_000), st.integers(1, 12), st.sampled_from((1, 2, 4, 8, 16))), max_size=5)


def bar_ticks(metre):
    return metre[0] * 4 * TPQ // metre[1]


def score_of(tempo_events=(), metre_events=(), end=9600):
    made = symusic.Score(TPQ)
    for tick, mspq in tempo_events:
        made.tempos.append(symusic.Tempo(tick, mspq=mspq))
    for tick, numerator, denominator in metre_events:
        made.time_signatures.append(symusic.TimeSignature(tick, numerator, denominator))
    made.tracks.append(symusic.Track("", 0, False))
    made.tracks[0].notes.append(symusic.Note(0, end, 60, 80))
    return made


def runs(metres):
    """Time signatures at bar lines, and the tick after the last bar."""
    tick, events = 0, []
    for metre, bars in metres:
        events.append((tick, *metre))
        tick += bars * bar_ticks(metre)
    return events, tick


def test_defaults():
    timeline = Timeline(tpq=TPQ, end=4 * TPQ + 1)
    assert (timeline.metre_at(99), timeline.tempo_at(99), timeline.pickup) == ((4, 4), 120, 0)
    assert timeline.tick_to_second(TPQ) == 0.5
    assert timeline.tick_to_bar(6 * TPQ) == 1.5
    assert timeline.n_bars == 2
    assert Timeline(tpq=TPQ).n_bars == 0
    assert Timeline(tpq=TPQ).bar_starts.tolist() == []


def test_tempo_changes():
    timeline = Timeline(tpq=TPQ, tempos=[(960, 1_000_000), (1920, 250_000)])
    assert timeline.tick_to_second(np.array([0, 960, 1920, 2880])).tolist() == [0, 1, 3, 3.5]
    assert timeline.second_to_tick(np.array([0.5, 2.0, 3.5])).tolist() == [480, 1440, 2880]
    assert [timeline.tempo_at(tick) for tick in (959, 960, 1920)] == [120, 60, 240]


def test_metre_changes():
    timeline = Timeline(tpq=TPQ, metres=[(0, 3, 4), (2880, 6, 8)], end=5760)
    assert timeline.bar_starts.tolist() == [0, 1440, 2880, 4320]
    assert timeline.beat_starts.tolist() == [0, 480, 960, 1440, 1920, 2400, 2880, 3600, 4320, 5040]
    assert timeline.tick_to_bar(3600) == 2.5
    assert timeline.tick_to_beat(3600) == 7
    assert (timeline.metre_at(2879), timeline.metre_at(2880)) == ((3, 4), (6, 8))
    assert (timeline.beat_length(0), timeline.beat_length(2880)) == (480, 720)


@pytest.mark.parametrize("written", [[(0, 4, 4), (480, 4, 4)], [(0, 1, 4), (480, 4, 4)]])
def test_a_pickup_is_a_short_first_bar(written):
    timeline = Timeline(tpq=TPQ, metres=written, end=480 + 2 * 1920)
    assert timeline.pickup == 480
    assert timeline.bar_starts.tolist() == [0, 480, 2400]
    assert timeline.tick_to_bar(np.array([240, 480, 1440])).tolist() == [0.5, 1, 1.5]
    assert timeline.tick_to_beat(np.array([240, 480, 960])).tolist() == [0.5, 1, 2]
    assert (timeline.bar_length(0), timeline.bar_length(1)) == (480, 1920)


def test_a_pickup_may_be_given():
    timeline = Timeline(tpq=TPQ, metres=[(0, 3, 4)], end=480 + 1440, pickup=480)
    assert timeline.bar_starts.tolist() == [0, 480]
    assert timeline.metre_at(0) == (3, 4)
    with pytest.raises(ValueError, match="does not fit"):
        Timeline(tpq=TPQ, metres=[(0, 3, 4)], pickup=1440)


def test_a_signature_inside_a_bar_begins_a_bar():
    timeline = Timeline(tpq=TPQ, metres=[(0, 4, 4), (1920 + 700, 3, 4)], end=4060)
    assert timeline.bar_starts.tolist() == [0, 1920, 2620]
    assert timeline.bar_length(1) == 700
    assert timeline.beat_starts.tolist() == [0, 480, 960, 1440, 1920, 2400, 2620, 3100, 3580]


def test_the_last_of_two_signatures_at_a_tick_holds():
    timeline = Timeline(tpq=TPQ, metres=[(0, 4, 4), (0, 3, 4)], tempos=[(0, 500_000), (0, 1_000_000)])
    assert (timeline.metre_at(0), timeline.tempo_at(0)) == ((3, 4), 60)


def test_illegal_events_count_as_absent():
    made = score_of([(0, 0), (0, -5), (480, 250_000)], [(0, 0, 4), (480, 4, 0)])
    made.tempos.append(symusic.Tempo(0, float("nan")))
    timeline = Timeline.from_score(made)
    assert timeline.tick_to_second(np.array([480, 960])).tolist() == [0.5, 0.75]
    assert timeline.metre_at(0) == timeline.metre_at(5000) == (4, 4)
    assert Timeline(tpq=TPQ, tempos=[(0, float("nan")), (0, float("inf"))]).tempo_at(0) == 120


def test_numbers_give_floats_and_arrays_their_shape():
    timeline = Timeline(tpq=TPQ)
    assert type(timeline.tick_to_second(480)) is float
    assert timeline.tick_to_bar(np.zeros((2, 3), dtype=np.int32)).shape == (2, 3)
    with pytest.raises(ValueError, match="at least one tick"):
        Timeline(tpq=0)


@settings(deadline=None, max_examples=60)
@given(tempos, cuts, st.lists(st.integers(0, 60_000), min_size=2, max_size=30, unique=True))
def test_conversions_increase_and_are_inverse(tempo_events, metre_events, ticks):
    timeline = Timeline(tpq=TPQ, tempos=tempo_events, metres=metre_events)
    ticks = np.array(sorted(ticks), dtype=np.float64)
    for unit in ("quarter", "second", "bar", "beat"):
        there = getattr(timeline, f"tick_to_{unit}")(ticks)
        assert np.all(np.diff(there) > 0), unit
        np.testing.assert_allclose(getattr(timeline, f"{unit}_to_tick")(there), ticks, atol=1e-4)


@settings(deadline=None, max_examples=40)
@given(tempos, metre_runs, st.lists(st.integers(0, 40_000), min_size=1, max_size=20))
def test_seconds_and_bar_lines_as_in_pretty_midi(tempo_events, metres, ticks):
    metre_events, end = runs(metres)
    made = score_of(dict(sorted(tempo_events)).items(), metre_events, end)
    timeline = Timeline.from_score(made)
    other = pretty_midi.PrettyMIDI(io.BytesIO(made.dumps_midi()))
    ours = timeline.tick_to_second(np.array(ticks))
    np.testing.assert_allclose(ours, [other.tick_to_time(tick) for tick in ticks], rtol=1e-9, atol=1e-9)
    downbeats = other.get_downbeats()
    inside = downbeats[downbeats < other.tick_to_time(end) - 1e-6]
    np.testing.assert_allclose(timeline.bar_seconds, inside, atol=1e-6)


@pytest.mark.parametrize("metres", [[((3, 4), 2), ((6, 8), 3), ((4, 4), 1)], [((12, 8), 1), ((2, 2), 2), ((5, 4), 2)]])
def test_bars_and_beats_as_in_music21(metres):
    from music21 import meter, note, stream

    events, end = runs(metres)
    timeline = Timeline(tpq=TPQ, metres=events, end=end)
    part = stream.Part()
    for tick, numerator, denominator in events:
        part.insert(tick / TPQ, meter.TimeSignature(f"{numerator}/{denominator}"))
    for tick in range(0, end, TPQ // 2):
        part.insert(tick / TPQ, note.Note(60, quarterLength=0.5))
    part.makeMeasures(inPlace=True)
    for one in part.recurse().notes:
        tick = float(one.getOffsetInHierarchy(part)) * TPQ
        bar = timeline.tick_to_bar(tick)
        assert int(bar + 1e-9) + 1 == one.measureNumber
        start = timeline.tick_to_beat(timeline.bar_to_tick(int(bar + 1e-9)))
        assert timeline.tick_to_beat(tick) - start + 1 == pytest.approx(float(one.beat), abs=1e-6)
