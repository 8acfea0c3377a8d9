"""Orders of codes: every order gives back what was put in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrion.errors import OptionError
from orchestrion.representations.code_patterns import CodePattern, coarse_first, delayed, flattened, grouped, parallel

MAKERS = {
    "delayed": delayed,
    "parallel": parallel,
    "flattened": flattened,
    "coarse": coarse_first,
    "book after book": lambda books, times: grouped(books, times, group=1),
    "late": lambda books, times: delayed(books, times, delays=[2 * k for k in range(books)], flatten_first=2),
    "all in one": lambda books, times: flattened(books, times, groups=[0] * books),
}


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(sorted(MAKERS)), st.integers(1, 5), st.integers(1, 9), st.integers(0, 9))
def test_reverting_gives_back_the_codes(name, books, times, seed):
    pattern = MAKERS[name](books, times)
    codes = np.random.default_rng(seed).integers(0, 100, (2, books, times))
    lanes = pattern.apply(codes, special=-1)
    assert int(lanes.mask.sum()) == books * times
    np.testing.assert_array_equal(lanes.values == -1, np.broadcast_to(~lanes.mask, lanes.values.shape))
    back = pattern.revert(lanes.values, special=-1)
    np.testing.assert_array_equal(back.values, codes)
    assert back.mask.all()
    said = pattern.revert_predictions(lanes.values[..., 1:], missing=-1)  # a model that says the step that follows
    np.testing.assert_array_equal(said.values, codes)


def test_numbers_of_steps():
    """MusicGen, section 2.2: T + K − 1 steps for delays, T for parallel books, K·T for flattened ones."""
    assert len(delayed(4, 10).steps) - 1 == 13
    assert len(parallel(4, 10).steps) - 1 == 10
    assert len(flattened(4, 10).steps) - 1 == 40
    assert len(grouped(4, 10, group=2).steps) - 1 == 40
    assert len(delayed(4, 10).valid.steps) - 1 == 10


def test_a_pattern_can_do_without_the_empty_step():
    pattern, codes = delayed(2, 4, empty_first=-1), np.arange(8).reshape(2, 4)
    assert pattern.steps == delayed(2, 4).steps[1:]
    assert (pattern.longest_delay, pattern.first_step(0)) == (1, 0)
    assert pattern.valid.steps == pattern.steps[:-1]
    lanes = pattern.apply(codes, special=-1).values
    np.testing.assert_array_equal(lanes, [[0, 1, 2, 3, -1], [-1, 4, 5, 6, 7]])
    np.testing.assert_array_equal(pattern.revert_predictions(lanes, missing=-1).values, codes)
    late = delayed(2, 4, delays=[1, 2], empty_first=-1)  # its first step is empty all the same
    assert late.steps == delayed(2, 4).steps
    np.testing.assert_array_equal(late.revert_predictions(lanes, missing=-1).values, codes)


def test_books_are_grouped_in_pairs_by_default():
    assert grouped(4, 3).steps == grouped(4, 3, group=2).steps


def test_the_beginning_of_a_piece_can_be_reverted():
    pattern, codes = delayed(3, 6), np.arange(18).reshape(3, 6)
    begun = pattern.apply(codes, special=-1).values[:, :5]
    back = pattern.revert(begun, special=-1)
    np.testing.assert_array_equal(back.mask.sum(1), [4, 3, 2])
    np.testing.assert_array_equal(back.values[back.mask], codes[back.mask])
    assert (back.values[~back.mask] == -1).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: delayed(3, 4, delays=[0, 1]), "delays"),
        (lambda: delayed(2, 4, delays=[1, 0]), "do not fall"),
        (lambda: flattened(2, 4, groups=[0]), "group"),
        (lambda: flattened(2, 4, groups=[0, 0], delays=[0, 1]), "same delay"),
        (lambda: coarse_first(3, 4, delays=[1]), "2 delays"),
        (lambda: grouped(4, 3, group=3), "groups of 3"),
        (lambda: CodePattern(1, 2, (((0, 0),),)), "empty"),
        (lambda: CodePattern(1, 2, ((), ((1, 0),), ((0, 0),))), "rise"),
        (lambda: parallel(2, 3).apply(np.zeros((3, 3), int), special=0), "2 books"),
        (lambda: parallel(2, 3).apply(np.zeros((2, 4), int), special=0), "3 times"),
    ],
)
def test_impossible_orders_are_refused_in_a_sentence(call, words):
    with pytest.raises(OptionError, match=words):
        call()
