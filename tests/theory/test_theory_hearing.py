"""Chords, keys, scales, metres and phrases with known answers."""

import numpy as np
import pytest
import symusic
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrion.theory import chord_hmm
from orchestrion.theory.chord_inference import infer_chords, sounding_time
from orchestrion.theory.chords import INTERVALS, NO_CHORD, UNKNOWN_CHORD, Chord
from orchestrion.theory.keys import Key, find_relative_pair
from orchestrion.theory.metre import Metre, beat_strengths, syncopation
from orchestrion.theory.phrases import boundary_strengths, form, phrase_starts, repeated_spans
from orchestrion.theory.scales import best_scale, degree, in_scale_rate, scale

TRIADS = {"C": (60, 64, 67), "G": (55, 59, 62), "Am": (57, 60, 64), "F": (53, 57, 60)}
NAMES = ["C", "G", "Am", "F", "C"]


def block_chords(metre=(4, 4)):
    made, bar = symusic.Score(480), 4 * 480 * metre[0] // metre[1]
    made.time_signatures.append(symusic.TimeSignature(0, *metre))
    made.tracks.append(symusic.Track("", 0, False))
    for i, name in enumerate(NAMES):
        for pitch in TRIADS[name]:
            made.tracks[0].notes.append(symusic.Note(i * bar, bar, pitch, 80))
    return made


@pytest.mark.parametrize(
    "metre, frame, frames",
    [((4, 4), "bar", 1), ((4, 4), "half", 2), ((4, 4), "beat", 4), ((3, 4), "half", 1), ((6, 8), "beat", 2),
     ((6, 8), "half", 2), ((5, 4), "half", 1), ((2, 4), "half", 1), ((7, 8), "beat", 7)],
)  # fmt: skip
def test_block_triads_come_back_without_a_shift(metre, frame, frames):
    spans = infer_chords(block_chords(metre), frame=frame)
    assert [str(span.chord) for span in spans] == [name for name in NAMES for _ in range(frames)]
    length = 4 * metre[0] / metre[1] / frames
    assert [span.start for span in spans] == pytest.approx([i * length for i in range(len(spans))])


def test_no_pitches_no_chords_and_unknown_frames():
    assert infer_chords(symusic.Score(480)) == []
    with pytest.raises(ValueError, match="frame 'eighth' is unknown"):
        infer_chords(block_chords(), frame="eighth")


def test_the_fast_path_is_as_likely_as_that_of_the_full_model():
    rng = np.random.default_rng(0)
    vectors = np.abs(rng.normal(size=(8, 12))) * (rng.random((8, 12)) < 0.4)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    members = chord_hmm.chord_members().astype(float)
    templates = members / np.maximum(np.linalg.norm(members, axis=1, keepdims=True), 1e-9)
    evidence = np.tile(100 * vectors @ templates.T, 12)
    moves = np.log(chord_hmm.transitions())
    score = np.log(chord_hmm.key_chord_distribution()).reshape(-1) - np.log(12) + evidence[0]
    first = score.copy()
    for frame in range(1, 8):
        score = (score[:, None] + moves).max(0) + evidence[frame]
    path = chord_hmm.best_states(vectors)
    found = first[path[0]] + evidence[np.arange(1, 8), path[1:]].sum() + moves[path[:-1], path[1:]].sum()
    assert found == pytest.approx(score.max(), abs=1e-8)


def test_of_equally_likely_paths_the_first_is_found():
    members = chord_hmm.chord_members().astype(float)
    templates = members / np.maximum(np.linalg.norm(members, axis=1, keepdims=True), 1e-9)
    moves, rng = np.log(chord_hmm.transitions()), np.random.default_rng(1)
    for share in (0.03, 0.08, 0.2) * 4:  # in most frames nothing sounds, or one tone
        vectors = (rng.random((6, 12)) < share).astype(float)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
        evidence = np.tile(100 * np.dot(vectors, templates.T), 12)
        score, came = np.log(chord_hmm.key_chord_distribution()).reshape(-1) - np.log(12) + evidence[0], []
        for frame in range(1, 6):
            reached = score[:, None] + moves
            came.append(reached.argmax(0))  # the first of those that are equal
            score = reached.max(0) + evidence[frame]
        path = [int(score.argmax())]
        for origins in came[::-1]:
            path.append(int(origins[path[-1]]))
        assert chord_hmm.best_states(vectors).tolist() == path[::-1]
    starts, ends, pitches = (3, 5, 33), (11, 13, 37), (43, 76, 38)  # the bar before the last is silent
    sparse = chord_hmm.pitch_vectors(starts, ends, pitches, (0, 16, 32))
    assert chord_hmm.best_states(sparse).tolist() == [1, 1, 1, 18]  # as published


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20), st.integers(0, 11)), max_size=12))
def test_sounding_time_is_the_sum_of_overlaps(notes):
    start, length, classes = (np.array([n[i] for n in notes], int) for i in range(3))
    edges = np.array([0.0, 7.5, 8.0, 30.0, 80.0])
    found = sounding_time(start, start + length, classes, edges)
    wanted = np.zeros((4, 12))
    for a, b, c in zip(start, start + length, classes, strict=True):
        wanted[:, c] += np.maximum(np.minimum(b, edges[1:]) - np.maximum(a, edges[:-1]), 0)
    np.testing.assert_allclose(found, wanted, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 11), st.sampled_from(sorted(INTERVALS)), st.one_of(st.none(), st.integers(1, 11)))
