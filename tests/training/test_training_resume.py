"""A run that is killed and started again has the losses and the weights, to the last digit, of one that was not."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("tiny_training.py")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def train(kind, folder, *options):
    command = [sys.executable, SCRIPT, kind, folder, *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)


def made(folder):
    """The log, and all bytes of the last checkpoint."""
    last = sorted((folder / "checkpoints").iterdir())[-1]
    return (folder / "log.jsonl").read_bytes(), (last / "tensors.safetensors").read_bytes(), last.name


@pytest.mark.parametrize("kind", ["plain", "rich"])
def test_killed_at_a_random_step(kind, tmp_path):
    whole = train(kind, tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    step = random.SystemRandom().randint(10, 38 if kind == "plain" else 150)
    killed = train(kind, tmp_path / "killed", "--die-at", step)
    assert killed.returncode == -signal.SIGKILL
    log, _, last = made(tmp_path / "killed") if (tmp_path / "killed/checkpoints").exists() else (b"", b"", "none")
    resumed = train(kind, tmp_path / "killed")
    assert resumed.returncode == 0, resumed.stderr
    assert made(tmp_path / "killed") == made(tmp_path / "whole"), f"killed in call {step}, checkpoint {last}"
    assert resumed.stdout == whole.stdout
    assert len(log) < len(made(tmp_path / "whole")[0])


def test_told_to_stop_keeps_the_step_at_hand(tmp_path):
    stopped = train("plain", tmp_path / "stopped", "--die-at", 12, "--signal", int(signal.SIGTERM))
    assert stopped.returncode == 128 + signal.SIGTERM
    assert made(tmp_path / "stopped")[2].endswith("0000000012")
    interrupted = train("plain", tmp_path / "stopped", "--die-at", 7, "--signal", int(signal.SIGINT))
    assert "KeyboardInterrupt" in interrupted.stderr
    assert made(tmp_path / "stopped")[2].endswith("0000000019")
    assert (tmp_path / "stopped/log.jsonl").read_bytes().count(b"\n") == 19


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["plain", "rich"])
def test_killed_at_any_time_again_and_again(kind, tmp_path):
    assert train(kind, tmp_path / "whole").returncode == 0
    for _ in range(12):  # some of them while a checkpoint is being written
        done = train(kind, tmp_path / "killed", "--die-after", random.SystemRandom().uniform(0.0, 0.25))
        if done.returncode == 0:
            break
    assert train(kind, tmp_path / "killed").returncode == 0
    assert made(tmp_path / "killed") == made(tmp_path / "whole")
