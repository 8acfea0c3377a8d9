"""The published preprocessing and its small functions, against every reference case that is there."""

import json
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
import getmusic_cases as reference

from orchestrion.errors import InputError
from orchestrion.representations import getscore_official as official
from orchestrion.representations.getscore import (
    DURATIONS,
    KINDS,
    PROGRAMS,
    ROOTS,
    ROWS,
    GetVocabulary,
    duration_code,
    parse_positions,
)
from orchestrion.representations.getscore_conditions import choose_tracks
from orchestrion.theory import chord_hmm
from orchestrion.training.schedules import warmup_linear


def each(kind):
    return pytest.mark.parametrize("folder", reference.cases(kind), ids=lambda folder: folder.name)


def unrun(rows):
    """Rows of [value, run] as an array."""
    return np.array([[value for value, run in row for _ in range(run)] for row in rows])


def notes_of(piece):
    return [official.TickNote(*note) for note in piece["notes_program_start_end_pitch_velocity"]]


def dictionary(folder):
    named = reference.functions(folder).get("dictionary")
    if isinstance(named, list):
        return GetVocabulary.from_tokens(named)
    for other in [*reference.cases("tokenizer")]:
        return GetVocabulary.from_tokens(reference.functions(other)["dictionary"])
    raise AssertionError("no case holds a dictionary")


@each("tokenizer")
def test_training_windows_grids_and_dictionary(folder):
    case = reference.functions(folder)
    vocabulary = GetVocabulary.from_tokens(case["dictionary"])
    found = []
    for name, piece in case["pieces"].items():
        if piece["to_oct_says"] != "SUCCESS":
            continue
        events = official.training_events(notes_of(piece), piece["ticks_per_beat"], piece["tempo"])
        windows = official.windows(events)
        assert [[list(event) for event in window] for window in windows] == piece["training_windows"], name
        for window, grid in zip(windows, piece["training_grids_run_length"], strict=True):
            ours = official.training_grid(window, vocabulary)
            assert (ours is None) == (grid is None), name
            if grid is not None:
                np.testing.assert_array_equal(ours, unrun(grid), name)
        found += windows
    threshold = reference.about(folder).get("dictionary_threshold", 1)
    counts = official.count_groups(found)
    built = GetVocabulary.build(counts, threshold=threshold)
    assert list(built.tokens or ()) == case["dictionary"]
    first, last = (json.loads(line) for line in case["make_dict_printed_ranges"])
    assert official.printed_ranges(built, counts) == list(zip(first, last, strict=True))


def test_printed_ranges_grow_with_tracks_that_have_no_groups():
    counts = [Counter() for _ in PROGRAMS]
    counts[4][60, 64] = 3
    built = GetVocabulary.build(counts, threshold=0, share=2)
    assert built.track_sizes == (128, 128, 128, 128, 129, 128)
    assert [last - first for first, last in official.printed_ranges(built, counts)] == [127, 127, 128, 129, 128, 131]
    counts[2][36, 42] = counts[3][60, 64] = counts[5][60, 64] = 1
    ranges = official.printed_ranges(GetVocabulary.build(counts, threshold=9), counts)
    assert ranges == [(n, n + 127) for n in range(16, 784, 128)]


@each("tokenizer")
def test_inference_events_and_grids(folder):
    case = reference.functions(folder)
    vocabulary = GetVocabulary.from_tokens(case["dictionary"])
    for name, piece in case["pieces"].items():
        arguments = notes_of(piece), piece["ticks_per_beat"], piece["tempo"]
        moved = official.inference_events(*arguments)
        assert [list(event) for event in moved.events] == piece["inference_events_with_chords"], name
        assert moved.shift == piece["pitch_shift"], name
        chords = [[e.bar, ROOTS[e.pitch], KINDS[e.duration]] for e in moved.events if e.program == 129]
        assert chords == piece["inference_chords"], name
        for wanted in piece["F"]:
            heard = {}
            if wanted["chord_from_single"]:
                heard = {"chord_programs": tuple(int(program) for program in wanted["condition_inst"])}
            events = official.inference_events(*arguments, **heard).events
            ours = official.inference_grid(events, wanted["conditional_tracks"], wanted["content_tracks"], vocabulary)
            np.testing.assert_array_equal(ours.grid, unrun(wanted["x_run_length"]), name)
            np.testing.assert_array_equal(ours.source, unrun(wanted["condition_run_length"]), name)
            np.testing.assert_array_equal(ours.not_empty, unrun(wanted["not_empty_run_length"]), name)
            assert (ours.tempo, ours.complete) == (wanted["tempo"], wanted["have_cond"]), name


