"""Holes are bridged by their mirrored neighbours, and what is laid in leaves every other sample as it is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrion.errors import OptionError
from orchestrion.media.bridging import bridged, laid_in
from orchestrion.media.loudness import at_safe_peak, true_peaks


def ramp(length):
    return np.arange(1, length + 1, dtype=np.float32)[None]


@pytest.mark.parametrize(
    ("first", "last", "wanted"),
    [
        (3, 7, [1, 2, 3, 3, 2, 9, 8, 8, 9, 10]),
        (7, 10, [1, 2, 3, 4, 5, 6, 7, 7, 6, 5]),
        (0, 2, [4, 3, 3, 4, 5, 6, 7, 8, 9, 10]),
        (2, 8, [1, 2, 2, 1, 1, 10, 10, 9, 9, 10]),
    ],
)
def test_neighbours_are_mirrored(first, last, wanted):
    np.testing.assert_array_equal(bridged(ramp(10), first, last)[0], wanted)


@pytest.mark.parametrize(("first", "last"), [(3, 3), (-1, 3), (3, 11), (0, 10), (5, 2)])
def test_holes_that_cannot_be_bridged(first, last):
    with pytest.raises(OptionError, match="empty, lies outside"):
        bridged(ramp(10), first, last)


@given(st.integers(0, 40), st.integers(1, 40), st.integers(0, 40), st.integers(0, 30))
@settings(max_examples=40, deadline=None)
def test_only_the_hole_changes(before, length, behind, fade):
    if not before + behind:
        return
    rng = np.random.default_rng(before + length)
    sound = rng.normal(size=(2, before + length + behind)).astype(np.float32)
    made = rng.normal(size=(2, length)).astype(np.float32)
    result = laid_in(sound, made, before, fade=fade)
    np.testing.assert_array_equal(result[:, :before], sound[:, :before])
    np.testing.assert_array_equal(result[:, before + length :], sound[:, before + length :])
    reach = min(fade, length // 2)
    middle = slice(before + reach if before else 0, before + length - (reach if behind else 0))
    np.testing.assert_array_equal(result[:, middle], made[:, middle.start - before : middle.stop - before])


def test_no_step_at_the_edges_and_equal_power():
    rng = np.random.default_rng(0)
    time = np.arange(9000)
    sound = np.sin(time / 30).astype(np.float32)[None]
    result = laid_in(sound, np.zeros((1, 3000), np.float32), 3000, fade=1000)
    assert np.abs(np.diff(result)).max() < 0.05
    noise, made = (rng.normal(size=(1, 90_000)).astype(np.float32) for _ in range(2))
    joined = laid_in(noise, made[:, :60_000], 15_000, fade=30_000)
    assert np.square(joined[:, 15_000:45_000]).mean() == pytest.approx(1, abs=0.03)


def test_safe_peaks():
    time = np.arange(4000)
    loud = (1.7 * np.sin(time * np.pi / 2 + np.pi / 4)).astype(np.float32)[None]  # samples at 1.2, peaks between at 1.7
    made = at_safe_peak(loud)
    ceiling = 10 ** (-1 / 20)
    assert true_peaks(made).max() == pytest.approx(ceiling, rel=1e-3)
    np.testing.assert_allclose(made / made[0, 5], loud / loud[0, 5], rtol=1e-4)
    quiet = loud / 3
    assert at_safe_peak(quiet) is quiet
    silent = np.zeros((2, 100), np.float32)
    assert at_safe_peak(silent) is silent and at_safe_peak(silent[:, :0]).shape == (2, 0)
