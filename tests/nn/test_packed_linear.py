"""Packed weights give what plain ones do, follow their weights, and are left out where somebody looks on."""

import copy

import pytest
import torch
from torch.nn import functional

from orchestrion.nn import packed_linear
from orchestrion.nn.derived import Derived
from orchestrion.nn.packed_linear import LARGE, Linear, few_rows, linear, product


@pytest.fixture(params=[False, True], ids=["plain", "packed"])
def packs(request, monkeypatch):
    if request.param and not torch.backends.mkldnn.is_available():
        pytest.skip("this torch has no oneDNN")
    monkeypatch.setattr(packed_linear, "packs", lambda: request.param)
    return request.param


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("rows", [(1,), (3,), (2, 5), (1, 1)])
def test_the_same_as_torch(packs, rows, bias):
    torch.manual_seed(0)
    layer = Linear(512, LARGE // 512 + 3, bias=bias)
    x = torch.randn(*rows, 2 * 512)[..., ::2]  # not contiguous
    with torch.inference_mode():
        found = layer(x)
    expected = functional.linear(x.double(), layer.weight.double(), layer.bias.double() if bias else None)
    assert found.shape == (*rows, LARGE // 512 + 3)
    torch.testing.assert_close(found.double(), expected.detach(), rtol=1e-5, atol=1e-5)


def test_it_follows_its_weight(packs):
    layer, x = Linear(600, 600), torch.randn(4, 600)
    with torch.no_grad():
        before = layer(x)
        layer.weight.mul_(2)
        torch.testing.assert_close(layer(x), functional.linear(x, layer.weight, layer.bias))
        assert not torch.allclose(layer(x), before)
        twin = copy.deepcopy(layer)
        twin.weight.zero_()
        torch.testing.assert_close(twin(x), layer.bias.expand(4, -1))
    assert list(layer.state_dict()) == ["weight", "bias"]


def test_parametrised_weights_are_never_kept(packs):
    layer, x = torch.nn.utils.parametrizations.weight_norm(Linear(600, 600)), torch.randn(4, 600)
    with torch.no_grad():
        for _ in range(3):
            layer.parametrizations.weight.original0.mul_(2)
            torch.testing.assert_close(layer(x), functional.linear(x, layer.weight, layer.bias))


def test_gradients_flow(packs):
    layer, x = Linear(600, 600), torch.randn(4, 600)
    with torch.no_grad():
        layer(x)
    layer(x).sum().backward()
    assert layer.weight.grad is not None and layer.weight.grad.abs().sum() > 0


def test_slices_of_a_weight(packs):
    weight, x, kept = torch.randn(3 * 520, 520), torch.randn(5, 520), Derived()
    with torch.no_grad():
        for _ in range(2):
            for part in (weight[:520], weight[520:]):
                torch.testing.assert_close(linear(x, part, None, kept), x @ part.t(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (3,)])
@pytest.mark.parametrize("bias", [False, True])
def test_weights_from_memory_are_packed_for_one_row_too(packs, monkeypatch, shape, bias):
    layer, x, packed = Linear(600, 520, bias=bias), torch.randn(*shape, 600), []
    monkeypatch.setattr(packed_linear, "product", lambda *given: packed.append(1) or product(*given))
    with torch.no_grad():
        near, far = layer.projection()(x), layer.projection(cold=True)(x)
        expected = functional.linear(x, layer.weight, layer.bias)
    assert len(packed) == (packs * (2 if shape == (3,) else 1))
    for found in (near, far):
        assert found.shape == (*shape, 520)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [32, 600])
def test_few_rows(packs, size):
    weight, bias, x = torch.randn(size, size), torch.randn(size), torch.randn(3, size)
    with torch.no_grad():
        product = few_rows(weight, bias, Derived())
        torch.testing.assert_close(product(x), functional.linear(x, weight, bias), rtol=1e-4, atol=1e-4)


def test_tracers_see_torch(packs):
    layer = Linear(600, 600)
    traced = torch.jit.trace(layer, torch.randn(4, 600))
    assert "mkldnn" not in str(traced.graph)


@pytest.mark.parametrize(
    ("told", "packed"),
    [("vendor_id\t: AuthenticAMD", True), ("vendor_id\t: GenuineIntel", False), ("nothing", False)],
)
def test_whose_processor(told, packed, monkeypatch):
    monkeypatch.setattr(packed_linear, "_maker", lambda: packed_linear._vendor(told))
    monkeypatch.setattr(packed_linear.platform, "machine", lambda: "x86_64")
    expected = packed and torch.backends.mkl.is_available() and torch.backends.mkldnn.is_available()
    assert packed_linear.packs.__wrapped__() == expected
    monkeypatch.setattr(packed_linear.platform, "machine", lambda: "aarch64")
    assert not packed_linear.packs.__wrapped__()
