"""Single steps in plain functions: equal to the modules they stand for, and used only where they may be."""

import pytest
import torch
from torch.nn import functional

from orchestrion.nn import packed_linear, stepping
from orchestrion.nn.cache import keep_rows
from orchestrion.nn.decoder import Decoder, DecoderLayer
from orchestrion.nn.positions import rotary_table
from orchestrion.nn.stepping import can_step


def decoder(*, norm_first=True, activation="gelu", dtype=torch.float32):
    torch.manual_seed(1)
    sizes = {"width": 24, "num_heads": 3, "feed_forward": 40}
    layers = [DecoderLayer(**sizes, activation_name=activation, norm_first=norm_first) for _ in range(2)]
    model = Decoder(layers, width=24).to(dtype).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def inputs(batch=3, time=7, dtype=torch.float32):
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(batch, time, 24, generator=generator).to(dtype)
    memory = torch.randn(batch, 5, 24, generator=generator).to(dtype)
    mask = torch.ones(batch, 5, dtype=torch.bool)
    mask[-1, 3:] = False
    return x, memory, mask


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("rotary", [None, rotary_table(7, 8)], ids=["plain", "rotary"])
@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("activation", ["relu", "gelu", "silu"])
@torch.no_grad()
def test_steps_equal_the_modules(batch, rotary, norm_first, activation):
    model = decoder(norm_first=norm_first, activation=activation)
    x, memory, mask = inputs(batch)
    whole = model(x, memory, mask, rotary)
    caches = model.start(memory, capacity=7)
    for at in range(7):
        turn = rotary[:, at : at + 1] if rotary is not None else None
        assert can_step(x[:, at : at + 1], caches)
        torch.testing.assert_close(model(x[:, at : at + 1], None, mask, turn, caches), whole[:, at : at + 1])


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")
@pytest.mark.parametrize("cached", [0, 1 << 23], ids=["cold", "warm"])
@pytest.mark.parametrize("batch", [1, 2])
@torch.no_grad()
def test_weights_that_fit_no_cache_are_packed_for_one_row_too(batch, cached, monkeypatch):
    packed = []
    monkeypatch.setattr("orchestrion.nn.decoder.CACHED", cached)
    for name in ("packs", "product"):
        plain = getattr(packed_linear, name)
        watched = (lambda: True) if name == "packs" else lambda *given, plain=plain: packed.append(1) or plain(*given)
        monkeypatch.setattr(packed_linear, name, watched)
    monkeypatch.setattr(stepping, "packs", lambda: True)
    torch.manual_seed(0)
    model = Decoder([DecoderLayer(width=512, num_heads=8, feed_forward=512)], width=512).eval()
    x, memory = torch.randn(batch, 2, 512), torch.randn(batch, 3, 512)
    whole, caches = model(x, memory), model.start(memory, capacity=2)
    packed.clear()
    for at in range(2):
        torch.testing.assert_close(model(x[:, at : at + 1], None, None, None, caches), whole[:, at : at + 1])
    assert bool(packed) == (batch > 1 or cached == 0)


@pytest.mark.parametrize("masked", [False, True])
@torch.no_grad()
def test_a_long_memory_is_read_by_plain_products(masked, monkeypatch):
    monkeypatch.setattr(stepping, "packs", lambda: True)
    query = torch.randn(2, 4, 1, 32)
    keys, values = torch.randn(2, 2, 4, stepping.LARGE // 128, 32)
    bias = torch.zeros(2, 1, 1, keys.shape[2])
    bias[1, ..., 100:] = -torch.inf
    for length in (keys.shape[2], 40):  # above and below the bound
        memory = (keys[:, :, :length], values[:, :, :length])
        part = bias[..., :length] if masked else None
        found = stepping._look_up(query, *memory, part)
        expected = functional.scaled_dot_product_attention(query, *memory, attn_mask=part)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_rows_that_end_leave_the_others_as_they_were():
    model, (x, memory, mask) = decoder(), inputs()
    whole = model(x, memory, mask)
    caches = model.start(memory, capacity=7)
    model(x[:, :4], None, mask, None, caches)
    rows = torch.tensor([2, 0])
    keep_rows(caches, rows)
    for at in range(4, 7):
        found = model(x[rows, at : at + 1], None, mask[rows], None, caches)
        torch.testing.assert_close(found, whole[rows, at : at + 1])


@torch.no_grad()
def test_another_mask_counts():
    model, (x, memory, mask) = decoder(), inputs()
    alone = [model.start(memory, capacity=7) for _ in range(2)]
    masked = model(x[:, :1], None, mask, None, alone[0])
    whole = model(x[:, :1], None, None, None, alone[1])
    torch.testing.assert_close(masked[:2], whole[:2])
    assert (masked[2] - whole[2]).abs().max() > 1e-3
    caches = model.start(memory, capacity=7)
    model(x[:, :1], None, mask, None, caches)
    everything = torch.ones_like(mask)
    unmasked = model(x[:, 1:2], None, everything, None, caches)
    torch.testing.assert_close(unmasked, model(x[:, :2], memory, None)[:, 1:], atol=0.2, rtol=0.2)
    assert caches[0].bias is None


def test_gradients_half_precision_and_dropout_go_through_the_modules():
    model, (x, memory, mask) = decoder(), inputs()
    caches = model.start(memory, capacity=7)
    assert not can_step(x[:, :1], caches)
    model(x[:, :1], None, mask, None, caches).sum().backward()
    assert model.layers[0].linear1.weight.grad.abs().sum() > 0
    with torch.no_grad():
        caches = model.start(memory, capacity=7)
        assert not can_step(x[:, :2], caches)
        assert not can_step(x[:, :1].bfloat16(), caches)
        with torch.autocast("cpu"):
            assert not can_step(x[:, :1], caches)


@torch.no_grad()
def test_full_caches_say_so():
    model, (x, memory, mask) = decoder(), inputs()
    caches = model.start(memory, capacity=2)
    model(x[:, :2], None, mask, None, caches)
    with pytest.raises(IndexError, match="holds 2 steps, 3 were needed"):
        model(x[:, 2:3], None, mask, None, caches)
