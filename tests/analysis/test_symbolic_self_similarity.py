"""Self-similarity of scores: known answers, and the picture."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrion.analysis.self_similarity import (
    agreement,
    cosine_matrix,
    find_borders,
    note_chroma,
    similarity_matrix,
    strongest,
    strongest_borders,
)
from orchestrion.errors import OptionError
from orchestrion.media.similarity_picture import draw_similarity


def test_chroma_and_cosines_of_two_halves():
    chroma = note_chroma([0.0, 1.0], [1.0, 1.0], [60, 66], [80, 80], rate=10)
    assert chroma.shape == (12, 20) and chroma[0, :10].all() and chroma[6, 10:].all() and (chroma > 0).sum() == 20
    matrix = cosine_matrix(chroma)
    np.testing.assert_allclose(matrix, np.kron(np.eye(2), np.ones((10, 10))), atol=1e-12)
    flipped = similarity_matrix(chroma, size=20)
    np.testing.assert_allclose(flipped, matrix[::-1], atol=1e-12)


def test_agreement():
    rng = np.random.default_rng(0)
    matrix = rng.random((8, 8))
    same = agreement(matrix, matrix)
    assert (same.pearson, same.mse, same.frobenius, same.cosine) == pytest.approx((1, 0, 0, 1))
    assert agreement(matrix, -matrix).pearson == pytest.approx(-1)
    assert agreement(matrix, np.ones((8, 8))).pearson == 0


def test_borders_stand_out_and_apart():
    curve = np.full(400, 0.1)
    curve[[100, 130, 300]] = 1.0, 0.9, 0.5
    assert find_borders(curve, 0.1).tolist() == [100, 300]
    assert find_borders(np.full(50, 0.2), 0.1).tolist() == []


def test_of_equal_borders_those_count_that_the_published_code_chooses():
    curve = np.full(50, 0.2)
    curve[::7] = 0.9
    borders = find_borders(curve, 0.46439909297052157)
    assert borders.tolist() == [21, 42] and strongest(borders, curve, 1) == [42]
    curve = np.full(100, 0.2)
    curve[::30] = 0.9
    borders = find_borders(curve, 0.5)
    assert borders.tolist() == [30, 60, 90] and strongest(borders, curve, 2) == [60, 90]


def test_picture(tmp_path):
    path = draw_similarity([np.eye(16), np.ones((16, 16))], ["a.mid", "b.mid"], tmp_path / "x.png", title="r")
    assert path.read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(OptionError, match=r"cannot be written as '\.gif'"):
        draw_similarity([np.eye(4)], ["a"], tmp_path / "x.gif")


def test_the_clearest_borders_are_where_the_harmony_changes():
    onset = [0.5 * beat for beat in range(240)]
    pitch = [(60, 62, 66)[int(one >= 40) + int(one >= 80)] + (0, 4, 7)[number % 3] for number, one in enumerate(onset)]
    notes = (onset, [0.5] * 240, pitch, [80] * 240)
    assert strongest_borders(*notes, count=2) == pytest.approx([40, 80], abs=0.5)
    assert len(strongest_borders(*notes, count=1)) == 1 and strongest_borders(*notes, count=0) == []
    assert strongest_borders([0.0], [1.0], [60], [80], count=3) == []
    assert strongest_borders([0.0, 1900.0], [1.0, 1.0], [60, 62], [80, 80], count=3) == []
