"""Attention by phrases against a naive version, and what each kind can see."""

import pytest
import torch

from orchestrion.nn.phrase_attention import KINDS, PhraseCrossAttention, PhraseDecoderLayer


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)


PHRASE = torch.tensor([[0, 0, 1, 1, 2]])
OF = torch.tensor([[0, 1, 1, 3]])
REAL = torch.tensor([[True, True, True, True]])


def build(kind):
    layer = PhraseCrossAttention(width=8, num_heads=2, kind=kind).eval()
    return layer, torch.randn(1, 5, 8), torch.randn(1, 4, 8)


def seen(kind):
    """[step, entry]: whether a change of the entry changes the step."""
    layer, x, memory = build(kind)
    before = layer(x, memory, PHRASE, OF, REAL)
    found = torch.zeros(5, 4, dtype=torch.bool)
    for entry in range(4):
        changed = memory.clone()
        changed[:, entry] += 1
        found[:, entry] = (layer(x, changed, PHRASE, OF, REAL) - before).abs().amax(-1)[0] > 1e-6
    return found


def test_what_each_kind_sees():
    own = PHRASE[0][:, None] == OF[0]
    assert torch.equal(seen("phrase"), own)
    assert seen("full").all() and seen("soft").all() and seen("phrase+summary").all()
    assert not seen("none").any()


def test_phrase_is_softmax_over_the_null_entry_and_its_own():
    layer, x, memory = build("phrase")
    q = layer.to_q(x)[0].reshape(5, 2, 4)
    kv = layer.to_kv(torch.cat([layer.null[0], memory[0]]))
    k, v = kv[:, :8].reshape(5, 2, 4), kv[:, 8:].reshape(5, 2, 4)
    rows = []
    for step in range(5):
        entries = [0, *[1 + n for n in range(4) if OF[0, n] == PHRASE[0, step]]]
        heads = []
        for head in range(2):
            weight = (k[entries, head] @ q[step, head] / 2).softmax(0)
            heads.append(weight @ v[entries, head])
        rows.append(layer.to_out(torch.cat(heads)))
    torch.testing.assert_close(layer(x, memory, PHRASE, OF, REAL)[0], torch.stack(rows))


def test_a_phrase_without_entries_is_finite():
    for kind in KINDS:
        layer, x, memory = build(kind)
        out = layer(x, memory, PHRASE, OF, torch.zeros(1, 4, dtype=torch.bool))
        assert out.isfinite().all()


def test_soft_weighs_near_phrases_more():
    layer, x, memory = build("soft")
    layer.distance.data.fill_(50.0)
    sharp = PhraseCrossAttention(width=8, num_heads=2, kind="phrase").eval()
    sharp.load_state_dict({key: value for key, value in layer.state_dict().items() if key != "distance"})
    torch.testing.assert_close(layer(x, memory, PHRASE, OF, REAL), sharp(x, memory, PHRASE, OF, REAL))
    with pytest.raises(ValueError, match="one of none, full"):
        PhraseCrossAttention(width=8, num_heads=2, kind="loud")


def test_decoder_layer_is_causal_but_for_the_memory():
    layer = PhraseDecoderLayer(width=8, num_heads=2, feed_forward=16, kind="phrase", dropout=0.1, most_phrases=8).eval()
    x, memory = torch.randn(1, 5, 8), torch.randn(1, 4, 8)
    changed = x.clone()
    changed[:, 3] += 1
    before, after = (layer(one, memory, PHRASE, OF, REAL) for one in (x, changed))
    torch.testing.assert_close(before[:, :3], after[:, :3])
    assert not torch.allclose(before[:, 3:], after[:, 3:])
