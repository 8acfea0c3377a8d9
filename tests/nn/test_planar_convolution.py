"""Each way a convolution over pictures may go gives what the library's gives."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn import functional

from orchestrion.nn import planar_convolution
from orchestrion.nn.derived import Derived
from orchestrion.nn.image_blocks import convolution
from orchestrion.nn.planar_convolution import Convolution2d, row_kernels, row_products


def picture(*shape: int) -> torch.Tensor:
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(1))
    return x.contiguous(memory_format=torch.channels_last)


def plain(layer: Convolution2d, x: torch.Tensor) -> torch.Tensor:
    return functional.conv2d(x, layer.weight, layer.bias, layer.stride, layer.padding)


@pytest.mark.parametrize(
    ("channels", "out", "kernel", "stride", "shape", "way"),
    [
        (96, 128, 3, 1, (2, 16, 8), "_tiles"),
        (96, 96, 3, 1, (1, 15, 12), "_tiles"),
        (128, 96, 3, 1, (3, 10, 2), "_rows"),
        (96, 96, 3, 1, (1, 7, 1), "_rows"),
        (96, 96, 3, 1, (1, 5, 5), None),
        (8, 96, 3, 1, (2, 16, 16), None),
        (96, 96, 3, 2, (2, 16, 16), None),
        (40, 24, 1, 1, (2, 16, 16), None),
        (96, 96, 1, 2, (2, 16, 16), None),
        (96, 96, 5, 1, (2, 16, 16), None),
    ],
)
def test_same_result_by_every_way(channels, out, kernel, stride, shape, way):
    torch.manual_seed(0)
    layer = Convolution2d(channels, out, kernel, stride=stride, padding=kernel // 2)
    x = picture(shape[0], channels, *shape[1:])
    with torch.no_grad():
        made = layer(x)
        torch.testing.assert_close(made, plain(layer, x), atol=1e-5, rtol=0)
    taken = [name for name in ("_tiles", "_rows") if getattr(layer, name)._value is not None]
    assert taken == ([] if way is None else [way])


def test_only_plain_work_goes_other_ways(monkeypatch):
    layer = Convolution2d(96, 96, 3, padding=1)
    x = picture(1, 96, 16, 16)
    layer(x).sum().backward()
    assert layer.weight.grad is not None
    with torch.no_grad():
        layer.double()(x.double())
        layer.float()
        with torch.autocast("cpu", torch.bfloat16):
            assert layer(x).dtype == torch.bfloat16
        torch.export.export(layer, (x,))
    assert layer._tiles._value is None
    with torch.inference_mode():
        layer(x)
    assert layer._tiles._value is not None


def test_results_follow_the_weights():
    layer = Convolution2d(96, 96, 3, padding=1)
    x, narrow = picture(1, 96, 16, 16), picture(1, 96, 16, 2)
    with torch.no_grad():
        layer(x), layer(narrow)
        layer.weight.mul_(-0.5)
        torch.testing.assert_close(layer(x), plain(layer, x), atol=1e-5, rtol=0)
        torch.testing.assert_close(layer(narrow), plain(layer, narrow), atol=1e-5, rtol=0)
        torch.testing.assert_close(layer(narrow[..., :1]), plain(layer, narrow[..., :1]), atol=1e-5, rtol=0)
        layer.weight = torch.nn.Parameter(torch.randn(96, 96, 3, 3) / 30)
        torch.testing.assert_close(layer(x), plain(layer, x), atol=1e-5, rtol=0)


def test_row_products_by_their_definition():
    torch.manual_seed(0)
    for width in (1, 2, 3):
        x, weight = torch.randn(2, 3, 5, width), torch.randn(4, 3, 3, 3)
        wanted = functional.conv2d(x, weight, padding=1)
        torch.testing.assert_close(row_products(x, row_kernels(weight, width)), wanted, atol=1e-5, rtol=0)


def test_what_is_derived_is_kept_and_not_copied():
    calls = []

    def doubled(weight: torch.Tensor, factor: float) -> torch.Tensor:
        calls.append(factor)
        return weight * factor

    weight, kept = torch.ones(3), Derived()
    assert kept(weight, doubled, 2.0) is kept(weight, doubled, 2.0)
    kept(weight, doubled, 3.0)
    weight.add_(1)
    assert kept(weight, doubled, 3.0).tolist() == [6, 6, 6]
    assert calls == [2.0, 3.0, 3.0]
    assert copy.deepcopy(kept)._value is None
    with torch.inference_mode():
        assert kept(torch.ones(2), doubled, 2.0).tolist() == [2, 2]


def test_blocks_are_made_of_it():
    assert isinstance(convolution(4, 4, 3), planar_convolution.Convolution2d)
    assert isinstance(convolution(4, 4, 3, dims=3), torch.nn.Conv3d)
