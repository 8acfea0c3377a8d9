"""Beat-synchronous mixup: groups of tempo, shares, and downbeats that fall together."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrion.data.augment import beat_mixup

RATE = 16000


@given(st.lists(st.floats(40, 200), min_size=1, max_size=30))
@settings(max_examples=30, deadline=None)
def test_groups_hold_every_clip_once_and_are_narrow(tempi):
    groups = beat_mixup.tempo_groups(tempi)
    assert sorted(number for group in groups for number in group) == list(range(len(tempi)))
    assert all(max(tempi[n] for n in group) - min(tempi[n] for n in group) <= 1 + 1e-6 for group in groups)


def test_shares_follow_the_beta_distribution():
    shares = beat_mixup.draw_share(20_000, torch.Generator().manual_seed(0))
    assert shares.mean().item() == pytest.approx(0.5, abs=0.01)
    assert shares.var().item() == pytest.approx(1 / 44, rel=0.05)
    assert shares.min() > 0 and shares.max() < 1


def clicks(times, seconds=8.0):
    wave = torch.zeros(round(seconds * RATE))
    for time in times:
        wave[int(time * RATE)] = 1.0
    return wave


def test_downbeats_stay_within_twenty_milliseconds():
    bar = 60 / 120 * 4  # seconds
    first, second = (0.31 + np.arange(4) * bar * 0.9999).tolist(), (0.77 + np.arange(4) * bar).tolist()
    generator = torch.Generator().manual_seed(0)
    for _ in range(10):
        draw = beat_mixup.draw_mix(first, second, generator)
        assert draw is not None and draw.first < 3 and draw.second < 3  # never the last
        aligned = beat_mixup.align(clicks(first), clicks(second), first, second, draw, rate=RATE)
        assert aligned is not None and len(aligned.first) == len(aligned.second)
        own, other = aligned.first.nonzero()[:, 0], aligned.second.nonzero()[:, 0]
        together = min(len(own), len(other))
        assert together >= 1 and ((own[:together] - other[:together]).abs() <= 0.02 * RATE).all()


def test_a_mix_is_the_sum_and_is_normalised():
    a, b = torch.randn(1000), torch.randn(1000)
    mixed = beat_mixup.mix_audio(a, beat_mixup.Aligned(a, b), 0.3)
    raw = 0.3 * a + 0.7 * b
    torch.testing.assert_close(mixed, 0.5 * (raw - raw.mean()) / (raw - raw.mean()).abs().max())
    assert mixed.abs().max().item() == pytest.approx(0.5, abs=1e-5)
    z, shares = torch.randn(3, 2, 4), torch.tensor([0.0, 0.5, 1.0])
    made = beat_mixup.mix_latents(z, -z, shares)
    torch.testing.assert_close(made, z * torch.tensor([-1.0, 0.0, 1.0])[:, None, None])


def test_partners():
    generator = torch.Generator().manual_seed(0)
    assert beat_mixup.draw_partner([3], 3, generator) is None
    assert beat_mixup.draw_partner([3], 3, generator, quirks="official") is None
    assert {beat_mixup.draw_partner([1, 2, 3], 2, generator) for _ in range(40)} == {1, 3}
    official = {beat_mixup.draw_partner([1, 2, 3], 2, generator, quirks="official") for _ in range(60)}
    assert official == {1, 2, 3}
    assert beat_mixup.draw_mix([0.1], [0.1, 0.2], generator) is None
