"""Themes: planted ones are found, variants join or part by eps, equal ones without any learning."""

import numpy as np
import pytest

from orchestrion.analysis.themes import cut_phrases, exact_themes, find_themes, group
from orchestrion.data.augment.phrases import join_notes, shift_on_scale, split_note, stretch_last, vary
from orchestrion.evaluation.melody import beat_f1
from orchestrion.systems.theme_finder import ThemeFinder

C_MAJOR = frozenset((0, 2, 4, 5, 7, 9, 11))
PHRASE = np.array([[0, 4, 60], [4, 4, 64], [8, 8, 67], [16, 4, 65], [20, 4, 64], [24, 8, 62]])


def rows(*notes):
    return np.array(notes)


def moved(steps, semitones=0):
    return PHRASE + np.array([steps, 0, semitones])


def planted(rng, *, phrases=10, places=(0, 3, 6, 8)):
    """A melody of random phrases with variants of one theme at `places`; and which beats are theme."""
    scale = [60 + 12 * octave + step for octave in range(2) for step in sorted(C_MAJOR)]

    def random_phrase():
        onsets = np.sort(rng.choice(np.arange(0, 32, 2), 8, replace=False))
        onsets[0] = 0
        lengths = np.minimum(np.diff(np.append(onsets, 32)), 6)
        return np.stack([onsets, lengths, rng.choice(scale, 8)], 1)

    theme, parts = random_phrase(), []
    for number in range(phrases):
        part = random_phrase()
        if number in places:
            part = stretch_last(shift_on_scale(theme, C_MAJOR, int(rng.integers(-3, 4))), int(rng.choice([2, 4, 8])))
        part = part.copy()
        part[:, 0] += 32 * number
        parts.append(part)
    return (
        np.concatenate(parts),
        np.arange(2 * phrases + 1) * 16,
        [n in places for n in range(phrases) for _ in range(8)],
    )


def beats(themes, bars):
    inside = np.zeros((len(bars) - 1) * 4, bool)
    for first, last in themes.regions:
        inside[4 * first : 4 * last] = True
    return inside.tolist()


def test_variants_by_hand():
    assert shift_on_scale(PHRASE, C_MAJOR, 1)[:, 2].tolist() == [62, 65, 69, 67, 65, 64]
    assert shift_on_scale(rows([0, 4, 61]), C_MAJOR, 7)[0, 2] == 73  # beside the scale it stays beside it
    assert np.array_equal(shift_on_scale(shift_on_scale(PHRASE, C_MAJOR, 3), C_MAJOR, -3), PHRASE)
    assert stretch_last(PHRASE, 2)[-1].tolist() == [24, 2, 62]
    split = split_note(PHRASE, 0)
    assert split[:2].tolist() == [[0, 2, 60], [2, 2, 60]] and np.array_equal(join_notes(split, 0), PHRASE)
    assert np.array_equal(join_notes(PHRASE, 0), PHRASE) and np.array_equal(join_notes(PHRASE, 5), PHRASE)
    assert np.array_equal(split_note(rows([0, 1, 60]), 0), rows([0, 1, 60]))


def test_groups_are_ordered_by_size():
    vectors = np.array([[1, 0], [0, 1], [0, 1], [0, 1], [1, 0.01], [0.7, 0.7]])
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert group(vectors, eps=0.1).tolist() == [1, 0, 0, 0, 1, -1]
    assert group(np.zeros((0, 4))).tolist() == []


def test_exact_repetitions_at_any_pitch():
    far = moved(32, 7)
    melody = np.concatenate([PHRASE, moved(64), far])
    melody = melody[np.argsort(melody[:, 0], kind="stable")]
    themes = exact_themes(melody, np.arange(7) * 16)
    assert themes.labels.tolist() == [0, 0, 0] and themes.regions == ((0, 2), (2, 4), (4, 6))
    assert exact_themes(PHRASE, np.arange(3) * 16).count == 0


def test_phrases_are_cut_at_bar_lines():
    phrases = cut_phrases(PHRASE, np.arange(4) * 16, length=1, offset=1)
    assert [(one.first, one.last, one.notes[:, 0].tolist()) for one in phrases] == [(1, 2, [0, 4, 8]), (2, 3, [])]


@pytest.fixture(scope="module")
def finder():
    return ThemeFinder.load()


def test_transposed_phrases_have_one_vector_and_variants_lie_near(finder):
    rng = np.random.default_rng(0)
    variants = [vary(PHRASE, C_MAJOR, rng) for _ in range(8)]
    others = [np.stack([PHRASE[:, 0], PHRASE[:, 1], rng.integers(55, 80, 6)], 1) for _ in range(8)]
    vectors = finder.embed([PHRASE, moved(0, 5), *variants, *others])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-5)
    likeness = vectors @ vectors[0]
    assert likeness[2:10].mean() > likeness[10:].mean() + 0.3


def test_planted_variants_are_found_better_than_by_equality(finder):
    ours, exact = [], []
    for seed in range(8):
        melody, bars, truth = planted(np.random.default_rng(seed))
        ours.append(beat_f1(beats(find_themes(melody, bars, finder.embed), bars), truth))
        exact.append(beat_f1(beats(exact_themes(melody, bars), bars), truth))
    assert np.nanmean(ours) > np.nanmean(exact) + 0.2


def test_the_offset_with_more_themes_counts_and_short_phrases_are_none(finder):
    shifted = np.concatenate([rows([0, 4, 50]), *(moved(16 + 32 * n) for n in range(3))])
    themes = find_themes(shifted, np.arange(8) * 16, finder.embed)
    assert themes.regions == ((1, 3), (3, 5), (5, 7))
    silent = find_themes(rows([0, 4, 60], [32, 4, 60]), np.arange(5) * 16, finder.embed)
    assert silent.count == 0 and silent.regions == ()
