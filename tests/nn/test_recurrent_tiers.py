"""Recurrent layers and tiers against naive versions."""

import pytest
import torch

from orchestrion.nn.attention_rnn import AttentionRNNLayer
from orchestrion.nn.frame_tier import FrameTier
from orchestrion.nn.hierarchical_rnn import HierarchicalRNN, TierStepper
from orchestrion.nn.recurrent import GRULayer, LSTMLayer, RecurrentStack, recurrent_layer


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)


def naive_lstm(layer, x, hidden, cell):
    outputs = []
    for step in x.unbind(1):
        sums = layer.to_inner(step) + layer.recur(hidden)
        gate, forget, candidate, output = sums.chunk(4, -1)
        cell = (forget + 1).sigmoid() * cell + gate.sigmoid() * candidate.tanh()
        hidden = output.sigmoid() * cell.tanh()
        outputs.append(hidden)
    return torch.stack(outputs, 1), hidden, cell


def test_lstm_adds_one_to_its_forget_gate():
    layer, x = LSTMLayer(inputs=5, width=7), torch.randn(2, 6, 5)
    layer.to_inner.bias.data.normal_()
    ours, state = layer(x)
    theirs, hidden, cell = naive_lstm(layer, x, torch.zeros(2, 7), torch.zeros(2, 7))
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(state, (hidden, cell))
    assert sum(p.numel() for p in layer.parameters()) == 4 * 7 * (5 + 7 + 1)


def test_gru_resets_before_the_product():
    layer, x = GRULayer(inputs=3, width=4), torch.randn(2, 5, 3)
    hidden = torch.zeros(2, 4)
    for step in x.unbind(1):
        reset, update = (layer.gates.weight @ torch.cat([step, hidden], -1).T).T.add(layer.gates.bias).split(4, -1)
        joined = torch.cat([step, reset.sigmoid() * hidden], -1)
        hidden = update.sigmoid() * hidden + (1 - update.sigmoid()) * layer.candidate(joined).tanh()
    ours, state = layer(x)
    torch.testing.assert_close(ours[:, -1], hidden)
    torch.testing.assert_close(state[0], hidden)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_states_carry_a_sequence_on(kind):
    stack = RecurrentStack.of(kind, inputs=3, width=4, num_layers=2).eval()
    attending = RecurrentStack([AttentionRNNLayer(kind=kind, inputs=3, width=4, memory=3)]).eval()
    x = torch.randn(2, 8, 3)
    for layers in (stack, attending):
        whole = layers(x)
        first = layers(x[:, :5])
        second = layers(x[:, 5:], first.state)
        torch.testing.assert_close(torch.cat([first.outputs, second.outputs], 1), whole.outputs)


def test_dropout_is_on_every_layer_in_training_alone():
    stack = RecurrentStack.of("lstm", inputs=3, width=64, num_layers=1, dropout=0.5)
    x = torch.randn(1, 4, 3)
    assert (stack(x).outputs == 0).float().mean() > 0.3
    assert (stack.eval()(x).outputs != 0).all()


def test_attention_over_the_last_outputs():
    layer, x = AttentionRNNLayer(kind="lstm", inputs=3, width=4, memory=2).eval(), torch.randn(1, 5, 3)
    hidden = cell = attended = torch.zeros(4)
    made = [torch.zeros(4), torch.zeros(4)]
    for step in x[0]:
        mixed = layer.mix_in(torch.cat([step, attended]))
        _, hidden, cell = naive_lstm(layer.cell, mixed[None, None], hidden[None], cell[None])
        hidden, cell = hidden[0], cell[0]
        query = layer.query(torch.cat([cell, hidden]))
        scores = torch.stack([(layer.score * (layer.key(past) + query).tanh()).sum() for past in made[-2:]])
        attended = sum(weight * past for weight, past in zip(scores.softmax(0), made[-2:], strict=True))
        made.append(layer.mix_out(torch.cat([hidden, attended])))
    torch.testing.assert_close(layer(x)[0][0], torch.stack(made[2:]))


def test_tier_spreads_a_frame_and_adds_what_is_above():
    tier = FrameTier(inputs=3, width=4, frame=2, spread=5, embed=True, residual=True).eval()
    x, above = torch.randn(2, 6, 3), torch.randn(2, 3, 4)
    made = tier(x, above)
    assert made.vectors.shape == (2, 15, 4)
    frames = tier.embed(x.reshape(2, 3, 6)) + above
    outputs = tier.layers(frames).outputs + above
    torch.testing.assert_close(made.vectors, tier.upsample(outputs).reshape(2, 15, 4))
    with pytest.raises(ValueError, match="5 steps do not fill frames of 2"):
        tier(x[:, :5])
    with pytest.raises(ValueError, match="not projected"):
        FrameTier(inputs=3, width=4, frame=2, spread=2)(x, above)
    with pytest.raises(ValueError, match="lstm or gru"):
        recurrent_layer("elman", inputs=1, width=1)


@pytest.mark.parametrize(
    "sizes",
    [
        {"tiers": 2, "frame": 4},
        {"tiers": 3, "frame": 2, "big_frame": 8, "residual": True},
        {"tiers": 1, "elapsed": 0, "attention": True, "frame": 4},
        {"tiers": 1, "elapsed": 0},
    ],
    ids=str,
)
def test_tiers_one_by_one_are_all_at_once(sizes):
    plain = {"frame": 16, "big_frame": 16, "elapsed": 16, "residual": False, "attention": False}
    layers = {"width": 12, "num_layers": 2, "kind": "lstm", "dropout": 0.5, "embed_frames": False}
    network = HierarchicalRNN(inputs=20, **{**layers, **plain, **sizes}).eval()
    x = torch.randn(2, 24, 20)
    passed = torch.randint(16, (24 - network.lead,))
    whole = network.hidden(x, passed.expand(2, -1) if network.elapsed else None)
    stepper = TierStepper(network)
    for number in range(24 - network.lead):
        now = stepper(x[:, : network.lead + number], int(passed[number]))
        torch.testing.assert_close(now[:, 0], whole[:, number], rtol=1e-4, atol=1e-5)
