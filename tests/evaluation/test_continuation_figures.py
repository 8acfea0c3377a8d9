"""Figures of continuations by known answers, and paired comparisons."""

import numpy as np
import pytest
from symusic import Note, Score, TimeSignature, Track

from orchestrion.evaluation.continuation import FIGURES, continuation_figures
from orchestrion.evaluation.notes import Notes
from orchestrion.evaluation.statistics import paired_bootstrap

C_MAJOR = (60, 64, 67, 72, 65, 69, 62, 67)


def piece(*bars: tuple[int, ...]) -> Notes:
    """A bar of quarter notes for each tuple of pitches."""
    score = Score(4)
    score.time_signatures.append(TimeSignature(0, 4, 4))
    track = Track("lead", 0, False)
    for number, pitches in enumerate(bars):
        for place, pitch in enumerate(pitches):
            track.notes.append(Note(16 * number + 4 * place, 4, pitch, 90))
    score.tracks.append(track)
    return Notes.from_score(score, resolution=4)


FIRST, SECOND, SHARP = C_MAJOR[:4], C_MAJOR[4:], (61, 63, 66, 68)


def test_the_piece_itself_is_found_again_and_a_repeat_is_called_one():
    own = piece(FIRST, SECOND, FIRST, (60, 60, 62, 64))
    found = continuation_figures(own, own, known=2, bars=2)
    assert set(found) == {figure.name for figure in FIGURES}
    assert found["found_again"] == 1
    assert found["in_key"] == 1
    assert found["groove"] == 1
    assert found["density"] == 0
    assert found["silent_bars"] == 0
    assert found["repeated_bars"] == 0.5


def test_strange_notes_and_rhythms_are_told():
    own = piece(FIRST, SECOND, FIRST, SECOND)
    strange = continuation_figures(piece(FIRST, SECOND, SHARP[:2], SHARP), own, known=2, bars=2)
    assert strange["in_key"] == 0
    assert strange["pitch_classes"] == 0
    assert strange["found_again"] == 0
    assert strange["repeated_bars"] == 0
    assert strange["density"] == pytest.approx(np.log2(3.5 / 4.5))
    assert strange["groove"] == pytest.approx((14 / 16 + 1) / 2)


def test_half_of_the_notes_found_again():
    own = piece(FIRST, SECOND)
    made = piece(FIRST, (*SECOND[:2], 80, 81))
    assert continuation_figures(made, own, known=1, bars=1)["found_again"] == 0.5


def test_paired_bootstrap_sees_what_pairs_show():
    rng = np.random.default_rng(0)
    item = rng.normal(0, 10, 40)
    better, worse = item + rng.normal(0, 0.1, 40), item + 0.5 + rng.normal(0, 0.1, 40)
    found = paired_bootstrap(better, worse)
    assert found.n == 40
    assert found.mean == pytest.approx(-0.5, abs=0.1)
    assert found.low < found.mean < found.high < 0
    assert found.p <= 0.001
    assert paired_bootstrap(worse, better).mean == pytest.approx(-found.mean)
    assert paired_bootstrap(item, item).p == 1
    assert paired_bootstrap([1.0, float("nan")], [0.0, 5.0]).n == 1
    with pytest.raises(ValueError, match="paired"):
        paired_bootstrap([1.0], [])


def test_paired_bootstrap_keeps_its_level():
    """Under no difference about 5 % of tests are below 0.05."""
    rng = np.random.default_rng(1)
    small = [paired_bootstrap(rng.normal(size=30), rng.normal(size=30), resamples=1000).p < 0.05 for _ in range(200)]
    assert 0.01 < np.mean(small) < 0.12
