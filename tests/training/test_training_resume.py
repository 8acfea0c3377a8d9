"""A run that is killed and started again has the losses and the weights, to the last digit, of one that was not."""

import random
import signal

import pytest
from tiny_training import STEPS
from training_server import run as train

# Calls for data, which are steps × shares:
CALLS = {"plain": STEPS, "rich": 3 * (STEPS // 2 + STEPS), "adversarial": 2 * (STEPS // 2 + STEPS)}


def made(folder):
    """The log, all bytes of the last checkpoint, and its name."""
    last = sorted((folder / "checkpoints").iterdir())[-1]
    return (folder / "log.jsonl").read_bytes(), (last / "tensors.safetensors").read_bytes(), last.name


@pytest.mark.parametrize("kind", CALLS)
def test_killed_at_a_random_step(kind, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert train(kind, whole) == 0
    step = random.SystemRandom().randint(10, CALLS[kind] - 2)
    assert train(kind, killed, die_at=step) == -signal.SIGKILL
    assert len((killed / "log.jsonl").read_bytes()) < len(made(whole)[0])
    assert train(kind, killed) == 0
    assert made(killed) == made(whole), f"killed in call {step}"


@pytest.mark.parametrize("kind", ["rich", "adversarial"])
def test_killed_at_any_time_again_and_again(kind, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert train(kind, whole) == 0
    for _ in range(5):  # some of them while a checkpoint is being written
        if train(kind, killed, die_after=random.SystemRandom().uniform(0.0, 0.3)) == 0:
            break
    assert train(kind, killed) == 0
    assert made(killed) == made(whole)


def test_told_to_stop_keeps_the_step_at_hand(tmp_path):
    assert train("plain", tmp_path, die_at=12, number=int(signal.SIGTERM)) == 128 + signal.SIGTERM
    assert made(tmp_path)[2].endswith("0000000012")
    assert train("plain", tmp_path, die_at=7, number=int(signal.SIGINT)) == 130
    assert made(tmp_path)[2].endswith("0000000019")
    assert (tmp_path / "log.jsonl").read_bytes().count(b"\n") == 19


def test_a_disk_that_fills_up_keeps_the_last_checkpoint(tmp_path):
    whole, filled = tmp_path / "whole", tmp_path / "filled"
    assert train("plain", whole) == 0
    assert train("plain", filled, die_at=6, number=int(signal.SIGTERM)) == 128 + signal.SIGTERM
    before = made(filled)
    assert len(before[1]) > 5000
    assert train("plain", filled, most_bytes=5000) == 2
    assert made(filled)[1:] == before[1:]
    assert [path.name for path in (filled / "checkpoints").iterdir() if path.name.startswith(".")] == []
    assert train("plain", filled) == 0
    assert made(filled) == made(whole)
