"""What goes into a checkpoint comes out of it, and it is there whole or not at all."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from orchestrion.errors import OutputError
from orchestrion.training.checkpoint import (
    Checkpoint,
    checkpoints,
    newest_checkpoint,
    optimiser_tensors,
    read_checkpoint,
    remove_unfinished,
    restore_optimiser,
    write_checkpoint,
)

OPTIMISERS = {
    "sgd": lambda p: torch.optim.SGD(p, 0.1),
    "momentum": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, nesterov=True),
    "adamw": lambda p: torch.optim.AdamW(p, 1e-2),
    "amsgrad": lambda p: torch.optim.Adam(p, 1e-2, amsgrad=True),
    "adafactor": lambda p: torch.optim.Adafactor(p, 1e-2),
    "rmsprop": lambda p: torch.optim.RMSprop(p, 1e-2, centered=True),
}


@pytest.mark.parametrize("order", [1, -1])
def test_tensors_come_back(tmp_path, order):
    whole = torch.arange(12.0).view(3, 4)
    tensors = {
        "whole": whole,
        "again": whole,
        "transposed": whole.T,
        "part": whole[1:],
        "none": torch.zeros(0, 3),
        "number": torch.tensor(7),
        "half": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
    }
    tensors = dict(list(tensors.items())[::order])
    path = write_checkpoint(tmp_path, Checkpoint(2, 30, tensors, {"figures": {"a": 0.1}}))
    assert path.name == "002-0000000030"
    held = read_checkpoint(path)
    assert (held.stage, held.step, held.state) == (2, 30, {"figures": {"a": 0.1}})
    assert held.tensors.keys() == tensors.keys()
    assert all(torch.equal(held.tensors[name], value) for name, value in tensors.items())
    assert all(held.tensors[name].dtype == value.dtype for name, value in tensors.items())


@pytest.mark.parametrize("name", OPTIMISERS)
@settings(max_examples=5, deadline=None)
@given(steps=st.integers(0, 4), seed=st.integers(0, 100))
def test_an_optimiser_goes_on_as_if_nothing_had_been(name, steps, seed):
    def step(model, optimiser, number):
        optimiser.zero_grad()
        (model(torch.full((2, 3), float(number))) ** 2).sum().backward()
        optimiser.step()

    torch.manual_seed(seed)
    model, other = nn.Linear(3, 2), nn.Linear(3, 2)
    optimiser = OPTIMISERS[name](model.parameters())
    for number in range(steps):
        step(model, optimiser, number)
    other.load_state_dict(model.state_dict())
    fresh = OPTIMISERS[name](other.parameters())
    tensors, plain = optimiser_tensors(optimiser)
    restore_optimiser(fresh, tensors, json.loads(json.dumps(plain)))
    step(model, optimiser, 9)
    step(other, fresh, 9)
    assert torch.equal(model.weight, other.weight)


def test_only_the_last_two_are_kept(tmp_path):
    for step in (1, 2, 10):
        write_checkpoint(tmp_path, Checkpoint(0, step, {"x": torch.full((2,), float(step))}, {}))
    write_checkpoint(tmp_path, Checkpoint(1, 0, {"x": torch.zeros(2)}, {}))
    assert [path.name for path in checkpoints(tmp_path)] == ["000-0000000010", "001-0000000000"]
    assert newest_checkpoint(tmp_path).stage == 1
    assert newest_checkpoint(tmp_path / "nowhere") is None


def test_what_was_not_finished_is_not_seen(tmp_path):
    write_checkpoint(tmp_path, Checkpoint(0, 1, {"x": torch.zeros(2)}, {}))
    left = tmp_path / ".unfinished-000-0000000002"
    left.mkdir()
    (left / "tensors.safetensors").write_bytes(b"half")
    assert newest_checkpoint(tmp_path).step == 1
    write_checkpoint(tmp_path, Checkpoint(0, 2, {"x": torch.ones(2)}, {}))
    assert newest_checkpoint(tmp_path).tensors["x"].tolist() == [1, 1]
    left.mkdir()
    remove_unfinished(tmp_path)
    assert not left.exists() and len(checkpoints(tmp_path)) == 2


def test_a_full_disk_leaves_the_last_one(tmp_path, monkeypatch):
    write_checkpoint(tmp_path, Checkpoint(0, 1, {"x": torch.zeros(2)}, {}))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(OutputError, match=r"000-0000000002 cannot be written .*No space left"):
        write_checkpoint(tmp_path, Checkpoint(0, 2, {"x": torch.zeros(2)}, {}))
    assert [path.name for path in tmp_path.iterdir()] == ["000-0000000001"]
