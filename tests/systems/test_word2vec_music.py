"""Slices, skip-gram, what lies near what, and slices swapped in scores."""

import itertools

import numpy as np
import pytest
import symusic
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrion.data.piece import Piece
from orchestrion.errors import InputError, OptionError
from orchestrion.evaluation import slice_space as space_of
from orchestrion.paradigms import skip_gram
from orchestrion.representations.slices import (
    drop_long_silences,
    pitch_classes,
    score_slices,
    span_slices,
    transpose_word,
    triad,
    word_of,
)
from orchestrion.systems.registry import load
from orchestrion.systems.slice_swap import moves, swap_slices
from orchestrion.systems.word2vec_music import Word2VecMusic
from orchestrion.theory.keys import Key
from orchestrion.training.stage import Share


def chords(*triads, drums=False):
    """A quarter note for each list of pitches."""
    score = symusic.Score(480)
    track = symusic.Track("piano", 0)
    for place, pitches in enumerate(triads):
        track.notes.extend([symusic.Note(480 * place, 470, pitch, 60 + pitch % 7) for pitch in pitches])
    score.tracks.append(track)
    if drums:
        beats = symusic.Track("drums", 0, True)
        beats.notes.extend([symusic.Note(480 * n, 100, 38, 90) for n in range(len(triads))])
        score.tracks.append(beats)
    return score


C, F, G = (60, 64, 67), (60, 65, 69), (59, 62, 67)


def notes_of(score, track=0):
    return [(n.time, n.duration, n.pitch, n.velocity) for n in score.tracks[track].notes]


# Representation -------------------------------------------------------------------------------------------------------


def test_known_words():
    assert [triad(0), triad(5), triad(7), triad(9, "minor")] == [145, 545, 2180, 529]
    assert [triad(3), triad(1), triad(7, "minor"), triad(10), triad(5, "minor")] == [1160, 290, 1156, 1060, 289]
    assert score_slices(chords(C, F, G, drums=True)) == [145, 545, 2180]
    assert score_slices(chords(C, (), G)) == [145, 0, 2180]
    assert score_slices(chords(C, F), beats=2) == [145 | 545]


@given(st.integers(0, 4095), st.integers(-30, 30))
@settings(max_examples=30, deadline=None)
def test_words_and_classes_come_back(word, semitones):
    assert word_of(pitch_classes(word)) == word
    assert transpose_word(transpose_word(word, semitones), -semitones) == word
    assert pitch_classes(transpose_word(word, semitones)) == sorted((pc + semitones) % 12 for pc in pitch_classes(word))


def test_the_published_slicer_lets_notes_leak():
    spans = [(0.0, 1.0, 0), (1.0, 2.0, 4), (2.5, 3.2, 7)]
    assert span_slices(spans) == [1, 16, 128, 128]
    assert span_slices(spans, legacy=True) == [1, 1 | 16, 16 | 128, 128]
    assert drop_long_silences([0, 0, 5, 0, 0, 0, 6]) == [0, 5, 0, 6]
    assert span_slices([]) == []


# Objective ------------------------------------------------------------------------------------------------------------


def test_counts_are_naive_counts():
    rng = np.random.default_rng(0)
    texts = [rng.integers(0, 6, length).tolist() for length in (9, 1, 4)]
    naive = np.zeros((6, 6), int)
    for text in texts:
        for a, b in itertools.permutations(range(len(text)), 2):
            naive[text[a], text[b]] += abs(a - b) <= 3
    assert (skip_gram.context_counts(texts, words=6, window=3) == naive).all()


def test_expected_loss_is_the_mean_of_all_draws():
    torch.manual_seed(0)
    logits, counts = torch.randn(4, 4), torch.randint(0, 5, (4, 4)).float()
    noise = torch.tensor([0.4, 0.3, 0.2, 0.1])
    total = 0.0
    for centre, neighbour in itertools.product(range(4), repeat=2):
        one = -torch.log(torch.sigmoid(logits[centre, neighbour]))
        one = one - 5 * sum(noise[j] * torch.log(torch.sigmoid(-logits[centre, j])) for j in range(4))
        total += float(counts[centre, neighbour] * one)
    found = skip_gram.expected_negative_sampling(logits, counts, noise, 5)
    assert float(found) == pytest.approx(total / float(counts.sum()), rel=1e-5)
    text = -(counts * logits.log_softmax(1)).sum() / counts.sum()
    assert float(skip_gram.skip_gram_nll(logits, counts)) == pytest.approx(float(text))


