"""Where figures go: the file, stderr, TensorBoard, Weights & Biases."""

import json
import sys
import types

import pytest
import torch

from orchestrion.errors import MissingDependencyError
from orchestrion.training.log import Record, TrainingLog
from orchestrion.training.stage import warmup_cosine


def record(step, loss=1.0, **options):
    return Record("one", step, "fit", loss, 10.0, 0.5, **options)


def test_file_and_line(tmp_path, capsys):
    with TrainingLog(tmp_path, seconds=1e9, tensorboard=False) as log:
        assert not log.due
        log.add(0, record(0, torch.tensor(2.0), norm=torch.tensor(0.25), parts={"a": 3.0}))
        log.add(1, record(1, 4.0))
        assert (tmp_path / "log.jsonl").read_bytes() == b""
        log.write()
        log.add_figures(2, "one", 2, {"quality": 7})
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").open()]
    place = {"stage": "one", "objective": "fit"}
    assert lines == [
        {**place, "step": 0, "loss": 2.0, "weight": 10.0, "rate": 0.5, "norm": 0.25, "a": 3.0},
        {**place, "step": 1, "loss": 4.0, "weight": 10.0, "rate": 0.5},
        {"stage": "one", "step": 2, "validation": {"quality": 7.0}},
    ]
    assert log.last == {"one": {"fit": 4.0, "fit a": 3.0, "validation quality": 7.0}}
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith("one step 1: fit 3.0000, ") and "steps/s" in told[0] and told[0].endswith(" GB")
    assert told[1] == "one step 2: validation quality 7"


def test_what_is_behind_the_checkpoint_is_cut_off(tmp_path):
    with TrainingLog(tmp_path, tensorboard=False, lines=False) as log:
        log.add(0, record(0))
        at = log.position()
        log.add(1, record(1))
    with TrainingLog(tmp_path, at=at, tensorboard=False, lines=False) as log:
        log.add(1, record(1, 5.0))
        log.write()
    assert [json.loads(line)["loss"] for line in (tmp_path / "log.jsonl").open()] == [1.0, 5.0]


def test_other_processes_write_nothing(tmp_path, capsys):
    with TrainingLog(None) as log:
        log.add(0, record(0))
        log.add_figures(0, "one", 0, {"a": 1.0})
        assert log.position() == 0 and log.last["one"]["fit"] == 1.0
    assert capsys.readouterr().err == "" and not list(tmp_path.iterdir())


def test_tensorboard(tmp_path):
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with TrainingLog(tmp_path, lines=False) as log:
        log.add(0, record(0, 2.0))
        log.add(1, record(1, 4.0, norm=0.5))
        log.write()
        log.add_figures(2, "one", 2, {"quality": 7.0})
    events = reading.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    found = {name: (events.Scalars(name)[0].step, events.Scalars(name)[0].value) for name in events.Tags()["scalars"]}
    speed = [found.pop(f"speed/{name}") for name in ("steps", "items", "memory")]
    assert all(step == 1 and value > 0 for step, value in speed)
    assert found == {
        "one/fit": (1, 3.0),
        "one/fit/rate": (1, 0.5),
        "one/fit/norm": (1, 0.5),
        "one/validation/quality": (2, 7.0),
    }


def test_weights_and_biases(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="install it or leave it out"):
        TrainingLog(tmp_path, wandb="music")
    said = []
    client = types.SimpleNamespace(
        init=lambda **options: said.append(options["project"]) or client,
        log=lambda values, step: said.append((values, step)),
        finish=lambda: said.append("finished"),
    )
    monkeypatch.setitem(sys.modules, "wandb", client)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if name == "wandb" else None)
    with TrainingLog(tmp_path, lines=False, wandb="music") as log:
        log.add_figures(3, "one", 3, {"quality": 7.0})
    assert said == ["music", ({"one/validation/quality": 7.0}, 3), "finished"]


def test_warmup_cosine():
    factor = warmup_cosine(10, 110, floor=0.1)
    assert [factor(step) for step in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])
    assert [factor(step) for step in (10, 60, 110, 500)] == pytest.approx([1.0, 0.55, 0.1, 0.1])
