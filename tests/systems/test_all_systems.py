"""What every registered system owes: sizes, a card, tasks, a training that runs, weights that come back the same."""

import inspect
import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from system_numbers import first_losses

from orchestrion.errors import OptionError, WeightsError
from orchestrion.hub.weights import read_weights, write_weights
from orchestrion.systems.registry import available, load, system_class
from orchestrion.systems.tasks import TASKS

SCRIPT = Path(__file__).with_name("system_numbers.py")
NAMES = available()


@pytest.fixture(scope="module", params=NAMES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def mini(name):
    torch.manual_seed(0)
    return system_class(name).from_preset("mini")


def test_there_are_systems():
    assert NAMES and list(NAMES) == sorted(NAMES)


def test_card_is_complete(name):
    card = system_class(name).card
    assert card.name == name and card.title and card.tasks and card.modalities and card.licence and card.claims
    assert len(card.arxiv.split(".")) == 2 and card.arxiv.replace(".", "").isdecimal()
    assert (card.code is None) == (card.code_licence is None)
    assert card.weights is None or card.weights_licence
    assert set(card.tasks) <= set(TASKS)


def test_tasks_are_there_with_their_arguments(name):
    kind = system_class(name)
    for task in kind.card.tasks:
        method, protocol = getattr(kind, task), TASKS[task]
        asked = inspect.signature(getattr(protocol, task)).parameters
        had = inspect.signature(method).parameters
        assert set(asked) <= set(had), f"{task} lacks {sorted(set(asked) - set(had))}"
        for parameter in set(had) - set(asked):
            assert had[parameter].default is not inspect.Parameter.empty, f"{task} cannot do without {parameter}"
        for parameter in asked:
            assert had[parameter].kind == asked[parameter].kind, f"{parameter} of {task}"


def test_no_tasks_beside_the_card(name):
    kind = system_class(name)
    assert {task for task in TASKS if callable(getattr(kind, task, None))} == set(kind.card.tasks)


def test_presets(name, mini):
    kind = system_class(name)
    assert {"mini", "paper"} <= set(kind.presets)
    with torch.device("meta"):
        paper = kind.from_preset("paper")
    assert paper.parameter_count > mini.parameter_count > 0
    assert json.loads(json.dumps(mini.arguments)) == json.loads(json.dumps(kind.presets["mini"]))
    with pytest.raises(OptionError, match="has no preset 'enormous'"):
        kind.from_preset("enormous")
    with pytest.raises(OptionError, match="has no argument 'colour'"):
        kind.from_preset("mini", colour="red")


def test_sizes_are_keyword_arguments_with_a_known_meaning(name):
    parameters = list(inspect.signature(system_class(name).__init__).parameters.values())[1:]
    assert all(parameter.kind == inspect.Parameter.KEYWORD_ONLY for parameter in parameters)
    unnamed = [one.name for one in parameters if one.name not in (system_class(name).__doc__ or "")]
    assert not unnamed, "not in the docstring"


def test_forward_and_backward(mini):
    mini.train()
    stage, losses = first_losses(mini)
    for objective, loss in zip(stage.objectives, losses, strict=True):
        assert math.isfinite(loss.value.item()) and loss.weight > 0
        mini.zero_grad()
        loss.value.backward()
        reached = [p for p in objective.parameters if p.grad is not None]
        assert len(reached) > 0.9 * len(objective.parameters)
        assert all(bool(p.grad.isfinite().all()) for p in reached)
        assert any(bool((p.grad != 0).any()) for p in reached)
    mini.zero_grad()
    mini.eval()


def test_saved_and_loaded_by_another_process(mini, name, tmp_path):
    path = tmp_path / "kept.safetensors"
    mini.eval()
    written = mini.save(path, {"seed": 0}, half=False)
    with torch.no_grad():
        _, losses = first_losses(mini)
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    done = subprocess.run([sys.executable, SCRIPT, name, path], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"losses": [float(loss.value) for loss in losses], "hash": written}
    header = read_weights(path).header
    assert (header["system"], header["licence"], header["seed"]) == (name, mini.card.licence, "0")


def test_weights_that_do_not_fit(mini, name, tmp_path):
    path = tmp_path / "x.safetensors"
    tensors = dict(mini.state_dict())
    header = {"system": name, "arguments": json.dumps(mini.arguments)}
    first = next(key for key, value in tensors.items() if value.ndim == 2)
    bad = {
        "do not fit their network": (tensors | {first: tensors[first][:-1]}, header),
        "do not fit": ({key: value for key, value in tensors.items() if key != first}, header),
        "are of another, not of": (tensors, {**header, "system": "another"}),
        "are of no system, not of": (tensors, {}),
        "do not say rightly": (tensors, {**header, "arguments": '{"colour": "red"}'}),
        "not say rightly how": (tensors, {**header, "arguments": "[1"}),
    }
    for said, (held, about) in bad.items():
        write_weights(path, held, about)
        with pytest.raises(WeightsError, match=said) as raised:
            type(mini).from_file(path)
        assert "\n" not in str(raised.value)
    write_weights(path, tensors, {})
    with pytest.raises(WeightsError, match="are of no system"):
        load(str(path))


def test_a_card_that_names_another_system_is_refused():
    from orchestrion.systems.registry import register

    kind = system_class(NAMES[0])
    other = type("Other", (kind,), {"card": replace(kind.card, name="another")})
    with pytest.raises(ValueError, match="the card of Other says 'another'"):
        register("other")(other)
    with pytest.raises(OptionError, match="There is no system 'nothing'; there are"):
        load("nothing")
