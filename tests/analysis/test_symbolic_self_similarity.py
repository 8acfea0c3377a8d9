"""Self-similarity of scores: known answers, and the picture."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrion.analysis.self_similarity import agreement, cosine_matrix, find_borders, note_chroma, similarity_matrix
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


def test_picture(tmp_path):
    path = draw_similarity([np.eye(16), np.ones((16, 16))], ["a.mid", "b.mid"], tmp_path / "x.png", title="r")
    assert path.read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(OptionError, match=r"cannot be written as '\.gif'"):
        draw_similarity([np.eye(4)], ["a"], tmp_path / "x.gif")