def test_chord_symbols_come_back_from_their_spellings(root, quality, above):
    chord = Chord(root, quality, None if above is None else (root + above) % 12)
    assert Chord.parse(chord.harte()) == chord
    assert Chord.parse(chord.jazz()) == chord
    assert Chord.parse(NO_CHORD.harte()) == NO_CHORD == Chord.parse(NO_CHORD.jazz())
    assert Chord.parse(UNKNOWN_CHORD.harte()) == UNKNOWN_CHORD != NO_CHORD


@pytest.mark.parametrize(
    ("symbol", "quality", "tones"),
    [
        ("C:min(4)", "min", {0, 3, 5, 7}),
        ("C:(1,5)", "5", {0, 7}),
        ("C:maj(*3)", "5", {0, 7}),
        ("C:(b3,5)", "min", {0, 3, 7}),
        ("C:(1,3,b6)", "aug", {0, 4, 8}),
        ("C:7(9)", "9", {0, 4, 7, 10, 14}),
        ("C:maj7(*5)/3", "maj7", {0, 4, 11}),
        ("C:maj(2)", "maj", {0, 2, 4, 7}),
        ("Cm7(b13)", "min7", {0, 3, 7, 10, 20}),
    ],
)
def test_tones_that_are_added_and_left_out(symbol, quality, tones):
    chord = Chord.parse(symbol)
    assert (chord.quality, chord.tones) == (quality, tones)
    assert Chord.parse(chord.harte()) == Chord.parse(chord.jazz()) == chord
    assert chord.transpose(2).tones == tones and 0 in chord.pitch_classes


@pytest.mark.parametrize("symbol", ["C:maj(x)", "C:maj(4,)", "C:maj(15)", "C:maj(b1)", "C:odd(4)"])
def test_lists_of_tones_that_cannot_be_read(symbol):
    with pytest.raises(ValueError, match=r"unknown (quality|degree)"):
        Chord.parse(symbol)


def test_the_relative_pair_is_told_by_its_tonics():
    histogram = np.zeros(12)
    histogram[list(Key.parse("C major").scale)] = 1
    assert find_relative_pair(histogram) == Key.parse("C major")
    histogram[9] = 2
    assert find_relative_pair(histogram) == Key.parse("A minor")
    assert find_relative_pair(np.roll(histogram, 3)) == Key.parse("C minor")
    assert find_relative_pair(np.zeros(12)) is None


def test_scales():
    assert scale(2, "dorian") == scale(0, "major")
    assert in_scale_rate([60, 61, 62, 63], tonic=0, name="major") == 0.5
    assert degree(66, tonic=60, name="major") == (3, 1)
    assert best_scale([62, 64, 66, 67, 69, 71, 73]) == (2, "major", 1.0)
    with pytest.raises(ValueError, match="scale 'martian' is unknown"):
        scale(0, "martian")


def test_metres():
    assert beat_strengths(Metre(4, 4), positions=8).tolist() == [4, 1, 2, 1, 3, 1, 2, 1]
    assert beat_strengths(Metre(6, 8), positions=6).tolist() == [4, 1, 1, 2, 1, 1]
    assert beat_strengths(Metre(3, 4), positions=6).tolist() == [4, 1, 2, 1, 2, 1]
    assert [Metre(n, 4).groups for n in (2, 3, 4, 5, 7)] == [(2,), (3,), (2, 2), (3, 2), (3, 2, 2)]
    assert (Metre.parse("12/8").compound, Metre.parse("12/8").beats, Metre.parse("3/8").compound) == (True, 4, False)
    assert syncopation([0, 2, 4, 6], Metre(4, 4), positions=8) == 0
    assert syncopation([0, 3], Metre(4, 4), positions=8) == 2  # the middle of the bar is silent
    for wrong in ("4", "0/4", "3/0", "3/5", "-3/4"):
        with pytest.raises(ValueError, match="metre"):
            Metre.parse(wrong)


def test_phrases_begin_after_long_notes_and_rests():
    onset = np.array([0, 1, 2, 3, 6, 7, 8, 9, 14, 15, 16, 17.0])
    offset = np.array([1, 2, 3, 5, 7, 8, 9, 11, 15, 16, 17, 18.0])
    pitch = np.array([60, 62, 64, 65, 60, 62, 64, 65, 72, 71, 69, 67.0])
    assert phrase_starts(onset, offset, pitch) == [0, 4, 8]
    strengths = boundary_strengths(onset, offset, pitch)
    assert strengths[0] == 0 and strengths.argmax() == 8 and strengths[8] == pytest.approx(1)


def test_repetitions_and_form():
    assert repeated_spans("abcabc") == [(0, 3, 3)]
    assert repeated_spans("abxxab", shortest=2) == [(0, 4, 2)]
    assert repeated_spans([None, None, None, None]) == []
    assert form("abcdabcdefghabcd", length=4) == "AABA"
    assert form("abcdabcxab", length=4) == "AAA"
