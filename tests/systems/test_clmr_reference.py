"""Parity with the published CLMR: encoder, projector, loss, heads and evaluation, for every reference case there is."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
import clmr_cases as reference
from fill import fill

from orchestrion.evaluation.probes import Probe
from orchestrion.evaluation.tagging import tagging_scores
from orchestrion.hub.official import clmr as official
from orchestrion.media.audio_windows import split_windows
from orchestrion.paradigms.contrastive import nt_xent
from orchestrion.systems.clmr import CLMR


def each(file):
    return pytest.mark.parametrize("folder", reference.folders(file), ids=lambda folder: folder.name)


def test_there_are_cases():
    assert reference.folders("case.json") and reference.folders("functions.json")


@each("case.json")
def test_network(folder):
    data, tolerance = reference.arrays(folder), reference.tolerance(folder)
    model = reference.system(folder)

    def close(ours, published):
        torch.testing.assert_close(ours, published, rtol=tolerance, atol=tolerance)

    with torch.inference_mode():
        h_i, h_j = (model.encoder.represent(data[name]) for name in ("x_i", "x_j"))
        close(h_i, data["h_i"])
        close(h_j, data["h_j"])
        quick = model.represent(data["x_i"][:, 0].numpy())
        close(torch.from_numpy(quick), data["h_i"])
        if "block3" in data:
            x = data["x_i"]
            for block in model.encoder.blocks[:4]:
                x = block(x)
            close(x[:, : data["block3"].shape[1]], data["block3"])
        if "z_i" in data:
            close(model.project(data["x_i"]), data["z_i"])
            close(model.project(data["x_j"]), data["z_j"])
            close(model.loss(data["x_i"], data["x_j"]).value, data["loss"])
    if "z_i_train" in data:
        model.train()
        with torch.no_grad():
            close(model.project(data["x_i"]), data["z_i_train"])
            model.project(data["x_j"])
        close(model.encoder.blocks[0].norm.running_mean, data["running_mean_0_after"])


@each("paper_keys.json")
def test_every_published_key_has_its_place_at_full_size(folder):
    keys = json.loads((folder / "paper_keys.json").read_text())
    ours = {**official.arguments(reference.about(folder)["arguments"])}
    with torch.device("meta"):
        model = CLMR(**ours)
        state = {key: torch.empty(shape) for key, shape in keys.items() if not key.startswith("_")}
        tagger = CLMR(**{**ours, "tags": 50, "projection": None})
    assert model.parameter_count == keys["_parameters"]
    assert sum(p.numel() for p in model.encoder.parameters()) == keys["_parameters_encoder"]
    assert tagger.parameter_count == keys["_parameters_encoder_with_fc_50"]
    converted = official.convert(state)
    assert {key: tuple(value.shape) for key, value in converted.items()} == {
        key: tuple(value.shape) for key, value in model.state_dict().items()
    }
    doubled = official.convert({**state, **{key.removeprefix("model."): value for key, value in state.items()}})
    assert doubled.keys() == converted.keys()
    older = {}
    for key, value in state.items():
        plain = re.sub(r"sequential\.(\d+)", lambda found: f"conv{int(found[1]) + 1}", key.removeprefix("model."))
        older[plain] = value
    assert official.convert(older).keys() == converted.keys()


@each("functions.json")
def test_functions(folder):
    about = json.loads((folder / "functions.json").read_text())
    values, data = about["values"], reference.arrays(folder, "functions")
    tolerance = float(re.match(r"[\d.e-]+", about["tolerance"])[0])

    def close(ours, published):
        torch.testing.assert_close(ours, published, rtol=tolerance, atol=tolerance)

    for name in [name for name in values if name.startswith("ntxent")]:
        tau = values[name]["temperature"]
        first = data[f"{name}_a"].clone().requires_grad_()
        loss = nt_xent(first, data[f"{name}_b"], temperature=tau)
        loss.backward()
        assert loss.item() == pytest.approx(values[name]["loss"], abs=tolerance)
        close(first.grad, data[f"{name}_grad_a"])
        same = torch.ones_like(data[f"{name}_a"])
        alike = values[name]["loss of identical embeddings (log(2N-1))"]
        assert nt_xent(same, same, temperature=tau).item() == pytest.approx(alike, abs=tolerance)
    predictions = []
    for number in range(sum(name.startswith("track_") and name[6:].isdecimal() for name in data)):
        windows = split_windows(data[f"track_{number}"][0].numpy(), len(data["W"]), quirks="official")
        close(torch.from_numpy(windows[:, :3].copy()), data[f"windows_{number}"])
        means = (torch.from_numpy(windows) @ data["W"]).sigmoid().mean(0)
        close(means, data[f"track_prediction_{number}"])
        predictions.append(means)
    scores = tagging_scores(data["labels"].numpy(), torch.stack(predictions).numpy())
    assert scores.pr_auc == pytest.approx(values["evaluate"]["PR-AUC"], abs=1e-6)
    assert scores.roc_auc == pytest.approx(values["evaluate"]["ROC-AUC"], abs=1e-6)
    for name in [name for name in about["arrays"] if re.fullmatch(r"probe\d+_logits", name)]:
        kind = name.removesuffix("_logits")
        keys = re.findall(r"'(model[\w.]+)'", about["arrays"][name]["meaning"])
        h, logits = data[f"{kind}_h"], data[name]
        hidden = h.shape[1] if len(keys) > 2 else None
        probe = Probe([str(n) for n in range(logits.shape[1])], inputs=h.shape[1], hidden=hidden)
        shapes = {key: _shape(key, keys, h.shape[1], logits.shape[1]) for key in keys}
        state = {key: torch.from_numpy(fill(key, shape)) for key, shape in shapes.items()}
        probe.load_state_dict(official.convert_head(state))
        with torch.no_grad():
            close(probe(h), logits)
            loss = torch.nn.functional.binary_cross_entropy_with_logits(probe(h), data[f"{kind}_y"])
        assert loss.item() == pytest.approx(values[f"{kind} loss (BCE with logits)"], abs=tolerance)


def _shape(key, keys, inputs, outputs):
    last = max(int(one.split(".")[1]) for one in keys)
    rows = outputs if int(key.split(".")[1]) == last else inputs
    return (rows, inputs) if key.endswith("weight") else (rows,)


@pytest.mark.parametrize(
    ("rate", "frames"), [(22050, 59049), (16000, 43740), (8000, 20736)], ids=lambda value: str(value)
)
def test_other_rates_end_in_one_vector(rate, frames):
    model = CLMR(**official.arguments({"sample_rate": rate, "projection_dim": 128}))
    assert model.window == frames and model.encoder.features == 512
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, frames)).astype(np.float32)
    model.eval()
    with torch.inference_mode():
        slow = model.encoder.represent(torch.from_numpy(x)[:, None])
    torch.testing.assert_close(torch.from_numpy(model.represent(x)), slow, rtol=1e-4, atol=1e-5)
