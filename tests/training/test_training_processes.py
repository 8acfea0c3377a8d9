"""Several processes have the losses and the weights of one at equal global batch, also where shares count unequally."""

import json
import os
import signal
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file
from tiny_training import STEPS, Layers, Views, layered, likeness, train
from training_server import SCRIPT
from training_server import run as start

from orchestrion.errors import OptionError
from orchestrion.training.processes import gather_with_gradient, sum_with_gradient
from orchestrion.training.sharding import shard
from orchestrion.training.trainer import Trainer


def log(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").open()]


def losses(folder):
    return torch.tensor([line["loss"] for line in log(folder) if "loss" in line])


def weights(folder):
    last = sorted((folder / "checkpoints").iterdir())[-1]
    tensors = load_file(last / "tensors.safetensors")
    return torch.cat([value.flatten().double() for name, value in sorted(tensors.items()) if not name.endswith("seen")])


def same(folder, other, *, loss=1e-6, weight=1e-5):
    assert len(losses(folder)) == len(losses(other)) == STEPS
    torch.testing.assert_close(losses(folder), losses(other), rtol=0, atol=loss)
    torch.testing.assert_close(weights(folder), weights(other), rtol=0, atol=weight)


def test_two_processes_and_accumulation_equal_one(tmp_path):
    assert start("even", tmp_path / "two", processes=2) == 0
    train("even", tmp_path / "one", accumulate=1)
    train("even", tmp_path / "accumulated", accumulate=2)
    assert len({line["weight"] for line in log(tmp_path / "two")}) > 10  # batches, and so shares, differ in their count
    for other in ("two", "accumulated"):
        same(tmp_path / other, tmp_path / "one")


def test_losses_over_all_pairs_and_batch_statistics(tmp_path):
    """Embeddings are gathered with their gradients, and batch statistics are those of the whole batch."""
    assert start("contrast", tmp_path / "two", processes=2) == 0
    train("contrast", tmp_path / "one")
    same(tmp_path / "two", tmp_path / "one")
    assert losses(tmp_path / "one")[-5:].mean() < losses(tmp_path / "one")[:5].mean() - 0.1
    train("contrast", tmp_path / "apart", accumulate=2)  # each share knows its own pairs only, which is another loss
    assert (losses(tmp_path / "apart") - losses(tmp_path / "one")).abs().max() > 0.1


def test_alone_there_is_nothing_to_gather():
    rows = torch.randn(3, 2)
    assert gather_with_gradient(rows) is rows and sum_with_gradient(rows) is rows
    z = torch.ones(5, 4)
    assert float(likeness(z, z)) == pytest.approx(torch.tensor(9.0).log().item())  # the loss of the tests is NT-Xent
    model = Layers()
    assert shard(model) is model and not hasattr(model.network[0].weight, "full_tensor")
    assert Views()(torch.randn(4, 6)).shape == (4, 4)


def test_a_network_split_over_processes(tmp_path):
    """FSDP2 has the losses of one process; its checkpoints are whole, and a run is gone on with exactly."""
    assert start("sharded", tmp_path / "two", processes=2) == 0
    assert start("sharded", tmp_path / "told", processes=2, die_at=11, number=int(signal.SIGTERM)) == 143
    assert [path.name for path in (tmp_path / "told/checkpoints").iterdir()][-1] != "001-0000000000"
    assert start("sharded", tmp_path / "told", processes=2) == 0
    assert (tmp_path / "told/log.jsonl").read_bytes() == (tmp_path / "two/log.jsonl").read_bytes()
    train("layered", tmp_path / "one")
    same(tmp_path / "two", tmp_path / "one", loss=1e-5)
    train("layered", tmp_path / "accumulated", accumulate=2)
    validated = [
        [line["validation"]["loss"] for line in log(tmp_path / x) if "validation" in line] for x in ("two", "one")
    ]
    assert validated[0] == pytest.approx(validated[1], abs=1e-5)
    model = Layers()  # a network that is not split goes on from the same checkpoint
    Trainer(model, layered(model), folder=tmp_path / "two", accumulate=2, tensorboard=False).run()
    found = torch.cat([value.detach().flatten().double() for _, value in sorted(model.state_dict().items())])
    torch.testing.assert_close(found, weights(tmp_path / "one"), rtol=0, atol=1e-5)


@pytest.mark.slow
def test_started_by_accelerate(tmp_path):
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2"]
    launch += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for kind in ("even", "contrast"):
        command = [*launch, SCRIPT, kind, tmp_path / kind / "two"]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
        assert done.returncode == 0, done.stderr
        train(kind, tmp_path / kind / "one", accumulate=1)
        same(tmp_path / kind / "two", tmp_path / kind / "one")


def test_a_split_network_has_one_objective(monkeypatch, tmp_path):
    monkeypatch.setattr("orchestrion.training.plan.is_sharded", lambda modules: True)
    model = Layers()
    (stage,) = layered(model)
    stage.objectives = [*stage.objectives, *layered(model)[0].objectives]
    stage.objectives[1].name = "other"
    with pytest.raises(OptionError, match="has several objectives, which a network split over processes cannot"):
        Trainer(model, [stage], folder=tmp_path)
