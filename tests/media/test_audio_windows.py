"""Windows over blocks: what a sound in memory gives, whatever the blocks."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrion.media.audio import Audio
from orchestrion.media.audio_windows import audio_windows, split_windows


def blocks(samples, cuts, rate=100):
    edges = sorted({0, len(samples), *(cut % (len(samples) + 1) for cut in cuts)})
    return [Audio(samples[None, a:b], rate) for a, b in pairwise(edges)]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 90),
    st.integers(1, 20),
    st.integers(1, 30),
    st.integers(1, 5),
    st.lists(st.integers(0, 90), max_size=5),
)
def test_blocks_do_not_matter(length, window, hop, batch, cuts):
    samples = np.arange(1, length + 1, dtype=np.float32)
    found = list(audio_windows(blocks(samples, cuts), rate=100, window=window, hop=hop, batch=batch))
    starts = [n * hop for n in range(length) if n * hop + window <= length]
    if not starts:
        assert len(found) == 1 and found[0].padded
        assert found[0].samples[0].tolist() == [*samples, *[0.0] * (window - length)]
        return
    assert not any(part.padded for part in found)
    assert [part.first for part in found] == np.cumsum([0, *(len(part.samples) for part in found[:-1])]).tolist()
    assert np.concatenate([part.samples for part in found])[:, 0].tolist() == [start + 1 for start in starts]
    assert all((np.diff(part.samples, axis=1) == 1).all() for part in found)
    assert all(len(part.samples) <= batch for part in found)


def test_a_whole_last_window_is_kept_and_official_drops_it():
    samples = np.arange(400, dtype=np.float32)
    assert split_windows(samples, 100)[:, 0].tolist() == [0, 100, 200, 300]
    assert split_windows(samples, 100, quirks="official")[:, 0].tolist() == [0, 100, 200]
    assert split_windows(samples[:350], 100)[:, 0].tolist() == [0, 100, 200]
    assert split_windows(samples[:350], 100, quirks="official").shape == (3, 100)
    assert split_windows(samples[:100], 100).shape == (1, 100)
    assert split_windows(samples[:100], 100, quirks="official").shape == (0, 100)
    assert split_windows(samples, 100, hop=150)[:, 0].tolist() == [0, 150, 300]
    with pytest.raises(ValueError, match="quirks"):
        split_windows(samples, 100, quirks="other")


def test_resampling_has_no_joints_and_channels_are_mixed():
    rng = np.random.default_rng(0)
    sound = rng.standard_normal((2, 44100 * 3)).astype(np.float32) * 0.1
    whole = Audio(sound, 44100).mono().resample(16000).samples[0]
    cut = [Audio(np.ascontiguousarray(part), 44100) for part in np.split(sound, [10000, 10010, 100001], axis=1)]
    found = np.concatenate([part.samples for part in audio_windows(cut, rate=16000, window=1000)])
    expected = split_windows(whole, 1000)
    assert abs(len(found) - len(expected)) <= 1
    rows = min(len(found), len(expected))
    np.testing.assert_allclose(found[: rows - 1], expected[: rows - 1], atol=1e-4)


def test_done_counts_seconds():
    found = list(audio_windows(blocks(np.zeros(300, np.float32), [100]), rate=100, window=100))
    assert found[-1].done == pytest.approx(3.0)
    with pytest.raises(ValueError, match="positive"):
        list(audio_windows([], rate=100, window=0))
