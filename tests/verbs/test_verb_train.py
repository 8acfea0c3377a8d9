"""Training on one's own recordings: what is taken, what is left out and why, what goes on and what is refused."""

import json
import re

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from orchestrion.cli.main import main
from orchestrion.errors import InputError, OptionError
from orchestrion.hub.weights import read_weights
from orchestrion.media.audio import read_audio
from orchestrion.systems import registry
from orchestrion.systems.card import Card
from orchestrion.systems.system import System
from orchestrion.training.stage import Loss, Objective, Stage
from orchestrion.verbs.train import read_changes, train

RATE = 8000


class Hum(System):
    """Predicts a sound from its past.

    Args:
        taps: of the filter.
        rise: of the learning rate.
    """

    card = Card(
        name="hum",
        title="Hum",
        arxiv="0000.00000",
        tasks=(),
        modalities=("audio",),
        licence="CC0-1.0",
        claims=("none",),
    )
    presets = {"mini": {"taps": 4}, "paper": {"taps": 64}}  # noqa: RUF012

    def __init__(self, *, taps: int, rise: float = 1e-2, scales: tuple = ()) -> None:
        super().__init__()
        self.filter = nn.Conv1d(1, 1, taps, bias=False)
        self.rise = rise

    @property
    def shortest_seconds(self):
        return 0.05

    def stages(self, train, validation):
        sounds = [torch.from_numpy(read_audio(piece.audio, rate=RATE, mono=True).samples) for piece in train]

        def data(step, share):
            return share.of([sound[:, :400] for sound in sounds])

        def loss(batch):
            x = torch.stack(list(batch))
            return Loss((self.filter(x[..., :-1]) - x[..., self.filter.kernel_size[0] :]).pow(2).mean(), len(x))

        fit = Objective("fit", loss, self.parameters(), lambda p: torch.optim.Adam(p, lr=self.rise))
        return [Stage("only", 8, data, [fit])]


@pytest.fixture(autouse=True)
def hum(monkeypatch):
    monkeypatch.setitem(registry._CLASSES, "hum", Hum)


def write(path, samples, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, RATE, **options)


@pytest.fixture
def sounds(tmp_path):
    folder = tmp_path / "sounds"
    for number in range(3):
        write(folder / f"train/{number}.wav", 0.5 * np.sin(np.arange(900) * (0.1 + 0.1 * number)))
    write(folder / "validation/held.flac", np.zeros(800))
    return folder


def log(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").open()]


def test_a_folder_of_recordings(sounds, tmp_path):
    write(sounds / "train/short.wav", np.zeros(100))
    write(sounds / "train/tiny.wav", np.zeros(1))
    write(sounds / "train/broken.wav", np.array([0.1] * 900 + [np.nan]), subtype="FLOAT")
    (sounds / "train/text.wav").write_text("no sound at all")
    told = []
    result = train("hum", data=str(sounds), folder=tmp_path / "run", tell=told.append)
    assert result.left_out == {
        "shorter than 0.05 s": 2,
        "with samples that are no numbers": 1,
        "that cannot be read": 1,
    }
    assert told[0] == "4 recordings, 0.0 minutes" and "2 shorter than 0.05 s" in told[1] and "text.wav" in told[2]
    lines = log(tmp_path / "run")
    assert len(lines) == 8 and all(line["weight"] == 3 for line in lines) and lines[-1]["loss"] < lines[0]["loss"]
    assert set(result.speed) == {"only"} and result.speed["only"]["steps"] > 0 and result.speed["only"]["memory"] > 0
    header = read_weights(result.weights).header
    assert header["command"] == f"orchestrion train hum --preset mini --data {sounds} --seed 0"
    assert Hum.from_file(result.weights).filter.weight.shape == (1, 1, 4)


def test_single_recordings_serve_for_both_parts(tmp_path):
    write(tmp_path / "one/alone.wav", np.sin(np.arange(900)))
    assert train("hum", data=str(tmp_path / "one"), folder=tmp_path / "run", steps=1).figures["only"]["fit"] > 0


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "no recording"),
        ({"a.txt": b"text"}, "no recording"),
        ({"a.wav": b""}, r"None of the 1 recordings in .* can be trained on \(1 that cannot be read\)"),
        ({"a.wav": b"RIFF"}, r"\(1 that cannot be read\)"),
    ],
)
def test_folders_without_sound(files, said, tmp_path):
    folder = tmp_path / "bad"
    folder.mkdir()
    for name, held in files.items():
        (folder / name).write_bytes(held)
    with pytest.raises(InputError, match=said) as raised:
        train("hum", data=str(folder), folder=tmp_path / "run")
    assert "\n" not in str(raised.value) and not (tmp_path / "run").exists()


