"""Tunes as tokens with phrases: there and back, phrases marked or planned, one key."""

from dataclasses import replace

import numpy as np
import pytest
from phrase_cases import tune

from orchestrion.analysis.skeleton import Phrases
from orchestrion.analysis.skyline import Line, melody_line
from orchestrion.representations.phrase_batches import make_batch, make_skeleton
from orchestrion.representations.phrase_notes import (
    LOWEST,
    REST,
    in_plain_key,
    line_of,
    line_score,
    mark_phrases,
    marked_phrases,
    skeleton_tokens,
    tokens_of,
)
from orchestrion.representations.phrase_plan import phrase_plan
from orchestrion.theory.keys import Key


def test_tokens_give_the_line_back():
    line, tokens = tune()
    back = line_of(tokens, metre=(4, 4))
    assert np.array_equal(np.stack([back.start, back.stop, back.pitch]), np.stack([line.start, line.stop, line.pitch]))
    assert tokens.phrase_stop.tolist() == [32, 64, 96, 128] and tokens.kept.sum() == 8
    gap = Line(np.array([0, 40]), np.array([2, 90]), np.array([20, 110]))
    cut = tokens_of(gap, Phrases.at([1], 2), np.array([True, True]))
    assert cut.pitch.tolist()[:3] == [44 - LOWEST + 1, REST, REST] and cut.length.tolist() == [2, 32, 6, 32, 18]
    assert cut.phrase.tolist() == [0, 0, 0, 1, 1] and cut.kept.tolist() == [True, False, False, True, False]
    assert line_of(cut, metre=(4, 4)).pitch.tolist() == [44, 98, 98]


def test_marks_of_phrases_in_a_score():
    line, _ = tune()
    shifted = Line(line.start + 12, line.stop + 12, line.pitch, (4, 4), 12)
    score = line_score(shifted, tempo=90)
    mark_phrases(score, [0, 32])
    found = melody_line(score)
    assert found.shift == 12 and np.array_equal(found.start, shifted.start)
    assert marked_phrases(score, found).starts == (0, 7)
    assert marked_phrases(line_score(line, tempo=90), line) is None


def test_one_key_and_register():
    line, tokens = tune()  # in F sharp major, around 70
    plain = in_plain_key(tokens, Key(6, "major"))
    assert set((plain.pitch - tokens.pitch).tolist()) == {6}
    assert line_of(plain, metre=(4, 4)).pitch[0] % 12 == 0
    low = skeleton_tokens(line, -24)
    assert low.kept.all() and line_of(low, metre=(4, 4)).pitch.tolist() == (line.pitch - 24).tolist()
    assert set((in_plain_key(low, Key(6, "major")).pitch - low.pitch).tolist()) == {30}


@pytest.mark.parametrize("known", [True, False])
def test_a_batch_holds_the_skeleton_that_a_plan_makes(known):
    _, tokens = tune()
    batch = make_batch([tokens, replace(tokens, kept=np.ones(28, bool))], plan_known=known)
    made = make_skeleton(tokens, begin=0, stops=[32, 64, 96, 128])
    assert batch.skeleton.fields[0, :8].tolist() == made.fields[0].tolist()
    assert batch.skeleton.phrase[0, :8].tolist() == made.phrase[0].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert batch.skeleton.mask.sum(1).tolist() == [8, 28]
    assert batch.steps.place[0, :7].tolist() == [
        [n % 16, n // 16, 1 - n // 16 if known else -1] for n in (0, 4, 8, 12, 16, 20, 24)
    ]


def test_phrases_from_a_plan_from_marks_or_of_four_bars():
    line, _ = tune()
    score = line_score(line, tempo=90)
    assert phrase_plan(score, line, (2, 6)) == (0, [32, 128])
    assert phrase_plan(score, line, ()) == (0, [64, 128])
    mark_phrases(score, [0, 32])
    assert phrase_plan(score, line, ()) == (0, [32, 128])
