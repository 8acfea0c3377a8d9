"""The spiral array, tension, self-similarity and fitness."""

from functools import cache

import numpy as np
import pytest

from orchestrion.theory.fitness import most_fitness, segment_fitness, segment_scores
from orchestrion.theory.keys import Key
from orchestrion.theory.self_similarity import keep_strongest, novelty, self_similarity
from orchestrion.theory.spiral_array import key_position, nearest_key
from orchestrion.theory.tension import tension

C, G7 = [60, 64, 67], [55, 59, 62, 65]


def test_key_positions():
    np.testing.assert_allclose(key_position(0, mode="major"), [0.2078, 0.3661, 0.4472], atol=1e-4)
    np.testing.assert_allclose(key_position(3, mode="minor"), [-0.2783, 0.3237, 1.2498], atol=1e-4)


@pytest.mark.parametrize("shift", [0, 5])
def test_tension_of_tonic_and_dominant(shift):
    pitch = np.array([*C, *G7]) + shift
    start = np.array([0] * 3 + [16] * 4)
    found = tension(start, start + 16, pitch, key=Key(shift, "major"), windows=np.array([0, 16, 32]))
    np.testing.assert_allclose(found.cloud_diameter, [1.855, 3.124], atol=1e-3)
    np.testing.assert_allclose(found.tensile_strain, [0.393, 0.667], atol=1e-3)
    np.testing.assert_allclose(found.cloud_momentum, [0, 0.921], atol=1e-3)


def test_silence_has_no_tension():
    found = tension(np.array([0]), np.array([16]), np.array([60]), key=Key(0, "major"), windows=np.array([0, 16, 32]))
    assert found.tensile_strain[1] == found.cloud_diameter[1] == 0


def test_a_centre_at_the_origin_counts_as_silence():
    """F and G lie opposite each other in C major."""
    found = tension(np.zeros(2, int), np.full(2, 4), np.array([65, 67]), key=Key(0, "major"), windows=np.array([0, 4]))
    assert found.tensile_strain[0] == found.cloud_diameter[0] == 0


def test_the_nearest_key_of_a_triad():
    histogram = np.zeros(12)
    histogram[[0, 4, 7]] = [0.536, 0.19, 0.274]
    assert nearest_key(histogram) == Key(0, "major")
    assert nearest_key(np.roll(histogram, 7)) == Key(7, "major")
    assert nearest_key(np.zeros(12)) is None


def noise(frames, seed=0):
    made = np.abs(np.random.default_rng(seed).normal(size=(12, frames)))
    return made / np.linalg.norm(made, axis=0)


def test_transposed_repetitions_are_similar_only_if_asked():
    theme = noise(10)
    features = np.concatenate([theme, np.roll(theme, 3, axis=0)], axis=1)
    plain = self_similarity(features)
    free = self_similarity(features, transpositions=range(12))
    np.testing.assert_allclose(np.diag(free, 10), 1)
    assert np.diag(plain, 10).mean() < 0.95


def test_fitness_of_a_theme_that_comes_four_times():
    matrix = np.full((16, 16), -2.0)
    for a in range(4):
        for b in range(4):
            matrix[4 * a + np.arange(4), 4 * b + np.arange(4)] = 1
    found = segment_fitness(matrix, length=4)
    # four paths of four cells: score 16, coverage 16, so (16 − 4)/16 and (16 − 4)/16
    assert (found.score[0], found.cells[0], found.coverage[0]) == (16, 16, 16)
    assert found.fitness[0] == pytest.approx(0.75)
    assert most_fitness(matrix, shortest=4, longest=4) == pytest.approx(0.75)
    assert most_fitness(matrix, shortest=17, longest=30) == 0


def traced(part):
    """Score, cells and coverage of the best path family over a segment, step by step: D(row, 0) is the elevator."""

    @cache
    def best(row, column):
        if row < 0 or (row == 0 and column > 1):
            return -np.inf
        if column == 0:
            return max(best(row - 1, 0), best(row - 1, width)) if row else 0.0
        if column == 1:
            return best(row, 0) + part[row, 0]
        return part[row, column - 1] + max(best(row - a, column - b) for a, b in ((1, 1), (1, 2), (2, 1)))

    width, row = part.shape[1], len(part) - 1
    column, cells, coverage, end = 0, 0, 0, row
    if best(row, width) >= best(row, 0):
        column, cells = width, 1
    while row > 0 or column > 0:
        if column == 1 or row == 0:
            coverage += end - row + 1
            column = 0
        elif column == 0:
            row, end = row - 1, row - 1
            if best(row, width) > best(row, 0):
                column, cells = width, cells + 1
        else:
            steps = [(1, 1)] + [(2, 1)] * (row > 2) + [(1, 2)] * (column > 2)
            a, b = max(steps, key=lambda step: best(row - step[0], column - step[1]))
            row, column, cells = row - a, column - b, cells + 1
    return max(best(len(part) - 1, 0), best(len(part) - 1, width)), cells, coverage


def test_of_equal_paths_the_published_one_is_taken():
    rng = np.random.default_rng(0)
    for _ in range(12):
        matrix = rng.choice([-2, 0.125, 0.25, 0.5, 1], size=(13, 13), p=[0.5, 0.1, 0.1, 0.1, 0.2])
        np.fill_diagonal(matrix, 1)
        for length in (1, 2, 3, 5, 8):
            found = segment_fitness(matrix, length=length)
            wanted = np.array([traced(matrix[:, i : i + length]) for i in range(14 - length)])
            np.testing.assert_allclose(np.stack([found.score, found.cells, found.coverage], 1), wanted)


def test_the_search_for_the_fittest_leaves_nothing_out():
    matrix = keep_strongest(self_similarity(np.tile(noise(8), 4) + 0.5 * noise(32, 1), smooth=3))
    every = {length: segment_fitness(matrix, length=length) for length in range(1, 33)}
    for low, high in ((1, 5), (3, 12), (8, 32)):
        best = max(every[length].fitness.max() for length in range(low, high + 1))
        assert most_fitness(matrix, shortest=low, longest=high) == pytest.approx(best, abs=1e-12)
    for length in (1, 2, 7):
        np.testing.assert_allclose(segment_scores(matrix, length=length), every[length].score, atol=1e-4)
    assert max(every[length].fitness.max() for length in range(22, 33)) == 0


def test_novelty_peaks_at_the_change():
    block = np.zeros((20, 20))
    block[:10, :10] = block[10:, 10:] = 1
    curve = novelty(block, width=4)
    assert curve[10] == pytest.approx(1)
    assert abs(curve[5]) < 1e-9
