"""Attention by oneDNN's products is that of torch's kernel, masks included, and is left out where it does not fit."""

import pytest
import torch
from torch.nn import functional

from orchestrion.nn import attention
from orchestrion.nn.activations import add_in_place
from orchestrion.nn.attention import HEAD_BLOCK, LONG, attend

pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")


@pytest.fixture(autouse=True)
def by_heads(monkeypatch):
    """How often attention goes by heads, on whichever processor."""
    calls, plain = [], attention._attend_by_heads
    monkeypatch.setattr(attention, "packs", lambda: True)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(attention, "_attend_by_heads", lambda *given: calls.append(1) or plain(*given))
    return calls


def parts(time, memory, *, batch=2, heads=3, head_dim=8):
    """Queries, keys and values as a packed projection leaves them."""
    torch.manual_seed(0)
    split = (torch.randn(batch, steps, heads * head_dim) for steps in (time, memory, memory))
    return [part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in split]


def naive(q, k, v, *, mask=None, scale=None):
    """Equation 1 in double precision."""
    q, k, v = q.double(), k.double(), v.double()
    scores = q @ k.mT * (q.shape[-1] ** -0.5 if scale is None else scale)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return (scores.softmax(-1) @ v).float()


@pytest.mark.parametrize("mask", [None, "memory", "pairs"])
@pytest.mark.parametrize("scale", [None, 0.7])
@pytest.mark.parametrize(("time", "memory"), [(LONG, LONG), (HEAD_BLOCK + 88, LONG + 1)])
def test_the_same_as_the_formula(by_heads, mask, scale, time, memory):
    q, k, v = parts(time, memory)
    shape = {None: None, "memory": (2, 1, 1, memory), "pairs": (1, 3, time, memory)}[mask]
    allowed = None if shape is None else torch.rand(shape) > 0.4
    with torch.inference_mode():
        found = attend(q, k, v, mask=allowed, scale=scale)
    assert by_heads
    torch.testing.assert_close(found, naive(q, k, v, mask=allowed, scale=scale), rtol=1e-5, atol=1e-5)


def test_what_is_hidden_has_no_effect(by_heads):
    q, k, v = parts(LONG, LONG)
    mask = torch.ones(2, 1, 1, LONG, dtype=torch.bool)
    mask[1, ..., 200:] = False
    with torch.inference_mode():
        before = attend(q, k, v, mask=mask)
        k[1, :, 200:], v[1, :, 200:] = 50.0, -7.0
        after = attend(q, k, v, mask=mask)
    assert len(by_heads) == 2
    assert torch.equal(before, after)


def test_a_query_that_sees_nothing_gets_nothing(by_heads):
    q, k, v = parts(LONG, LONG)
    mask = torch.ones(1, 1, LONG, LONG, dtype=torch.bool)
    mask[..., 5, :] = False
    with torch.inference_mode():
        found = attend(q, k, v, mask=mask)
    assert not by_heads
    assert (found[:, :, 5] == 0).all() and found.isfinite().all()


def test_short_causal_and_learned_attention_is_torchs(by_heads):
    q, k, v = parts(LONG, LONG)
    with torch.inference_mode():
        attend(q[:, :, 1:], k, v)
        attend(q, k[:, :, 1:], v[:, :, 1:])
        found = attend(q, k, v, causal=True)
    torch.testing.assert_close(found, functional.scaled_dot_product_attention(q, k, v, is_causal=True))
    q.requires_grad_()
    attend(q, k, v).sum().backward()
    assert q.grad is not None and q.grad.isfinite().all()
    assert not by_heads


@pytest.mark.parametrize(
    ("threads", "length", "times"), [(2, LONG, 0), (2, 2 * LONG, 1), (attention.MOST_THREADS + 1, 9 * LONG, 0)]
)
def test_more_threads_need_longer_sequences(by_heads, monkeypatch, threads, length, times):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    with torch.inference_mode():
        attend(*parts(length, length, heads=1))
    assert len(by_heads) == times


def test_a_sum_in_place_leaves_the_input():
    x, branch = torch.randn(3, 4), torch.randn(3, 4)
    expected, kept = x + branch, x.clone()
    with torch.inference_mode():
        assert torch.equal(add_in_place(branch.clone(), x), expected)
    assert torch.equal(x, kept)
    branch.requires_grad_()
    (add_in_place(branch, x) ** 2).sum().backward()
    torch.testing.assert_close(branch.grad, 2 * expected)
