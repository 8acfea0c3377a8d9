"""Things to hear and see that a training leaves behind."""

import json

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from orchestrion.errors import OptionError, OutputError
from orchestrion.media.audio import Audio
from orchestrion.training.log import TrainingLog
from orchestrion.training.samples import write_sample
from orchestrion.training.stage import Loss, Objective, Stage
from orchestrion.training.trainer import Trainer

SINE = Audio(np.sin(np.arange(800, dtype=np.float32))[None] * 0.5, 8000)
PIXELS = np.zeros((4, 6, 3), np.uint8) + np.array([255, 128, 0], np.uint8)


def trained(folder, samples, **options):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5))
    fit = Objective(
        "fit", lambda x: Loss(model(x).pow(2).mean()), model.parameters(), lambda p: torch.optim.SGD(p, 0.1)
    )
    data = lambda step, share: torch.randn(8, 3)  # noqa: E731
    stage = Stage("one", 5, data, [fit], ema=0.5, samples=samples and (lambda: samples(model)), samples_every=2)
    Trainer(model, [stage], folder=folder, **{"tensorboard": False, **options}).run()
    return model, [json.loads(line) for line in (folder / "log.jsonl").open()]


def test_files_at_every_turn_and_at_the_end_change_nothing(tmp_path):
    drawn = []

    def samples(model):
        drawn.append((float(torch.rand(())), model.training, torch.is_grad_enabled(), model[0].weight.clone()))
        return {"a sine": SINE, "picture": PIXELS}

    model, lines = trained(tmp_path / "with", samples)
    _, others = trained(tmp_path / "without", None)
    assert lines == others
    found = sorted(str(path.relative_to(tmp_path / "with/samples")) for path in (tmp_path / "with").rglob("*.*g"))
    assert found == [f"one/{step:010d}/picture.png" for step in (2, 4, 5)]
    heard, rate = soundfile.read(tmp_path / "with/samples/one/0000000004/a sine.wav")
    assert rate == 8000 and np.abs(heard - SINE.samples[0]).max() < 1e-4
    assert len({entry[0] for entry in drawn}) == 1 and not any(entry[1] or entry[2] for entry in drawn)
    assert torch.equal(drawn[-1][3], model[0].weight)  # the averaged weights


def test_pictures_come_back(tmp_path):
    from matplotlib.image import imread

    path = write_sample(PIXELS, tmp_path, "orange")
    assert np.array_equal((imread(path)[..., :3] * 255).round(), PIXELS)
    again = write_sample(path, tmp_path, "copy")
    assert again.name == "copy.png" and again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", ["", "..", "../out", "a/b", "a\\b"])
def test_names_that_lead_elsewhere(name, tmp_path):
    with pytest.raises(OptionError, match="cannot be the name of a sample"):
        write_sample(SINE, tmp_path, name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("sample", ["text", 3, PIXELS.astype(float), PIXELS[..., 0], SINE.samples])
def test_what_is_no_sample(sample, tmp_path):
    with pytest.raises(OptionError, match="'x' is neither Audio, nor the path of a picture"):
        write_sample(sample, tmp_path, "x")


def test_tensorboard(tmp_path):
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    trained(tmp_path, lambda model: {"sine": SINE, "picture": PIXELS}, tensorboard=True)
    events = reading.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert events.Tags()["audio"] == ["one/sine"] and events.Tags()["images"] == ["one/picture"]
    assert [event.step for event in events.Audio("one/sine")] == [2, 4, 5]
    assert events.Audio("one/sine")[0].sample_rate == 8000
    assert (events.Images("one/picture")[0].width, events.Images("one/picture")[0].height) == (6, 4)


def test_a_full_disk_is_said_in_one_sentence(tmp_path, monkeypatch):
    def full(*_, **options):
        raise OSError(28, "No space left on device")

    with TrainingLog(tmp_path, tensorboard=False, lines=False) as log:
        monkeypatch.setattr("pathlib.Path.mkdir", full)
        with pytest.raises(OutputError, match="the disk is full; free some space"):
            log.add_samples(0, "one", 0, {"sine": SINE})
