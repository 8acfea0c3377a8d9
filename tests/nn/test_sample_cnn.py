"""SampleCNN: strides, layouts, and the quick one for use against the plain one."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrion.nn.sample_cnn import Projector, SampleCnn
from orchestrion.nn.sample_cnn_inference import FoldedSampleCnn


def network(strides=(3, 3), channels=(4, 5, 6, 7), **options):
    torch.manual_seed(0)
    made = SampleCnn(strides=strides, channels=channels, **options)
    for block in made.blocks:  # as after a training; negative scales too, which reverse a maximum
        block.norm.running_mean.normal_()
        block.norm.running_var.uniform_(0.5, 2)
        with torch.no_grad():
            block.norm.weight.normal_()
            block.norm.bias.normal_()
    return made.eval()


def naive(model, x):
    """The published order of layers, one by one."""
    for number, block in enumerate(model.blocks):
        conv, norm = block.conv, block.norm
        x = torch.nn.functional.conv1d(x, conv.weight, conv.bias, stride=conv.stride, padding=conv.padding)
        x = torch.nn.functional.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)
        x = x.relu()
        if 0 < number <= len(model.strides):
            x = torch.nn.functional.max_pool1d(x, model.strides[number - 1])
    return x.flatten(1)


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
    st.booleans(),
    st.integers(1, 5),
    st.integers(1, 3),
)
def test_both_ways_equal_the_published_order(strides, channels_last, count, batch):
    try:
        model = network(tuple(strides), tuple(range(3, len(strides) + 5)), channels_last=channels_last)
    except ValueError as error:
        assert "leave one frame of no window" in str(error) and 1 in strides
        return
    x = torch.randn(count, 1, model.window)
    with torch.inference_mode():
        expected = naive(model, x)
        assert expected.shape == (count, model.features)
        torch.testing.assert_close(model.represent(x), expected, rtol=1e-4, atol=1e-5)
    quick = FoldedSampleCnn(model, batch=batch)(x[:, 0])
    torch.testing.assert_close(quick, expected, rtol=1e-4, atol=1e-5)


def test_training_is_the_same_in_both_layouts():
    one, two = network(), network(channels_last=True)
    x = torch.randn(8, 1, one.window)
    for model in (one, two):
        model.train()
        model(x).square().mean().backward()
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-3, atol=1e-5)
    for a, b in zip(one.buffers(), two.buffers(), strict=True):
        torch.testing.assert_close(a, b)


def test_stride_of_all_is_the_length_of_a_window():
    model = SampleCnn(strides=(3,) * 8, channels=(24, 32, 48, 64, 96, 128, 192, 256, 256, 256))
    assert model.window == 3**9 == 19683 and model.frames(model.window) == 1 and model.features == 256
    assert sum(p.numel() for p in model.parameters()) == 689952


def test_many_windows_and_rows_of_a_product():
    model = network((3,) * 7, (2,) * 9)
    x = torch.randn(7, 1, model.window)  # more rows in the first product than go through at once
    with torch.inference_mode():
        torch.testing.assert_close(FoldedSampleCnn(model, batch=7)(x[:, 0]), naive(model, x), rtol=1e-4, atol=1e-5)
    assert FoldedSampleCnn(model)(x[:0, 0]).shape == (0, model.features)


@pytest.mark.parametrize("channels_last", [False, True])
def test_windows_of_any_length(channels_last):
    model = network((2, 1, 3), channels_last=channels_last, channels=(3, 4, 5, 6, 7))
    for samples in range(1, 64):
        x = torch.randn(2, 1, samples)
        if model.frames(samples):
            with torch.inference_mode():
                found, expected = model.represent(x), naive(model, x)
            assert found.shape == (2, 7 * model.frames(samples))
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        else:
            with pytest.raises(RuntimeError):
                naive(model, x)
            with pytest.raises(ValueError, match=f"nothing is left of windows of {samples} samples"):
                model.represent(x)
    with pytest.raises(ValueError, match="have 19 samples, not 18"):
        FoldedSampleCnn(model)(torch.randn(2, 19))


def test_head_dropout_and_first_weights():
    model = network(outputs=3, dropout=0.5)
    x = torch.randn(2, 1, model.window)
    with torch.inference_mode():
        assert torch.equal(model(x), model.head(model.represent(x)))
        model.train()
        assert not torch.equal(model(x), model(x))
    torch.manual_seed(0)
    plain = SampleCnn(strides=(3,), channels=(4, 64, 64)).blocks[2].conv.weight.std().item()
    torch.manual_seed(0)
    kaiming = SampleCnn(strides=(3,), channels=(4, 64, 64), kaiming=True).blocks[2].conv.weight.std().item()
    assert kaiming / plain == pytest.approx(6**0.5, rel=0.05)  # bounds √(6/fan) against √(1/fan)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="2 strides need 4 numbers of channels"):
        SampleCnn(strides=(3, 3), channels=(1, 2))
    for strides in ((5, 1), (1, 2)):
        with pytest.raises(ValueError, match="leave one frame of no window"):
            SampleCnn(strides=strides, channels=(1, 1, 1, 1))
    model = network(outputs=2)
    assert model(torch.zeros(1, 1, 53)).shape == (1, 2)
    with pytest.raises(ValueError, match="windows of 54 samples leave 2 frames, not one; give 27"):
        model(torch.zeros(1, 1, 54))


@pytest.mark.parametrize(
    ("strides", "window"),
    [((1, 2, 2), 6), ((5,), 21), ((1,) + (2,) * 8, 762), ((2,) * 8 + (4,), 3075), ((2,) * 9, 1536)],
)
def test_a_window_leaves_one_frame(strides, window):
    """As near to 3 × the product of the strides as can be, found here by trying all lengths."""
    model = SampleCnn(strides=strides, channels=(2,) * (len(strides) + 2)).eval()
    product = 3 * math.prod(strides)
    one = [samples for samples in range(3, 2 * product + 30, 3) if model.frames(samples) == 1]
    assert model.window == window == min(one, key=lambda samples: abs(samples - product))
    assert model.features == 2 and model(torch.zeros(1, 1, window)).shape == (1, 2)


def test_projector():
    model = Projector(features=3, outputs=2, num_layers=3)
    x = torch.randn(4, 3)
    one, two, three = (layer.weight for layer in model.layers)
    expected = ((x @ one.T).relu() @ two.T).relu() @ three.T
    torch.testing.assert_close(model(x), expected)
