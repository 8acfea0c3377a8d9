"""Parity with the published GETMusic: network, diffusion, loss and sampling, for every reference case that is there."""

import json
import sys
from pathlib import Path

import pytest
import torch
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).parents[1]))
import getmusic_cases as reference

from orchestrion.errors import OptionError, WeightsError
from orchestrion.hub.official import getmusic as official
from orchestrion.nn.attention import merge_heads, split_heads
from orchestrion.nn.encoder import Encoder
from orchestrion.nn.positions import apply_rotary
from orchestrion.paradigms.discrete_diffusion import TimeSample, choose_by_gumbel, gumbel, log_one_hot
from orchestrion.paradigms.scheduled_reveal import reveal_schedule
from orchestrion.systems.getmusic import GETMusic


def each(kind):
    return pytest.mark.parametrize("folder", reference.cases(kind), ids=lambda folder: folder.name)


def close(ours, published, tolerance):
    torch.testing.assert_close(ours, published, rtol=tolerance, atol=tolerance)


def close_logs(ours, published, tolerance):
    """Near −70, the floor of log-probabilities, ten times the tolerance is allowed."""
    deep = published < -60
    torch.testing.assert_close(ours[~deep], published[~deep], rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(ours[deep], published[deep], rtol=0, atol=10 * tolerance)


@each("network")
def test_network(folder):
    model, data, tolerance = reference.system(folder), reference.Data(folder), reference.tolerance(folder)
    with torch.inference_mode():
        x, t, source = data["tokens"], data["timestep"], data["condition_flag"].bool()
        columns = model.network.embed_columns(x, t, source)
        close(columns, data["columns_in"], tolerance)
        close(model.network.encoder(columns), data["encoder_out"], tolerance)
        close(model.network(x, t, source).flatten(1, 2), data["logits"], tolerance)
        if "long_tokens" in data.arrays:
            x, t, source = data["long_tokens"], data["long_timestep"], data["long_condition_flag"].bool()
            logits = model.network.head(model.network.hidden(x, t, source)[:, :, data["long_columns"]])
            close(logits, data["long_logits"], tolerance)


@each("network")
def test_every_published_key_has_its_place_at_full_size(folder):
    keys = json.loads((folder / "paper_keys.json").read_text())
    with torch.device("meta"):
        model = GETMusic.from_preset("paper")
        state = {key: torch.empty(shape) for key, shape in keys.items() if not key.startswith("_")}
    assert sum(p.numel() for p in model.parameters()) == keys["_parameters"]
    ours = official.convert(state)
    assert {key: tuple(value.shape) for key, value in ours.items()} == {
        key: tuple(value.shape) for key, value in model.state_dict().items()
    }
    prefixed = official.convert({f"rfm.{key}": value for key, value in state.items()})
    assert prefixed.keys() == ours.keys()


def test_arguments_that_are_left_out_have_the_published_defaults():
    given = official.arguments({"DiffusionRFM": {"diffusion_step": 8}})
    assert (given["auxiliary_weight"], given["adaptive_auxiliary"]) == (0, False)
    given = official.arguments(official.SOURCE["arguments"])  # of the published configuration
    assert (given["auxiliary_weight"], given["adaptive_auxiliary"]) == (0.001, True)


def test_every_option_of_the_published_network_is_served_or_refused():
    config = {"embedding_size": None, "hidden_size": 24, "hidden_act": "gelu_new", "rotary_value": True}
    given = official.arguments({"RoFormerConfig": {**config, "layer_norm_eps": 1e-3, "type_vocab_size": 3}})
    wanted = {"embedding": 24, "width": 24, "activation": "gelu_new", "rotary_values": True, "norm_eps": 1e-3}
    assert {name: given[name] for name in wanted} == wanted
    assert official.arguments({"RoFormerConfig": {"embedding_size": None}})["embedding"] == 768
    with pytest.raises(WeightsError, match="hidden_act='tanh' is not supported"):
        official.arguments({"RoFormerConfig": {"hidden_act": "tanh"}})
    with pytest.raises(OptionError, match="no activation 'tanh'"):
        Encoder(width=8, num_layers=1, num_heads=2, feed_forward=8, max_length=4, activation="tanh")
    types = {"roformer.input_transformers.embeddings.token_type_embeddings.weight": torch.arange(6.0).view(3, 2)}
    assert official.convert(types)["network.flags.weight"].tolist() == [[0, 1], [2, 3]]


@pytest.mark.parametrize(
    ("name", "published"), [("gelu_new", "tanh"), ("gelu", "none"), ("relu", None), ("silu", None)]
)
@torch.inference_mode()
def test_activation_epsilon_and_rotated_values_of_the_encoder(name, published):
    torch.manual_seed(0)
    options = {"norm_eps": 1e-2, "activation": name, "rotary_values": True}
    encoder = Encoder(width=8, num_layers=1, num_heads=2, feed_forward=12, max_length=5, **options)
    layer, x = encoder.layers[0], torch.randn(3, 5, 8)
    q, k, v = (apply_rotary(split_heads(part, 2), encoder.rotary) for part in layer.to_qkv(x).chunk(3, -1))
    attended = merge_heads((q @ k.mT / 2).softmax(-1) @ v)
    between = functional.layer_norm(x + layer.to_out(attended), (8,), eps=1e-2)
    act = getattr(functional, name[:4])
    hidden = layer.expand(between)
    hidden = act(hidden, approximate=published) if published else act(hidden)
    wanted = functional.layer_norm(between + layer.contract(hidden), (8,), eps=1e-2)
    torch.testing.assert_close(encoder(x), wanted)


@each("diffusion")
def test_diffusion(folder):
    model, data, tolerance = reference.system(folder), reference.Data(folder), reference.tolerance(folder)
    diffusion = model.diffusion
    for ours, published in {
        "log_keep": "log_at",
        "log_swap": "log_bt",
        "log_mask": "log_ct",
        "log_unmasked": "log_1_min_ct",
        "log_keep_total": "log_cumprod_at",
        "log_swap_total": "log_cumprod_bt",
        "log_mask_total": "log_cumprod_ct",
        "log_unmasked_total": "log_1_min_cumprod_ct",
    }.items():
        close(getattr(diffusion, ours), data[f"schedule.{published}"], tolerance)
    x0, xt, t = data["q.x0"], data["q.xt"], data["q.t"]
    source = data["q.condition_flag"].bool()
    log_x0, flat = log_one_hot(x0.flatten(1), diffusion.classes), xt.flatten(1)
    with torch.inference_mode():
        prediction = diffusion.log_prediction(model.network(xt, t, source).flatten(1, 2))
    close_logs(prediction.mT, data["q.predict_start"], tolerance)
    close_logs(diffusion.marginal(log_x0, t).mT, data["q.q_pred_x0"], tolerance)
    one = diffusion.transition(log_one_hot(flat, diffusion.classes), t)
    close_logs(one.mT, data["q.q_pred_one_timestep_xt"], tolerance)
    close_logs(diffusion.posterior(log_x0, flat, t).mT, data["q.posterior_true"], tolerance)
    close_logs(diffusion.posterior(prediction, flat, t).mT, data["q.posterior_model"], tolerance)
    noised = diffusion.add_noise(x0.flatten(1), data["q_sample.t"], data["q_sample.uniform"].mT)
    assert torch.equal(noised, data["q_sample.tokens"])
    legal = model.legal.clone()
    legal[:12, -1], legal[12:] = True, True
    legal = legal.repeat_interleave(x0.shape[-1], 0)
    noisy = data["q.predict_start"].mT + gumbel(data["sample_legal.uniform"].mT)
    assert torch.equal(noisy.masked_fill(~legal, -70).argmax(-1), data["sample_legal.tokens"])
    assert choose_by_gumbel(log_x0, data["q_sample.uniform"].mT).shape == flat.shape


@each("loss")
def test_loss(folder):
    model, data, tolerance = reference.system(folder), reference.Data(folder), reference.tolerance(folder)
    source, present = data["condition_flag"].bool(), data["not_empty"].bool()
    time = TimeSample(data["t"], data["pt"])
    with torch.inference_mode():
        found = model.exact_loss(data["x0"], source, present, time, data["uniform"].mT)
    torch.testing.assert_close(found.loss.float(), data["loss"].float(), rtol=tolerance, atol=0)
    torch.testing.assert_close(found.decoder_nll.float(), data["decoder_nll"].float(), rtol=tolerance, atol=0)
    diffusion = model.diffusion
    diffusion.loss_history.copy_(data["Lt_history_before"])
    diffusion.remember(time.t, found.divergence)
    torch.testing.assert_close(diffusion.loss_history, data["Lt_history_after"], rtol=tolerance, atol=1e-6)
    uniform = torch.full((diffusion.steps,), 1 / diffusion.steps)
    torch.testing.assert_close(diffusion.time_probabilities(), uniform)  # not yet seen often enough
    diffusion.loss_count.copy_(data["Lt_count_after"].clamp(min=11))
    importance, drawn = data["importance_probabilities"], data["importance_t"]
    histories = (data["Lt_history_before"], data["Lt_history_after"])
    found = []
    for history in histories:
        diffusion.loss_history.copy_(history)
        found.append(diffusion.time_probabilities())
    assert min(float((p - importance).abs().max()) for p in found) < tolerance
    torch.testing.assert_close(importance[drawn], data["importance_pt"])


@each("sampling")
def test_sampling(folder):
    model, data = reference.system(folder), reference.Data(folder)
    uniforms, exponentials = iter(data["uniform"]), iter(data["exponential"])
    steps = []
    x, source, present = data["x"][0], data["condition_flag"][0].bool(), data["not_empty"][0].bool()
    result = model.sample_exactly(
        x,
        source,
        present,
        uniform=lambda shape: next(uniforms),
        exponential=lambda count: next(exponentials)[:count],
        watch=steps.append,
    )
    assert len(steps) == reference.about(folder)["calls"]
    assert [step.t for step in steps] == data["step_t"].tolist()
    for number, step in enumerate(steps):
        assert torch.equal(step.before, data["step_in"][number]), number
        assert torch.equal(step.after, data["step_out"][number]), number
        assert torch.equal(step.counts, data["step_counts"][number]), number
    assert torch.equal(result, data["result"][0])
    masked = (x == model.vocabulary.mask).view(-1, 2, x.shape[1]).sum((1, 2))
    table = reveal_schedule(masked.tolist(), model.diffusion.steps)
    assert torch.equal(table[1:], data["n_sample"][1:].clamp(min=0))


def steps_of(model, x, source, present):
    """The steps of a sample with draws of one seed."""
    generator, steps = torch.Generator().manual_seed(0), []
    model.sample_exactly(
        x,
        source,
        present,
        uniform=lambda shape: torch.rand(shape, generator=generator),
        exponential=lambda count: torch.empty(count).exponential_(generator=generator),
        watch=steps.append,
    )
    return steps


@each("sampling")
def test_targets_begin_as_mask_whatever_they_hold(folder):
    model, data = reference.system(folder), reference.Data(folder)
    x, source, present = data["x"][0], data["condition_flag"][0].bool(), data["not_empty"][0].bool()
    held = x.masked_fill(~source & present, model.vocabulary.pad)
    assert (held != x).any()
    assert torch.equal(steps_of(model, held, source, present)[0].before, steps_of(model, x, source, present)[0].before)


@each("sampling")
def test_few_masked_chords_are_drawn_at_the_last_step(folder):
    model, data = reference.system(folder), reference.Data(folder)
    x, source, present = data["x"][0], data["condition_flag"][0].bool(), data["not_empty"][0].bool()
    few = model.diffusion.steps - 2
    x[12, :few], source[12, :few], present[12, :few] = model.vocabulary.mask, False, True
    steps = steps_of(model, x, source, present)
    chords = [step.before.view_as(x)[12, :few] for step in steps]
    assert all((row == model.vocabulary.mask).all() for row in chords)
    assert not any(step.counts[6] for step in steps[:-1])
    assert steps[-1].t == 0
    x[12, few], source[12, few], present[12, few] = model.vocabulary.mask, False, True
    with pytest.raises(OptionError, match="fewer than T − 1"):
        steps_of(model, x, source, present)


@each("sampling")
def test_schedules(folder):
    if not (folder / "functions.json").exists():
        pytest.skip("no tables here")
    for name, table in reference.functions(folder).items():
        steps, masked = name.split(" ", 1)
        counts = json.loads(masked.split("=")[1])
        ours = reveal_schedule(counts, int(steps.split("=")[1]))
        published = torch.tensor(table)
        assert torch.equal(ours[1:, : published.shape[1]], published[1:].clamp(min=0)), name
        assert ours.sum(0).tolist() == counts