def test_chords_that_are_no_source_do_not_make_the_grid_longer():
    vocabulary = GetVocabulary.shipped()
    notes = [official.TickNote(80, start, start + 480, 60, 100) for start in (0, 480, 960, 1680)]
    held = official.TickNote(0, 0, 3840, 55, 100)  # heard until the end of the second bar
    events = official.inference_events([*notes, held], 480, 100).events
    assert (events[-1].program, events[-1].bar) == (official.CHORD_PROGRAM, 2)
    flags = [True, False, False, False, True, False]
    with_chords = official.inference_grid(events, [*flags, True], [False] * 7, vocabulary)
    assert with_chords.grid.shape == (ROWS, 33)
    bare = official.inference_events([*notes, held], 480, 100, with_chords=False).events
    for target in (False, True):
        without = official.inference_grid(events, [*flags, False], [False] * 6 + [target], vocabulary)
        assert without.grid.shape == (ROWS, 15)
        same = official.inference_grid(bare, [*flags, False], [False] * 6 + [target], vocabulary)
        np.testing.assert_array_equal(without.grid, same.grid)


@each("functions")
def test_codes(folder):
    case = reference.functions(folder)
    assert [duration_code(n) for n in range(len(case["duration_encode"]["out"]))] == case["duration_encode"]["out"]
    assert list(DURATIONS) == case["duration_decode"]["out"]
    tempo = case["tempo"]
    assert [official.tempo_bin(bpm) for bpm in tempo["bpm"]] == tempo["bin"]
    back = [official.bin_tempo(number) for number in range(len(tempo["bpm_back_preprocess"]))]
    assert back == pytest.approx(tempo["bpm_back_preprocess"])
    assert [int(bpm + 1e-9) for bpm in back] == tempo["bpm_back_inference"]
    velocity = case["velocity"]
    assert [official.velocity_code(v) for v in velocity["in"]] == velocity["code"]
    assert [official.code_velocity(code) for code in velocity["code"]] == velocity["back"]
    metres = case["time_signature"]
    reduced = [official.reduce_time_signature(*metre) for metre in metres["in"]]
    assert [list(metre) for metre in reduced] == metres["reduced"]
    for metre, number in zip(reduced, metres["id"], strict=True):
        if number is None:
            with pytest.raises(ValueError, match="no id"):
                official.time_signature_id(*metre)
        else:
            assert official.time_signature_id(*metre) == number


@each("functions")
def test_key_normalisation(folder):
    for one in reference.functions(folder)["normalize_to_c_major"]["cases"]:
        moved = official.normalise_key([official.Event(*event) for event in one["events"]])
        assert (moved.major, moved.shift) == (one["is_major"], one["pitch_shift"])
        assert [event.pitch for event in moved.events] == one["pitches_after"]


@each("functions")
def test_chord_inference(folder):
    case = reference.functions(folder)["chord_inference"]
    order = case["chord_order"]
    for one in case["cases"]:
        starts, ends, pitches = zip(*one["notes_start_end_pitch"], strict=True)
        borders = one["frame_boundaries"]
        vectors = chord_hmm.pitch_vectors(starts, ends, pitches, borders)
        np.testing.assert_allclose(vectors, one["pitch_vectors"], atol=1e-6)
        assert [order[chord] for chord in chord_hmm.best_path(vectors)] == one["chords"]
        right = chord_hmm.best_path(chord_hmm.pitch_vectors(starts, ends, pitches, borders[1:]))
        assert [order[chord] for chord in right] == one["chords_with_boundaries_from_16"]
    prior = chord_hmm.key_chord_distribution()
    np.testing.assert_allclose(prior[0], case["key_chord_distribution_key0"], rtol=1e-9)
    assert (prior**2).sum() == pytest.approx(case["key_chord_distribution_sum_of_squares"], rel=1e-9)
    same = chord_hmm.same_key_transitions()
    change = chord_hmm.KEY_CHANGE / 11 * prior
    for (old, new), value in case["transition_entries"]:
        (key, chord), (next_key, next_chord) = divmod(old, chord_hmm.CHORDS), divmod(new, chord_hmm.CHORDS)
        ours = same[key, chord, next_chord] if key == next_key else change[next_key, next_chord]
        assert ours == pytest.approx(value, rel=1e-9)


@each("functions")
def test_learning_rate(folder):
    case = reference.functions(folder)["learning_rate"]
    peak = case["warmup_lr"]
    published = warmup_linear(
        case["warmup"], case["T_max"], start=case["base_lr"] / peak, floor=case["min_lr"] / peak, quirks="official"
    )
    assert [peak * published(n - 1) for n in case["n"]] == pytest.approx(case["lr"], rel=1e-6)
    rate = warmup_linear(case["warmup"], case["T_max"], start=0.03, floor=0.01)
    right = [rate(step) for step in range(2999)]
    assert max(right) == pytest.approx(1.0, abs=1e-12)
    assert all(b >= a for a, b in pairwise(right[: case["warmup"]]))


