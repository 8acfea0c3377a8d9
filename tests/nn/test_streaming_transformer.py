"""The streaming transformer against naive versions of what its options say."""

from __future__ import annotations

import pytest
import torch

from orchestrion.hub.official.codecs import transformer_arguments
from orchestrion.nn.streaming_transformer import StreamingState, StreamingTransformer


def small(**options):
    torch.manual_seed(0)
    made = StreamingTransformer(width=8, heads=2, hidden=6, layers=1, **options).eval()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return made


def weights(q, k):
    """Causal attention of complex queries and keys [time, pairs]."""
    scores = (q[:, None] * k[None].conj()).sum(-1).real / 2
    return scores.masked_fill(torch.ones(len(q), len(q)).triu(1).bool(), -torch.inf).softmax(-1)


@pytest.mark.parametrize(("scale", "xpos"), [(1.0, False), (0.5, False), (0.0, False), (1.0, True), (0.3, True)])
@torch.inference_mode()
def test_rotations_are_products_of_complex_numbers(scale, xpos):
    model, x = small(positions="rope", position_scale=scale, xpos=xpos, period=50.0), torch.randn(1, 7, 8)
    model.layers[0].linear2.weight.zero_()
    model.layers[0].linear2.bias.zero_()
    attention, steps = model.layers[0].self_attention, torch.arange(7.0)[:, None]
    q, k, v = attention.project(*[model.layers[0].norm1(x)] * 2)
    decay = (((torch.arange(2) / 2 + 0.4) / 1.4) ** (steps / 512)) if xpos else torch.ones(7, 2)
    turn = torch.polar(torch.ones(7, 2), steps * torch.tensor([1.0, 50.0**-0.5]))
    heads = []
    for head in range(2):
        queries, keys = (torch.view_as_complex(part[0, head].reshape(7, 2, 2).contiguous()) for part in (q, k))
        seen = weights(queries * (scale * turn * decay + 1 - scale), keys * (scale * turn / decay + 1 - scale))
        heads.append(seen @ v[0, head])
    expected = x + attention.out_proj(torch.cat(heads, -1))
    torch.testing.assert_close(model(x), expected)
    state = StreamingState()
    steps = [model(x[:, step : step + 1], state=state) for step in range(7)]
    torch.testing.assert_close(torch.cat(steps, 1), expected)


@pytest.mark.parametrize("first", [True, False])
@torch.inference_mode()
def test_with_norms_at_the_end_the_input_of_a_layer_asks_the_condition(first):
    model, x, memory = small(positions="none", cross=True, norm_first=first), torch.randn(1, 5, 8), torch.randn(1, 3, 8)
    layer = model.layers[0]
    own = layer.self_attention
    seen = torch.ones(5, 5).tril().bool()

    def attend(asking):
        return layer.cross_attention.mix(*layer.cross_attention.project(asking, memory), None)

    def apart(h):
        return layer.linear2(torch.nn.functional.gelu(layer.linear1(h)))

    if first:
        h = layer.norm1(x)
        y = x + own.mix(*own.project(h, h), seen)
        y = y + attend(layer.norm_cross(y))
        expected = y + apart(layer.norm2(y))
    else:
        y = layer.norm1(x + own.mix(*own.project(x, x), seen))
        y = layer.norm_cross(y + attend(x))
        expected = layer.norm2(y + apart(y))
    torch.testing.assert_close(model(x, memory), expected)


def test_official_arguments_keep_the_past_and_the_dropout_of_attention():
    sizes = {"d_model": 8, "num_heads": 2, "num_layers": 1, "causal": True, "past_context": 3}
    assert transformer_arguments(sizes)["past"] == 3
    assert transformer_arguments({**sizes, "custom": True})["past"] == 3
    assert transformer_arguments({**sizes, "memory_efficient": True})["past"] is None
    assert transformer_arguments(sizes)["attention_dropout"] == 0.1
    assert transformer_arguments({**sizes, "attention_dropout": 0.0})["attention_dropout"] == 0.0
