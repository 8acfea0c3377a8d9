"""Several processes have the losses and the weights of one at equal global batch, also where shares count unequally."""

import json
import os
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from tiny_training import Tiny, plain

from orchestrion.training.trainer import Trainer

SCRIPT = Path(__file__).with_name("tiny_training.py")


def losses(folder):
    return torch.tensor([json.loads(line)["loss"] for line in (folder / "log.jsonl").open()])


def weights(folder):
    last = sorted((folder / "checkpoints").iterdir())[-1]
    tensors = load_file(last / "tensors.safetensors")
    return torch.cat([value.flatten() for name, value in sorted(tensors.items()) if not name.endswith("seen")])


def train(folder, accumulate):
    torch.manual_seed(3)
    model = Tiny(dropout=0.0)
    Trainer(model, plain(model), folder=folder, accumulate=accumulate, tensorboard=False).run()


def test_two_processes_and_accumulation_equal_one(tmp_path):
    launch = [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--cpu",
        "--num_processes",
        "2",
        "--num_machines",
        "1",
    ]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no", SCRIPT, "even", tmp_path / "two"]
    done = subprocess.run(
        launch, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=600
    )
    assert done.returncode == 0, done.stderr
    train(tmp_path / "one", 1)
    train(tmp_path / "accumulated", 2)
    counted = {json.loads(line)["weight"] for line in (tmp_path / "two/log.jsonl").open()}
    assert len(counted) > 10  # batches, and so shares, differ in what they count
    for other in ("two", "accumulated"):
        assert len(losses(tmp_path / other)) == 40
        torch.testing.assert_close(losses(tmp_path / other), losses(tmp_path / "one"), rtol=0, atol=1e-6)
        torch.testing.assert_close(weights(tmp_path / other), weights(tmp_path / "one"), rtol=0, atol=1e-5)