def test_a_rate_that_begins_above_its_peak_does_not_fall_to_it_in_the_published_code():
    published = warmup_linear(4, 12, start=2.0, floor=0.1, quirks="official")
    assert [published(step) for step in range(7)] == [2, 2, 2, 2, 2, 1.75, 1.5]
    assert [warmup_linear(4, 12, start=2.0, floor=0.1)(step) for step in range(4)] == [1.75, 1.5, 1.25, 1]


class Script:
    """Answers with the draws of a case, and sees that the right ones are asked for."""

    def __init__(self, draws):
        self.draws = iter(draws)

    def chance(self, share):
        _, low, high, value = next(self.draws)
        return value - low < share * (high - low + 1) - 1e-9

    def integer(self, low, high):
        _, *wanted, value = next(self.draws)
        assert [low, high] == wanted
        return value

    def choice(self, options):
        _, wanted, value = next(self.draws)
        assert [list(o) if isinstance(o, tuple) else o for o in options] == wanted
        return tuple(value) if isinstance(value, list) else value


@each("functions")
def test_training_collator(folder):
    vocabulary = dictionary(folder)
    for case in reference.functions(folder)["training_collator"]["cases"]:
        grid = np.full((ROWS, 512), vocabulary.pad)
        grid[:, case["content_columns"] :] = vocabulary.empty
        grid[case["empty_rows"]] = vocabulary.empty
        ours = choose_tracks(grid, vocabulary, Script(case["draws"]))
        assert (ours.tokens == vocabulary.empty).all(1).tolist() == case["row_is_empty_after"]
        assert ours.source[:, 0].astype(int).tolist() == case["source_row"]
        assert ours.source[:, 450].astype(int).tolist() == case["source_row_at_column_450"]
        assert (ours.tokens != vocabulary.empty).sum(1).tolist() == case["not_empty_columns_per_row"]


class Highest:
    """Always the most and the last; remembers between what numbers it chose."""

    def __init__(self):
        self.asked = []

    def chance(self, share):
        return False

    def integer(self, low, high):
        self.asked.append((low, high))
        return high

    def choice(self, options):
        return options[-1]


@pytest.mark.parametrize(
    ("chords", "quirks", "most"), [(True, "official", 3), (False, "official", 2), (False, "none", 3)]
)
def test_without_chords_the_published_collator_keeps_a_source(chords, quirks, most):
    vocabulary = GetVocabulary.shipped()
    grid = np.full((ROWS, 32), vocabulary.empty)
    grid[:6] = vocabulary.pad
    grid[12:] = vocabulary.pad if chords else vocabulary.empty
    draws = Highest()
    source = choose_tracks(grid, vocabulary, draws, quirks=quirks).source
    assert draws.asked == [(1, most)]
    assert source[::2, 0].tolist() == [n < 3 - most for n in range(6)] + [chords or quirks == "none"]


def test_one_track_without_chords_is_no_target_in_the_published_collator():
    vocabulary = GetVocabulary.shipped()
    grid = np.full((ROWS, 32), vocabulary.empty)
    grid[:2] = vocabulary.pad
    with pytest.raises(InputError, match="cannot be a target"):
        choose_tracks(grid, vocabulary, Highest(), quirks="official")
    assert choose_tracks(grid, vocabulary, Highest()).source.any(1).tolist() == [False] * 12 + [True] * 2


@each("functions")
def test_decoding(folder):
    case, vocabulary = reference.functions(folder)["decode"], dictionary(folder)
    grid = np.array(case["grid"])
    events = official.decode_events(grid, vocabulary, shift=0, tempo=case["tempo_bin"])
    assert " ".join(f"<{n}-{value}>" for event in events for n, value in enumerate(event)) == case["events"]
    events = official.decode_events(grid, vocabulary, shift=case["pitch_shift"], tempo=case["tempo_bin"])
    notes = official.to_ticks(events, case["ticks_per_beat"])
    for part in case["instruments"]:
        program = 128 if part["is_drum"] else part["program"]
        ours = sorted([n.start, n.end, n.pitch, n.velocity] for n in notes if n.program == program)
        assert ours == sorted(part["notes"])
    assert len(notes) == sum(len(part["notes"]) for part in case["instruments"])
    assert {n.program for n in notes} <= set(PROGRAMS)


@each("functions")
def test_position_strings(folder):
    for case in reference.functions(folder)["position_strings"]["cases"]:
        if isinstance(case["mask_14x10"], str):  # the published code raises
            with pytest.raises(ValueError):
                parse_positions(case["text"], ROWS, 10)
            continue
        wanted = np.array(case["mask_14x10"]).astype(bool)
        np.testing.assert_array_equal(parse_positions(case["text"], *wanted.shape), wanted)


def test_positions_of_tracks_that_are_not_there_are_refused():
    for text in ("7,9,0", "-8,0,2", "0,1,2;14,0,"):
        with pytest.raises(ValueError, match="there is no track"):
            parse_positions(text, ROWS, 10)
    assert parse_positions("-1,2,4", ROWS, 10).nonzero()[0].tolist() == [12, 12, 13, 13]  # counted from the last