def test_nce_is_a_naive_sum_and_zipf_sums_to_one():
    torch.manual_seed(0)
    chance = skip_gram.log_uniform(7)
    assert chance.sum() == pytest.approx(1) and (np.diff(chance) < 0).all()
    centres, output, bias, expected = torch.randn(3, 4), torch.randn(7, 4), torch.randn(7), torch.randn(7)
    targets, drawn = torch.tensor([1, 2, 6]), torch.tensor([0, 5])
    total = 0.0
    for row, target in enumerate(targets):
        for word, sign in [(int(target), 1), *((int(n), -1) for n in drawn)]:
            score = float(centres[row] @ output[word] + bias[word] - expected[word])
            total += float(np.log1p(np.exp(-sign * score)))
    found = skip_gram.nce_loss(centres, targets, drawn, output, bias, expected)
    assert float(found) == pytest.approx(total / 3, rel=1e-5)


# Training -------------------------------------------------------------------------------------------------------------


def pieces(count=12, seed=0):
    """Tunes that go round the chords of C major or of F sharp major, at random."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        shift = 6 * (number % 2)
        held = [tuple(p + shift for p in (C, F, G)[rng.integers(3)]) for _ in range(40)]
        found.append(Piece(f"p{number}", score=chords(*held)))
    return found


def run(stage, model, steps):
    (objective,) = stage.objectives
    optimiser = objective.optimiser(list(objective.parameters))
    losses = []
    for step in range(steps):
        torch.manual_seed(step)
        loss = objective.loss(stage.data(step, Share())).value
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    return losses


@pytest.mark.parametrize("learning", ["expected", "sampled"])
def test_both_ways_learn_what_stands_together(learning):
    torch.manual_seed(0)
    model = Word2VecMusic(
        words=6,
        dim=16,
        learning=learning,
        negatives=4,
        learning_rate=0.05 if learning == "expected" else 0.5,
        start=0.1,
    )
    with pytest.raises(OptionError, match="no vocabulary"):
        model.space()
    (stage,) = model.stages(pieces(), [])
    losses = run(stage, model, 40 if learning == "expected" else 500)
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])
    space = model.space()
    assert space.distance(triad(0), triad(7)) < space.distance(triad(0), triad(6))
    assert space.distance(triad(0), triad(5)) < space.distance(triad(0), triad(1))


def test_pairs_of_a_batch_are_neighbours():
    model = Word2VecMusic(words=list(range(1, 50)), dim=4, window=2, batch_size=8)
    stream = np.arange(40)
    pairs = model._pairs(stream, range(8), 3)
    assert sorted(set((pairs[:, 1] - pairs[:, 0]).tolist())) == [-2, -1, 1, 2]
    both = torch.cat([model._pairs(stream, Share(part, 2).of(range(8)), 3) for part in range(2)])
    assert sorted(map(tuple, both.tolist())) == sorted(map(tuple, pairs.tolist()))


def test_vocabulary_and_bad_options():
    texts = [[5, 5, 7, 0, 7, 5], [9]]
    assert Word2VecMusic.find_words(texts, 3) == [5, 7, 0]
    with pytest.raises(OptionError, match="different numbers"):
        Word2VecMusic(words=[1, 1], dim=4)
    with pytest.raises(OptionError, match="no vocabulary 'x'"):
        Word2VecMusic(words="x", dim=4)
    with pytest.raises(OptionError, match="learning is 'x'"):
        Word2VecMusic(words=4, dim=4, learning="x")
    with pytest.raises(InputError, match="no two slices in a row"):
        Word2VecMusic(words=4, dim=4).stages([Piece("a", score=chords(C))], [])


# Analyses -------------------------------------------------------------------------------------------------------------


def circle():
    """A made-up space in which triads lie on a circle in the order of fifths."""
    words = [triad(7 * fifth) for fifth in range(12)]
    angle = 2 * np.pi * np.arange(12) / 12
    return space_of.SliceSpace.from_vectors(words, 3 * np.stack([np.cos(angle), np.sin(angle)], 1))


def test_analyses_on_a_known_circle():
    space = circle()
    assert space.distance(triad(0), triad(7)) == pytest.approx(1 - np.cos(np.pi / 6))
    assert {word for word, _ in space.nearest(triad(0), 2)} == {triad(7), triad(5)}
    assert np.isnan(space.distance(triad(0), 1)) and space.nearest(1, 3) == []
    assert space_of.known_triads(space) == 12
    found = space_of.chord_distances(space)
    assert found["V"] == pytest.approx(found["IV"]) and np.isnan(found["vi"]) and found["♭II"] > found["♭III"]
    keys = space_of.by_fifths(space_of.key_distances(space, [[triad(0)], [1]]))
    np.testing.assert_allclose(keys, 1 - np.cos(2 * np.pi * np.arange(1, 7) / 12), atol=1e-6)
    assert space_of.fifth_pairs(space)[0, 1] == pytest.approx(30)


def test_tonnetz_and_keys():
    assert space_of.TONNETZ_STEPS == (0, 2, 2, 1, 1, 1, 2, 1, 1, 1, 2, 2)
    assert space_of.tonal_distance(word_of([0]), word_of([7, 2])) == 1.5
    assert space_of.in_key(triad(7), Key(0, "major")) and not space_of.in_key(triad(2), Key(0, "major"))
    assert space_of.in_key(triad(4), Key(9, "minor"))  # with the raised seventh
    profile = np.eye(12)[0] + np.eye(12)[4]
    assert space_of.profile_fit(word_of([0, 4]), profile) == 1 and space_of.profile_fit(0, profile) == -1


# Substitution ---------------------------------------------------------------------------------------------------------


def test_voices_move_little():
    assert moves([0, 4, 7], [0, 5, 9]) == {0: 0, 4: 1, 7: 2}
    assert moves([0], [11, 6]) == {0: -1}
    assert set(moves([0, 4, 7, 11], [0]).values()) == {0, -4, 5, 1}
    assert score_slices(swap_slices(chords(C, F), {1: triad(7)})) == [145, 2180]


@pytest.fixture(scope="module")
def shipped():
    return load("word2vec_music")


def test_slices_are_replaced_and_all_else_is_kept(shipped):
    score = chords(*[C, F, G, C] * 8, drums=True)
    before = notes_of(score)
    made = shipped.replace_slices(score, share=0.5, seed=1)
    changed = [a != b for a, b in zip(score_slices(score), score_slices(made.score), strict=True)]
    assert made.report["replaced"] == 16 and 0 < sum(changed) <= 16
    assert [(n[0], n[1], n[3]) for n in notes_of(made.score)] == [(n[0], n[1], n[3]) for n in before]
    assert notes_of(made.score, 1) == notes_of(score, 1) and notes_of(score) == before
    assert notes_of(shipped.replace_slices(score, share=0.0).score) == before
    for _ in range(3):
        again = shipped.replace_slices(score, share=0.5, seed=1)
    assert notes_of(again.score) == notes_of(made.score)
    assert notes_of(shipped.replace_slices(score, share=0.5, seed=2).score) != notes_of(made.score)


def test_more_slices_and_more_neighbours_stray_farther(shipped):
    score = chords(*[C, F, G, C] * 8)
    replaced = [shipped.replace_slices(score, share=share).report["replaced"] for share in (0.1, 0.5, 1.0)]
    assert replaced == sorted(replaced) and replaced[0] < replaced[-1] == 32
    near = shipped.replace_slices(score, share=1.0, neighbours=10).report["in the key, as words"]
    assert near >= 0.5


def test_shipped_vectors_know_the_circle_of_fifths(shipped):
    space = shipped.space()
    assert space_of.known_triads(space) == 24
    found = space_of.chord_distances(space)
    assert max(found[name] for name in space_of.NEAR) < min(found[name] for name in space_of.FAR)
