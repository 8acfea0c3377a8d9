"""Convolutions by tiles against convolutions by their definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from orchestrion.nn.winograd import padded_share, transforms, winograd_convolution, winograd_kernel


@pytest.mark.parametrize(
    ("points", "taps"), [((0.0, 0.75, -0.75, 1.5, -1.5), 3), ((0.0, 1.0, -1.0), 3), ((0.0, 1.0), 2)]
)
def test_transforms_make_a_correlation(points, taps):
    rng = np.random.default_rng(0)
    inputs, kernel, outputs = transforms(points, taps)
    d, g = rng.normal(size=len(points) + 1), rng.normal(size=taps)
    wanted = [d[i : i + taps] @ g for i in range(len(outputs))]
    np.testing.assert_allclose(outputs @ ((inputs @ d) * (kernel @ g)), wanted, atol=1e-12)


def test_transforms_of_the_paper():
    inputs, kernel, outputs = transforms((0.0, 1.0, -1.0))  # section 4.1, but for signs that cancel
    first, last = np.array([[-1], [1], [1], [1]]), np.array([[1], [1], [1], [-1]])
    np.testing.assert_allclose(inputs * first * last, [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
    np.testing.assert_allclose(kernel * first, [[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
    np.testing.assert_allclose(outputs * last.T, [[1, 1, 1, 0], [0, 1, -1, -1]])


@given(
    sizes=st.tuples(*[st.integers(1, 3)] * 3, st.integers(1, 21), st.integers(1, 19)),
    biased=st.booleans(),
    seed=st.integers(0, 99),
)
@settings(max_examples=25, deadline=None)
def test_like_the_plain_convolution(sizes, biased, seed):
    batch, channels, out, height, width = sizes
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, channels, height, width, generator=generator)
    weight = torch.randn(out, channels, 3, 3, generator=generator)
    bias = torch.randn(out, generator=generator) if biased else None
    made = winograd_convolution(x.contiguous(memory_format=torch.channels_last), winograd_kernel(weight), bias)
    wanted = functional.conv2d(x.double(), weight.double(), None if bias is None else bias.double(), padding=1)
    torch.testing.assert_close(made.double(), wanted, atol=3e-5, rtol=0)


def test_pictures_of_many_blocks_and_rounding():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 64, 97, 66, generator=generator).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(64, 64, 3, 3, generator=generator) / 24
    wanted = functional.conv2d(x.double(), weight.double(), padding=1)
    made = winograd_convolution(x, winograd_kernel(weight))
    plain = functional.conv2d(x, weight, padding=1)
    error, least = ((one.double() - wanted).square().mean().sqrt() for one in (made, plain))
    assert error < 8 * least + 1e-7
    assert (made.double() - wanted).abs().max() < 5e-5


def test_share_of_tiles():
    assert padded_share(8, 16) == 1
    assert padded_share(5, 4) == 8 / 5
