"""Metrics of pieces whose values can be told by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
import symusic

from orchestrion.errors import OptionError
from orchestrion.evaluation import distances, harmony, melody, pitch, rhythm, structure, tension
from orchestrion.evaluation.conditional import bits_per_note, control_correlation
from orchestrion.evaluation.memorisation import MelodyIndex, copied_share
from orchestrion.evaluation.notes import Notes
from orchestrion.evaluation.report import report
from orchestrion.evaluation.statistics import bootstrap_mean
from orchestrion.evaluation.text_control import cut_notes, empty_bars, instrument_match, measure_control, tempo_matches
from orchestrion.theory.chords import Chord, ChordSpan
from orchestrion.theory.harmony import MelodyNote
from orchestrion.theory.keys import Key

TUNE = (60, 62, 64, 65, 67, 65, 64, 62, 60, 64, 67, 72, 67, 64, 62, 59, 60, 67, 65, 69)


def score(pitches=TUNE, length=1.0, *, name="melody", program=0):
    made = symusic.Score(480)
    made.tempos.append(symusic.Tempo(0, 120))
    made.time_signatures.append(symusic.TimeSignature(0, 4, 4))
    made.tracks.append(symusic.Track(name, program, False))
    for i, value in enumerate(pitches):
        made.tracks[0].notes.append(symusic.Note(int(i * length * 480), int(length * 480), value, 80))
    return made


def notes(pitches=TUNE, length=1.0):
    return Notes.from_score(score(pitches, length), resolution=12)


@pytest.mark.parametrize("steps, bits", [((0,), 0), ((0, 2, 4, 5, 7, 9, 11), 2.807), (range(12), 3.585)])
def test_pitch_class_entropy(steps, bits):
    assert pitch.pitch_class_entropy(notes([60 + s for s in steps])) == pytest.approx(bits, abs=1e-3)


def test_nothing_is_not_a_number():
    empty = Notes.from_score(symusic.Score(480))
    for metric in (pitch.pitch_class_entropy, pitch.pitch_range, rhythm.grooving_similarity, rhythm.note_density):
        assert math.isnan(metric(empty))


def test_equal_bars_groove_and_others_less():
    assert rhythm.grooving_similarity(notes(TUNE[:16])) == 1
    half = score(TUNE[:4])
    half.tracks[0].notes.append(symusic.Note(4 * 480, 480, 60, 80))  # one onset of four in the second bar
    assert rhythm.grooving_similarity(Notes.from_score(half, resolution=12)) == pytest.approx(1 - 3 / 16)
    assert rhythm.groove_consistency(Notes.from_score(half, resolution=12)) == pytest.approx(1 - 3 / 16)


@pytest.mark.parametrize("other, distance", [("Am", 0.799), ("G", 1.213), ("F", 1.213), ("F#", 1.970)])
def test_tonal_distance(other, distance):
    found = harmony.chord_tonal_distance([Chord.parse("C"), Chord.parse(other)])
    assert found == pytest.approx(distance, abs=5e-4)


def test_melody_over_chords():
    chords = [ChordSpan(0, 4, Chord.parse("C"))]
    line = [MelodyNote(0, 1, 60), MelodyNote(1, 1, 62), MelodyNote(2, 1, 64), MelodyNote(3, 1, 66)]
    assert harmony.melody_chord_accuracy(line, chords) == 0.5
    assert harmony.chord_tone_ratio(line, chords) == pytest.approx(3 / 4)  # D moves by step, F sharp ends
    assert harmony.pitch_consonance_score(line[:1], chords) == pytest.approx((1 + 1 + 0) / 3)  # above C, E, G
    assert harmony.chord_progression_irregularity(list("CGAFCGAF")) == pytest.approx(4 / 6)


def test_divergences():
    major, minor = np.zeros(12), np.zeros(12)
    major[[0, 4, 7]] = minor[[0, 3, 7]] = 1 / 3
    assert distances.histogram_divergence(major, minor) == pytest.approx(3.471, abs=1e-3)
    assert distances.jensen_shannon(major, minor) == pytest.approx(1 / 3)
    a = np.random.default_rng(0).normal(size=200)
    assert distances.overlap_area(a, a) > 0.95
    assert distances.overlap_area(a, a, whole_line=True) == pytest.approx(1, abs=1e-4)
    piled = np.concatenate([np.zeros(50), np.linspace(0.2, 0.6, 50)])  # most of the mass at the border
    assert distances.overlap_area(piled, piled) < 0.8
    assert distances.overlap_area(piled, piled, whole_line=True) == pytest.approx(1, abs=1e-4)
    assert distances.overlap_area(a, a + 20) < 0.01
    assert distances.kernel_divergence(a, a + 1) > 0.1
    assert distances.kernel_divergence(a, a + 1, mgeval_compat=True) == pytest.approx(0, abs=1e-9)  # the known fault
    assert distances.overlap_area(np.ones(5), np.ones(4)) == 1
    assert distances.set_distance(a[:50, None] + 9, a[:, None]).overlap < 0.1


def test_melodies():
    assert melody.histogram_overlap([60, 62], [60, 64]) == 0.5
    assert melody.edit_similarity("kitten", "sitting") == pytest.approx(1 - 3 / 7)
    contour = melody.pitch_contour(notes())
    assert melody.melody_distance(contour, contour + 5) == pytest.approx(0)  # key-invariant
    assert melody.melody_distance(contour, contour[::-1]) > 0.5
    assert melody.cohens_kappa([1, 1, 0, 0], [1, 0, 0, 0]) == pytest.approx(0.5)
    assert melody.beat_f1([True, True, False], [True, False, False]) == pytest.approx(2 / 3)
    bars = melody.bar_sets(notes(TUNE[:4] * 2 + TUNE[4:8]))
    curve = melody.similarity_by_distance(bars, longest=3)
    assert curve[0] == pytest.approx((1 + melody.jaccard(bars[1], bars[2])) / 2)
    assert math.isnan(curve[2])


def test_repetition_is_seen():
    once, again = notes(TUNE[:8]), notes(TUNE[:8] * 4)
    assert structure.repetition_rate(once) == 0
    assert structure.repetition_rate(again) == pytest.approx(6 / 8)
    assert structure.compression_ratio(again) > structure.compression_ratio(once)
    random = np.random.default_rng(0).integers(48, 72, 64).tolist()
    found, noise = (structure.structure_indicators(notes(line)) for line in (random[:16] * 4, random))
    assert found["3_8"] > noise["3_8"] + 0.1


def test_control():
    made = score((*TUNE[:12], 67, 65, 62, 59, *TUNE[:12], 67, 62, 59, 60), program=73)
    found = measure_control(made, programs=[73], key=Key.parse("C major"), tempo=125, metre=(4, 4), bars=8, seconds=17)
    assert (found.instruments.f1, found.key, found.tempo, found.metre, found.bars, found.seconds) == (1, *[True] * 5)
    assert (found.empty_bars, found.cut_notes, found.cadence, found.repeated_phrase) == (0, 0, True, True)
    other = measure_control(
        made, programs=[0, 73], key=Key.parse("A minor"), tempo=140, metre=(3, 4), bars=9, seconds=20
    )
    assert other.instruments.recall == 0.5
    assert not any((other.key, other.tempo, other.metre, other.bars, other.seconds, other.cadence))
    assert not measure_control(score(np.random.default_rng(1).integers(48, 84, 32).tolist())).repeated_phrase


def test_families_ranges_gaps_and_stubs():
    assert instrument_match([0, 1, 128], [0, 128]).f1 == 1  # two pianos are one
    assert tempo_matches(109, 120, None) and not tempo_matches(107, 120, None) and tempo_matches(100, 80, 95)
    gap = score(TUNE[:4])
    gap.tracks[0].notes.append(symusic.Note(12 * 480, 1920, 60, 80))
    assert empty_bars(gap) == 0.5
    assert cut_notes(gap) == 0
    assert cut_notes(gap, bars=3) == 1
    assert cut_notes(score(TUNE[:16], 0.25)) == 1


def test_divergence_from_histograms_with_zeros():
    vector, others = np.array([1.0, 1.0]), np.array([[2.0, 0.0], [1.0, 1.0]])
    assert distances.distances_to_set(vector, others, measure="kl").tolist() == [np.inf, 0]
    found = distances.distances_to_set(vector, others, measure="kl", mgeval_compat=True)
    assert found == pytest.approx([-0.5 * np.log(4 * 0.5e-8), 0], abs=1e-6)
    assert others[0, 1] == 0


def test_key_in_the_spiral_array():
    late = score((60, 64, 67, 72), 0.5)
    for note in late.tracks[0].notes:
        note.time += 480 * 4
    for _ in range(3):  # an A minor chord many times at once is one A minor chord
        late.tracks[0].notes.extend([symusic.Note(0, 240, value, 80) for value in (57, 60, 64)])
    found = Notes.from_score(late, resolution=4)
    assert tension.spiral_key(found) == Key.parse("A minor")
    silent = found.select(found.start >= 16)
    assert tension.spiral_key(silent) == Key.parse("C major")  # of the whole piece
    up = replace(silent, pitch=silent.pitch + 2)
    assert tension.spiral_key(up) == Key.parse("D major")
    assert tension.spiral_key(up, quirks="official") == Key.parse("C major")
    assert len(tension.piece_tension(up, beats=1).tensile_strain) == 6
    assert len(tension.piece_tension(up, beats=1, end=20).tensile_strain) == 5
    with pytest.raises(OptionError, match="quirks"):
        tension.spiral_key(up, quirks="odd")


def test_published_windows_of_short_pieces():
    """MusDr takes a short piece as one window, and leaves out one last bar in which nothing begins."""
    short = notes(TUNE[:8])  # two bars
    assert math.isnan(pitch.windowed_pitch_class_entropy(short, bars=4))
    whole = pitch.pitch_class_entropy(short)
    assert pitch.windowed_pitch_class_entropy(short, bars=4, musdr_compat=True) == pytest.approx(whole)
    held = score(TUNE[:8])
    held.tracks[0].notes[7].duration = 480 * 5  # into a third bar
    held = Notes.from_score(held, resolution=12)
    assert held.n_bars == 3
    assert rhythm.grooving_similarity(held) < 1 == rhythm.grooving_similarity(held, musdr_compat=True)
    assert pitch.windowed_pitch_class_entropy(held, bars=2, musdr_compat=True) == pytest.approx(whole)


@pytest.mark.parametrize("gap, counted", [(3, True), (7, False), (9, False), (16, True), (17, False)])
def test_published_pauses_are_near_a_class(gap, counted):
    """In sixteenths; MGEval counts a pause less than 3/96 of a bar from a whole, half, quarter, …"""
    made = score((60, 62))
    made.tracks[0].notes[1].time = 480 + gap * 120
    found = Notes.from_score(made)
    histogram = rhythm.note_length_histogram(found, pauses=True, mgeval_compat=True)
    assert histogram[12:].sum() == pytest.approx(counted / 3)
    matrix = rhythm.note_length_transition_matrix(found, pauses=True, mgeval_compat=True)
    assert matrix[:, 12:].sum() == counted


def test_published_notes_end_with_the_first_end_of_their_pitch():
    made = score((60, 60, 64))
    made.tracks[0].notes[0].duration = 480 * 3 // 2
    made.tracks[0].notes[2].time = 480 * 5
    found = Notes.from_score(made)  # the second is an eighth, to the end of the first; the pause is a dotted half
    histogram = rhythm.note_length_histogram(found, pauses=True, mgeval_compat=True)
    assert np.flatnonzero(histogram).tolist() == [2, 3, 6, 17]


def test_copies_are_found_in_any_key_and_scales_are_free():
    index = MelodyIndex([TUNE])
    shifted = [value + 5 for value in TUNE]
    assert copied_share([shifted, [*TUNE[:15], 30, *TUNE[15:]], [60] * 40, list(range(40, 80))], index) == 0.25
    assert index.copied([0, *shifted, 99]).tolist() == [False, *[True] * len(TUNE), False]
    assert MelodyIndex.from_scores([score()]).is_copy(shifted)
    assert not MelodyIndex([]).is_copy(TUNE)


def test_report():
    found = report([score(), score(TUNE[::-1])], reference=[score(TUNE[:16])])
    assert found["pitch_range"]["mean"] == 13
    assert found["pitch_range"]["n"] == 2
    assert found["pitch_in_scale_rate"]["difference"] == pytest.approx(0, abs=1e-9)
    assert {"overlap", "set_overlap", "reference"} <= set(found["structure_indicator_3_8"])


def test_estimates():
    estimate = bootstrap_mean([1.0, 2.0, 3.0, float("nan")])
    assert (estimate.mean, estimate.n) == (2, 3)
    assert 1 <= estimate.low < 2 < estimate.high <= 3
    assert control_correlation([1, 2, 3, 4], [10, 20, 30, 25]) == pytest.approx(0.8)
    assert bits_per_note([math.log(2)] * 6, notes=3) == pytest.approx(2)
