"""Convolutions of blocks as matrix products give what the library's give."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from orchestrion.nn import line_convolution as module
from orchestrion.nn.convolution import Conv1d, ConvTranspose1d
from orchestrion.nn.line_convolution import line_convolution, line_transposed, phase_kernels, tap_kernels
from orchestrion.nn.streaming import Place, Plan, Pointwise, StreamedConv1d


@pytest.mark.parametrize("gathered", [0, 1 << 17])
@pytest.mark.parametrize(
    ("taps", "stride", "dilation"), [(1, 1, 1), (3, 1, 1), (3, 1, 5), (7, 1, 2), (8, 4, 1), (5, 2, 3)]
)
def test_convolution(taps, stride, dilation, gathered, monkeypatch):
    monkeypatch.setattr(module, "GATHERED", gathered)
    torch.manual_seed(0)
    for channels in (2, 40):
        whole = torch.randn(2, channels, 71)
        weight, bias = torch.randn(5, channels, taps) / channels, torch.randn(5)
        for x in (whole, whole[..., 3:-4], whole.transpose(1, 2).contiguous().transpose(1, 2)):
            made = line_convolution(x, tap_kernels(weight), bias, stride=stride, dilation=dilation)
            wanted = functional.conv1d(x, weight, bias, stride, 0, dilation)
            torch.testing.assert_close(made, wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("taps", "stride"), [(2, 1), (4, 2), (8, 4), (12, 4), (4, 4)])
def test_transposed(taps, stride):
    torch.manual_seed(0)
    x, weight = torch.randn(2, 6, 9), torch.randn(6, 3, taps)
    made = line_transposed(x, phase_kernels(weight, stride), stride=stride)
    torch.testing.assert_close(made, functional.conv_transpose1d(x, weight, None, stride), atol=1e-5, rtol=1e-5)


def test_transposed_with_a_kernel_that_is_filled_up():
    torch.manual_seed(0)
    x, weight = torch.randn(1, 6, 9), torch.randn(6, 3, 5)
    made = line_transposed(x, phase_kernels(weight, 2), stride=2)
    wanted = functional.conv_transpose1d(x, weight, None, 2)
    torch.testing.assert_close(made[..., : wanted.shape[-1]], wanted, atol=1e-5, rtol=1e-5)
    assert not made[..., wanted.shape[-1] :].any()


def test_a_stream_goes_by_products_where_no_gradient_is_wanted(monkeypatch):
    torch.manual_seed(0)
    body = nn.Sequential(nn.LeakyReLU(0.2), Conv1d(3, 8, 5, dilation=2), nn.LeakyReLU(0.1), Conv1d(8, 4, 1))
    net = nn.Sequential(body, nn.LeakyReLU(0.3), ConvTranspose1d(4, 2, 4, stride=2))
    plan = Plan()
    stream, after = plan.build(net, Place(1))
    convolutions = [part for part in stream.modules() if isinstance(part, StreamedConv1d)]
    assert [part.slope for part in convolutions] == [0.2, 0.1]
    assert sum(isinstance(part, Pointwise) for part in stream.modules()) == 1
    x = torch.randn(2, 3, 40)
    calls = []
    monkeypatch.setattr(
        "orchestrion.nn.streaming.line_convolution",
        lambda *given, **named: calls.append(1) or line_convolution(*given, **named),
    )

    def streamed() -> torch.Tensor:
        state, parts = plan.state(2, like=x), []
        for start in range(0, 40, 8):
            parts.append(stream(x[..., start : start + 8], state, torch.ones(1, 1, 8)))
        return torch.cat(parts, -1)

    with torch.enable_grad():
        slow = streamed()
        assert not calls
    with torch.no_grad():
        fast = streamed()
    assert len(calls) == 10
    torch.testing.assert_close(fast, slow, atol=1e-5, rtol=1e-5)
    wanted = net(x)[..., : -after.late]
    torch.testing.assert_close(fast[..., after.late :], wanted, atol=1e-5, rtol=1e-5)


def test_input_and_state_are_left_as_they_were():
    plan = Plan()
    stream, _ = plan.build(nn.Sequential(nn.LeakyReLU(0.2), Conv1d(3, 3, 3)), Place(1))
    x = torch.randn(1, 3, 8)
    kept = x.clone()
    with torch.no_grad():
        state = plan.state(1, like=x)
        stream(x, state, torch.ones(1, 1, 0))
        held = [one.clone() for one in state]
        copies = list(state)
        stream(-x, state, torch.ones(1, 1, 0))
    torch.testing.assert_close(x, kept, atol=0, rtol=0)
    for one, other in zip(copies, held, strict=True):
        torch.testing.assert_close(one, other, atol=0, rtol=0)
