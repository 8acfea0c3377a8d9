"""A run that is killed and started again has the losses and the weights, to the last digit, of one that was not."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("tiny_training.py")
STEPS_OF = {"plain": 40, "rich": 20 + 3 * 40}  # calls for data: steps × shares


@pytest.fixture(scope="module")
def train():
    """A function that trains in a process of its own and gives its exit code."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment}
    with subprocess.Popen([sys.executable, SCRIPT, "serve"], **pipes) as server:

        def run(kind, folder, **options):
            server.stdin.write(json.dumps({"kind": kind, "folder": str(folder), **options}) + "\n")
            server.stdin.flush()
            return int(server.stdout.readline())

        yield run
        server.stdin.close()


def made(folder):
    """The log, all bytes of the last checkpoint, and its name."""
    last = sorted((folder / "checkpoints").iterdir())[-1]
    return (folder / "log.jsonl").read_bytes(), (last / "tensors.safetensors").read_bytes(), last.name


@pytest.mark.parametrize("kind", ["plain", "rich"])
def test_killed_at_a_random_step(kind, tmp_path, train):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert train(kind, whole) == 0
    step = random.SystemRandom().randint(10, STEPS_OF[kind] - 2)
    assert train(kind, killed, die_at=step) == -signal.SIGKILL
    assert len((killed / "log.jsonl").read_bytes()) < len(made(whole)[0])
    assert train(kind, killed) == 0
    assert made(killed) == made(whole), f"killed in call {step}"


@pytest.mark.parametrize("kind", ["plain", "rich"])
def test_killed_at_any_time_again_and_again(kind, tmp_path, train):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert train(kind, whole) == 0
    for _ in range(8):  # some of them while a checkpoint is being written
        if train(kind, killed, die_after=random.SystemRandom().uniform(0.0, 0.3)) == 0:
            break
    assert train(kind, killed) == 0
    assert made(killed) == made(whole)


def test_told_to_stop_keeps_the_step_at_hand(tmp_path, train):
    assert train("plain", tmp_path, die_at=12, number=int(signal.SIGTERM)) == 128 + signal.SIGTERM
    assert made(tmp_path)[2].endswith("0000000012")
    assert train("plain", tmp_path, die_at=7, number=int(signal.SIGINT)) == 130
    assert made(tmp_path)[2].endswith("0000000019")
    assert (tmp_path / "log.jsonl").read_bytes().count(b"\n") == 19
