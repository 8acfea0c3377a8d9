"""Parity with the published Text2midi decoder, for every reference case; and the sane network beside it."""

import importlib.util
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from orchestrion.errors import WeightsError
from orchestrion.hub.official import midicaps as official
from orchestrion.nn.text2midi_network import Text2MidiNetwork
from orchestrion.paradigms.autoregressive import choose, next_token_loss
from orchestrion.systems.midicaps import MidiCaps

HERE = Path(__file__).parents[1] / "reference"
ROOT = Path(os.environ.get("ORCHESTRION_REFERENCE", HERE))
CASES = [
    folder
    for folder in sorted((ROOT / "midicaps").glob("*"))
    if (folder / "data.npz").is_file() and "logits" in np.load(folder / "data.npz").files
]
each = pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)


def fill():
    path = ROOT / "fill.py" if (ROOT / "fill.py").exists() else HERE / "fill.py"
    spec = importlib.util.spec_from_file_location("reference_fill", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Case:
    def __init__(self, folder):
        self.about = json.loads((folder / "case.json").read_text())
        self.arrays = np.load(folder / "data.npz")
        self.tolerance = float(self.about["tolerance"])
        self.system = MidiCaps(**official.arguments(self.about["arguments"]), text="none").eval()
        state = {key: torch.from_numpy(value) for key, value in fill().state_dict(folder).items()}
        self.system.load_state_dict(official.convert(state))  # strict: no key too many or too few
        self.network = self.system.network

    def __getitem__(self, name):
        value = torch.from_numpy(self.arrays[name])
        return value if value.is_floating_point() else value.long()

    def close(self, ours, name):
        torch.testing.assert_close(ours, self[name], rtol=self.tolerance, atol=self.tolerance)


@each
@torch.inference_mode()
def test_network(folder):
    case = Case(folder)
    tokens, memory = case["tokens"], case["memory"]
    case.close(case.network(tokens, memory), "logits")
    case.close(case.network(tokens[:1], memory[:1]), "logits_batch_of_one")
    layer = case.network.decoder.layers[0]
    x = case.network.embed(tokens)
    case.close(layer.self_attn(x), "self_attention_first_layer")
    case.close(layer(x, layer.multihead_attn.project_memory(memory)), "first_layer")


@each
@torch.inference_mode()
def test_blocks_move_with_the_length(folder):
    case = Case(folder)
    name = next(name for name in case.arrays.files if name.startswith("logits_first_"))
    length = case[name].shape[1]
    case.close(case.network(case["tokens"][:1, :length], case["memory"][:1]), name)
    whole = case.network(case["tokens"][:1], case["memory"][:1])[:, :length]
    assert (whole - case[name]).abs().max() > 100 * case.tolerance


@each
@torch.inference_mode()
def test_loss(folder):
    case = Case(folder)
    logits = case.network(case["tokens"], case["memory"])
    found = next_token_loss(logits[:, :-1], case["tokens"][:, 1:]).item()
    for value in case.about["loss"].values():
        assert found == pytest.approx(value, abs=case.tolerance)


@each
@torch.inference_mode()
def test_generation_with_the_stored_draws(folder):
    case = Case(folder)
    tokens = torch.ones(1, 1, dtype=torch.long)
    for uniform in case["generation_uniforms"]:
        logits = case.network(tokens, case["memory"][:1])[:, -1]
        tokens = torch.cat([tokens, choose(logits, uniform[None], temperature=0.9)[:, None]], 1)
    assert tokens[:, 1:].tolist() == case["generated"].tolist()


@each
def test_every_published_key_has_its_place_at_full_size(folder):
    if not (folder / "paper_keys.json").is_file():
        pytest.skip("no list of keys at full size here")
    keys = json.loads((folder / "paper_keys.json").read_text())
    with torch.device("meta"):
        model = MidiCaps.from_preset("paper", quirks="official")
        sane = MidiCaps.from_preset("paper")
        state = {key: torch.empty(shape) for key, shape in keys.items() if not key.startswith("_")}
    assert sum(p.numel() for p in model.parameters()) == keys["_parameters"]
    assert sum(p.numel() for p in sane.parameters()) == keys["_parameters"]
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    assert {key: tuple(value.shape) for key, value in official.convert(state).items()} == shapes
    for one in ("encoder.shared.weight", "encoder.encoder.embed_tokens.weight"):  # files hold one or both
        assert official.convert({k: v for k, v in state.items() if k != one}).keys() == shapes.keys()


@each
def test_other_official_sizes_have_the_same_places(folder):
    given = json.loads((folder / "case.json").read_text())["arguments"]
    given |= {"norm_first": True, "activation": "gelu", "num_decoder_layers": 1, "max_len": 32, "bias": True}
    model = MidiCaps(**official.arguments(given), text="none")
    keys = json.loads((folder / "keys.json").read_text())
    keys = {key: shape for key, shape in keys.items() if ".layers." not in key or ".layers.0." in key}
    ours = official.convert({key: torch.empty(shape) for key, shape in keys.items()})
    assert ours.keys() == model.state_dict().keys()
    assert model.network.positions.shape[0] == 32
    assert model.network.decoder.layers[0].norm_first


def test_arguments_that_are_left_out_have_the_published_defaults():
    sizes = {"vocabulary_size": 30000, "width": 512, "num_heads": 8, "max_length": 5000}
    depth = {"num_layers": 6, "feed_forward": 2048}
    kind = {"vocabulary": "remi", "quirks": "official"}
    assert official.arguments({}) == {**sizes, **depth, **kind}
    assert official.arguments({"n_vocab": 60, "nhead": 4}) == {
        **sizes, **depth, **kind, "vocabulary_size": 60, "num_heads": 4,
    }  # fmt: skip
    checkpoint = official.arguments(official.SOURCE["arguments"])
    assert (checkpoint["vocabulary_size"], checkpoint["width"], checkpoint["num_layers"]) == (524, 768, 18)


@each
@torch.inference_mode()
def test_without_biases_and_with_another_epsilon(folder):
    """Biases that are 0 are as good as none; an epsilon beside which the variance is nothing flattens the output."""
    case = Case(folder)
    given, memory = case.about["arguments"], case["memory"]
    bare = MidiCaps(**official.arguments({**given, "bias": False}), text="none").eval()
    state = case.system.state_dict()
    assert {key for key in state if key.startswith("network.decoder") and key.endswith("bias")} == (
        state.keys() - bare.state_dict().keys()
    )
    for key, value in state.items():
        if key not in bare.state_dict():
            value.zero_()
    bare.load_state_dict({key: state[key] for key in bare.state_dict()})
    torch.testing.assert_close(bare.network(case["tokens"], memory), case.network(case["tokens"], memory))
    flat = MidiCaps(**official.arguments({**given, "layer_norm_eps": 1e12}), text="none").eval()
    flat.load_state_dict(state)
    layer = flat.network.decoder.layers[0]
    assert [norm.eps for norm in (layer.norm1, layer.norm2, layer.norm3, flat.network.decoder.norm)] == [1e12] * 4
    logits = flat.network(case["tokens"], memory)
    torch.testing.assert_close(logits, flat.network.projection.bias.expand_as(logits), atol=1e-4, rtol=0)


def test_a_step_with_caches_needs_no_biases():
    torch.manual_seed(0)
    sizes = {"vocabulary_size": 12, "width": 16, "num_layers": 2, "num_heads": 2, "feed_forward": 16, "max_length": 16}
    network = Text2MidiNetwork(**sizes, other_biases=False, norm_eps=1e-3).eval()
    tokens, memory = torch.randint(12, (2, 10)), torch.randn(2, 3, 16)
    with torch.inference_mode():
        whole, caches = network(tokens, memory), network.decoder.start(memory, capacity=10)
        steps = [network.step(tokens[:, at : at + 1], caches) for at in range(10)]
    torch.testing.assert_close(torch.stack(steps, 1), whole, atol=1e-5, rtol=1e-4)


def test_unknown_keys_and_arguments_are_refused(tmp_path):
    for key in ("decoder.layers.0.moe.gate.weight", "decoder.layers.0.self_attn.to_qkv.bias", "head.weight"):
        with pytest.raises(WeightsError, match="belongs to no published"):
            official.convert({key: torch.zeros(1)})
    with pytest.raises(WeightsError, match="use_moe=True is not supported"):
        official.arguments({"n_vocab": 60, "use_moe": True})
    with pytest.raises(WeightsError, match="'depth' belongs to no published"):
        official.arguments({"depth": 3})
    torch.save({"weights": Path("pickled")}, tmp_path / "foreign.bin")
    torch.save({"projection.bias": torch.arange(3.0)}, tmp_path / "sound.bin")
    with pytest.raises(WeightsError, match="cannot be read safely"):
        official.read(tmp_path / "foreign.bin")
    assert official.read(tmp_path / "sound.bin")["network.projection.bias"].tolist() == [0, 1, 2]


# The sane network -----------------------------------------------------------------------------------------------------


@pytest.fixture(params=["sinusoidal", "rotary"])
def sane(request):
    torch.manual_seed(5)
    sizes = {"vocabulary_size": 40, "width": 32, "num_layers": 2, "num_heads": 4, "feed_forward": 48, "max_length": 64}
    return Text2MidiNetwork(**sizes, positions=request.param).eval()


@pytest.fixture
def written():
    generator = torch.Generator().manual_seed(6)
    tokens = torch.randint(40, (2, 24), generator=generator)
    return tokens, torch.randn(2, 7, 32, generator=generator)


@torch.inference_mode()
def test_the_future_is_not_seen(sane, written):
    tokens, memory = written
    changed = tokens.clone()
    changed[:, 15:] = (changed[:, 15:] + 7) % 40
    before, after = sane(tokens, memory), sane(changed, memory)
    torch.testing.assert_close(before[:, :15], after[:, :15])
    assert (before[:, 15] - after[:, 15]).abs().max() > 1e-3


@torch.inference_mode()
def test_the_first_token_reaches_the_last_step(sane, written):
    tokens, memory = written
    changed = tokens.clone()
    changed[:, 0] = (changed[:, 0] + 7) % 40
    difference = (sane(tokens, memory) - sane(changed, memory)).abs().amax((0, 2))
    assert (difference > 1e-5).all()  # the published blocks of 24 / 4 = 6 steps would leave the rest as it is


@torch.inference_mode()
def test_places_matter(sane, written):
    tokens, memory = written
    swapped = tokens.clone()
    swapped[:, [2, 9]] = swapped[:, [9, 2]]
    swapped[:, 23] = tokens[:, 23]
    assert (sane(tokens, memory)[:, -1] - sane(swapped, memory)[:, -1]).abs().max() > 1e-4
    repeated = torch.full((1, 12), 3)
    logits = sane(repeated, memory[:1])[0]
    if sane.kind == "sinusoidal":  # equal tokens everywhere: rotations alone cannot tell them apart
        assert (logits[1:] - logits[:-1]).abs().amax(-1).min() > 1e-3


@torch.inference_mode()
def test_padding_of_the_text_does_not_matter(sane, written):
    tokens, memory = written
    mask = torch.ones(2, 7, dtype=torch.bool)
    mask[:, 5:] = False
    other = memory.clone()
    other[:, 5:] = 9.0
    torch.testing.assert_close(sane(tokens, memory, mask), sane(tokens, other, mask))
    torch.testing.assert_close(sane(tokens, memory, mask), sane(tokens, memory[:, :5]))
    assert (sane(tokens, memory) - sane(tokens, other)).abs().max() > 1e-3


@torch.inference_mode()
def test_the_text_matters(sane, written):
    tokens, memory = written
    assert (sane(tokens, memory) - sane(tokens, memory.flip(0))).abs().amax((0, 2)).min() > 1e-3


@torch.inference_mode()
def test_steps_with_caches_equal_the_whole(sane, written):
    tokens, memory = written
    mask = torch.ones(2, 7, dtype=torch.bool)
    mask[1, 4:] = False
    whole = sane(tokens, memory, mask)
    caches = sane.decoder.start(memory, capacity=24)
    torch.testing.assert_close(sane.step(tokens[:, :9], caches, mask), whole[:, 8])
    for at in range(9, 24):
        torch.testing.assert_close(sane.step(tokens[:, at : at + 1], caches, mask), whole[:, at])


def test_logits_are_learned_from():
    torch.manual_seed(0)
    sizes = {"vocabulary_size": 12, "width": 16, "num_layers": 1, "num_heads": 2, "feed_forward": 16, "max_length": 16}
    network = Text2MidiNetwork(**sizes, dropout=0.0)
    tokens, memory = torch.randint(12, (2, 10)), torch.randn(2, 3, 16)
    optimiser = torch.optim.Adam(network.parameters(), 0.02)
    losses = []
    for _ in range(60):
        loss = functional.cross_entropy(network(tokens[:, :-1], memory).flatten(0, 1), tokens[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 < losses[0]
