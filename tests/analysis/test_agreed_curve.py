"""Curves of many listeners, grouped under dynamic time warping and averaged."""

import numpy as np
import pytest

from orchestrion.analysis.agreed_curve import agreed_curve, warped_groups


def step(at: int, low: float, high: float, *, time: int = 24) -> np.ndarray:
    return np.where(np.arange(time) < at, low, high)


def planted(rng: np.random.Generator) -> np.ndarray:
    """Eight that rise, some bars apart; five that fall; four of noise that agree on nothing."""
    rising = [step(at, -0.8, 0.8) for at in range(8, 16)]
    falling = [step(at, 0.7, -0.7) for at in range(10, 15)]
    noise = [rng.uniform(-1, 1, 24).round(1) for _ in range(4)]
    return np.array([*rising, *falling, *noise])


def test_a_late_answer_is_the_same_answer():
    curves = planted(np.random.default_rng(0))
    found = warped_groups(curves[:13], groups=2)
    assert len(set(found[:8])) == len(set(found[8:])) == 1 and found[0] != found[8]


@pytest.mark.parametrize("seed", range(5))
def test_the_larger_of_those_that_agree_counts(seed):
    curves = planted(np.random.default_rng(seed))
    curve = agreed_curve(curves, seed=seed)
    assert np.corrcoef(curve, curves[:8].mean(0))[0, 1] > 0.9
    assert curve[:6].mean() < -0.3 and curve[-6:].mean() > 0.3


def test_order_and_repetition_change_nothing():
    curves = planted(np.random.default_rng(1))
    assert np.array_equal(agreed_curve(curves), agreed_curve(curves))
    assert np.allclose(agreed_curve(curves[:13], groups=2), agreed_curve(curves[:13][::-1], groups=2), atol=1e-12)


def test_none_is_left_out_where_groups_stay_empty():
    curves = np.array([[-1.0, -1.0, 1.0]] * 4 + [[0.5, 0.5, 0.5]] * 7)
    assert np.allclose(agreed_curve(curves), 0.5)


def test_few_or_equal_listeners():
    curves = np.array([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]])
    assert np.allclose(agreed_curve(curves), [0.5, 0.5])
    assert np.allclose(agreed_curve(np.full((10, 4), 0.25)), 0.25)
    assert np.allclose(agreed_curve(np.full((10, 1), -1.0)), -1.0)
