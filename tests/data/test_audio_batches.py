"""Crops by step: the same for the same seed, every item once an epoch, shares that together are the batch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrion.data.audio_batches import CropBatches, FactoryBatches
from orchestrion.data.audio_factory import AudioFactory, choose_pieces
from orchestrion.data.augment import Gain
from orchestrion.data.corpus import load_corpus
from orchestrion.errors import InputError, OptionError
from orchestrion.training.stage import Share


def ramps(count=5, length=100):
    """Waveform i counts i·1000, i·1000 + 1, … in units of 1e-5."""
    return [((i * 1000 + np.arange(length + 7 * i))[None] * 1e-5).astype(np.float32) for i in range(count)]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 4), st.integers(1, 7), st.integers(1, 90), st.integers(0, 50), st.integers(1, 3))
def test_crops_are_spans_of_their_waveforms_and_shares_make_up_the_batch(parts, batch, samples, step, views):
    waves = ramps()
    data = CropBatches(waves, samples=samples, batch=batch, views=views, seed=3)
    whole = data(step, Share())
    audio = whole.audio.reshape(views, batch, 1, samples)
    for view in range(views):
        for row, item in enumerate(whole.items):
            start = whole.starts[view, row]
            assert np.array_equal(audio[view, row].numpy(), waves[item][:, start : start + samples])
    for part in range(min(parts, batch)):
        share = data(step, Share(part, parts))
        rows = list(range(batch))[part::parts]
        assert torch.equal(share.audio.reshape(views, len(rows), 1, samples), audio[:, rows])
        assert share.items.tolist() == whole.items[rows].tolist()


def test_every_item_comes_once_an_epoch_in_orders_that_differ():
    data = CropBatches(ramps(6), samples=10, batch=3)
    assert data.steps_per_epoch == 2
    epochs = [[*data(2 * e, Share()).items, *data(2 * e + 1, Share()).items] for e in range(4)]
    assert all(sorted(items) == list(range(6)) for items in epochs)
    assert len({tuple(items) for items in epochs}) > 1


def test_views_of_a_group_come_from_all_its_clips():
    data = CropBatches(ramps(6), samples=10, batch=2, views=2, groups=["a", "a", "a", "b", "b", "b"])
    seen = {"a": set(), "b": set()}
    for step in range(60):
        batch = data(step, Share())
        clips = (batch.audio[:, 0, 0].reshape(2, 2).numpy() / 1e-2 + 1e-3).astype(int)
        for group, pair in zip(batch.items, clips.T, strict=True):
            assert all(clip // 3 == group for clip in pair)
            seen["ab"[group]] |= set(pair.tolist())
    assert seen == {"a": {0, 1, 2}, "b": {3, 4, 5}}


def test_short_waveforms_are_followed_by_silence_and_integers_are_scaled():
    data = CropBatches([np.full((2, 4), 32767, np.int16)], samples=6, batch=1)
    np.testing.assert_allclose(data(0, Share()).audio[0, 0].numpy(), [1, 1, 1, 1, 0, 0])


def test_silent_crops_are_drawn_again():
    wave = np.zeros((1, 4000), np.float32)
    wave[:, 1000:3000] = 0.5
    loud = CropBatches([wave], samples=50, batch=16, loudness=0.1)
    any_crop = CropBatches([wave], samples=50, batch=16)

    def level(data):
        crops = [data(step, Share()).audio.square().mean(dim=2).sqrt() for step in range(8)]
        return float(torch.cat(crops).gt(0.1).float().mean())

    assert level(loud) == 1 and level(any_crop) < 0.8


def test_augmentations_are_the_same_at_each_visit_of_a_step():
    data = CropBatches(ramps(), samples=20, batch=4, augment=Gain())
    plain = CropBatches(ramps(), samples=20, batch=4)
    assert torch.equal(data(7, Share()).audio, data(7, Share()).audio)
    ratio = data(7, Share()).audio[:, 0, -1] / plain(7, Share()).audio[:, 0, -1]
    assert len({round(float(r), 5) for r in ratio}) == 4
    assert not torch.equal(data(7, Share()).audio, data(8, Share()).audio)


def test_clips_of_the_factory_in_batches():
    factory = AudioFactory(choose_pieces(load_corpus(limit=50), count=4), rate=8000, seconds=0.5)
    data = FactoryBatches(factory, batch=4)
    whole = data(2, Share())
    assert whole.audio.shape == (4, 1, 4000) and [label.index for label in whole.labels] == [8, 9, 10, 11]
    half = data(2, Share(1, 2))
    assert torch.equal(half.audio, whole.audio[1::2])
    held = CropBatches(factory.held(range(4)), samples=1000, batch=2)
    assert held(0, Share()).audio.shape == (2, 1, 1000)


def test_wrong_arguments_are_told():
    with pytest.raises(InputError):
        CropBatches([], samples=1, batch=1)
    with pytest.raises(InputError, match="channels"):
        CropBatches([np.zeros((1, 9), np.float32), np.zeros((2, 9), np.float32)], samples=1, batch=1)
    for options in ({"samples": 0, "batch": 1}, {"samples": 1, "batch": 0}, {"samples": 1, "batch": 1, "groups": [1]}):
        with pytest.raises(OptionError):
            CropBatches(ramps(), **options)