def test_only_short_or_damaged_ones(tmp_path):
    write(tmp_path / "bad/short.wav", np.zeros(100))
    write(tmp_path / "bad/broken.wav", np.full(900, np.inf), subtype="DOUBLE")
    said = r"None of the 2 .*\(1 shorter than 0.05 s, 1 with samples that are no numbers\); give other ones"
    with pytest.raises(InputError, match=said):
        train("hum", data=str(tmp_path / "bad"), folder=tmp_path / "run")


def test_a_place_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="not at"):
        train("hum", data=str(tmp_path / "nowhere"), folder=tmp_path / "run")


def test_resuming(sounds, tmp_path):
    options = {"data": str(sounds), "folder": tmp_path / "run"}
    with pytest.raises(OptionError, match=r"There is no run with a checkpoint in .*run to go on with"):
        train("hum", resume=True, **options)
    first = train("hum", resume=False, **options)
    assert first.resumed == 0
    with pytest.raises(OptionError, match=r"There is a run in .* already; go on with it or give another folder"):
        train("hum", resume=False, **options)
    again = train("hum", resume=True, **options)
    assert again.resumed == 8 and again.figures == first.figures and len(log(tmp_path / "run")) == 8
    assert read_weights(again.weights).hash == read_weights(first.weights).hash
    for change, said in (
        ({"changes": {"rise": 0.5}}, "begun with rise of arguments = 0.01, not 0.5"),
        ({"changes": {"taps": 5}}, "begun with taps of arguments = 4, not 5"),
        ({"seed": 4}, "seed = 0, not 4"),
        ({"data": str(sounds / "train")}, "data = [0-9a-f]{64}, not"),
        ({"accumulate": 3}, "shares of a batch = 1, not 3"),
        ({"steps": 3}, "= 8, not 3"),
    ):
        with pytest.raises(OptionError, match=said):
            train("hum", **{**options, **change})


def test_arguments_can_be_set(sounds, tmp_path):
    changes = read_changes(["taps=7", "rise=1e-4", "scales=[1, 2]"])
    assert changes == {"taps": 7, "rise": 1e-4, "scales": [1, 2]}
    result = train("hum", data=str(sounds), folder=tmp_path / "run", changes=changes, steps=2)
    assert Hum.from_file(result.weights).arguments == changes
    assert all(line["rate"] == 1e-4 for line in log(tmp_path / "run"))
    assert "--set taps=7 --set rise=0.0001 --set 'scales=[1, 2]'" in read_weights(result.weights).header["command"]
    assert read_changes(["a=true", "b=text, with = and spaces", "c="]) == {
        "a": True,
        "b": "text, with = and spaces",
        "c": "",
    }


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (["taps"], "'taps' sets nothing; write --set NAME=VALUE"),
        (["=3"], "sets nothing"),
        (["a b=3"], "sets nothing"),
        (["taps=3", "taps=4"], "taps is set twice"),
        (["colour=red"], "hum has no argument 'colour'"),
        (["taps=many"], "cannot be built in the size 'mini' with taps=many"),
        (["taps=-1"], "cannot be built in the size 'mini' with taps=-1"),
    ],
)
def test_arguments_that_make_no_sense(entries, said, tmp_path):
    with pytest.raises(OptionError, match=said) as raised:
        train("hum", changes=read_changes(entries), folder=tmp_path / "run")
    assert "\n" not in str(raised.value)


def test_command(sounds, tmp_path, capsys):
    words = ["train", "hum", "--data", str(sounds), "-o", str(tmp_path / "run"), "--set", "taps=3", "--steps", "2"]
    assert main([*words, "--no-resume", "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["resumed"] == 0 and "4 recordings" in shown.err
    assert re.search(r"only: 2 steps in .* steps/s, .* items/s, .* GB", shown.err)
    assert main([*words, "--no-resume"]) == 2
    assert "There is a run in" in capsys.readouterr().err
    assert main([*words, "--resume"]) == 0
    assert "goes on after 2 steps" in capsys.readouterr().err
