"""`restyle` from file to files, and from the command line."""

from __future__ import annotations

import json

import pytest
import torch
from symusic import Note, Score, Tempo, TimeSignature, Track

from orchestrion.cli.main import main
from orchestrion.errors import OptionError
from orchestrion.systems.improvnet import ImprovNet
from orchestrion.verbs.restyle import restyle


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("restyle")
    torch.manual_seed(0)
    model = ImprovNet.from_preset("mini", decoder_length=20, width=32, num_heads=2, feed_forward=64)
    model.save(place / "small.safetensors")
    score = Score(480)
    score.tempos.append(Tempo(0, 120))
    score.time_signatures.append(TimeSignature(0, 4, 4))
    line = Track(name="melody", program=0)
    for number in range(80):
        line.notes.append(Note(240 * number, 200, 60 + number * 5 % 12, 80))
    score.tracks.append(line)
    score.dump_midi(place / "tune.mid")
    return place


def test_every_pass_and_a_picture(folder, tmp_path):
    result = restyle(
        folder / "tune.mid",
        tmp_path / "out.mid",
        genre="jazz",
        strength=0.7,
        passes=2,
        keep_passes=True,
        picture=tmp_path / "both.png",
        seed=1,
        system=str(folder / "small.safetensors"),
    )
    assert (result.verb, result.system, len(result.pieces)) == ("restyle", "improvnet", 2)
    assert (tmp_path / "out-1.mid").is_file() and (tmp_path / "out-2.mid").is_file()
    assert (tmp_path / "both.png").read_bytes()[:4] == b"\x89PNG"
    assert result.pieces[-1].report["genre"] == "jazz"


def test_command(folder, tmp_path, capsys):
    given = [str(folder / "tune.mid"), "--strength", "0.5", "--passes", "1", "--seed", "2", "--json"]
    code = main(["restyle", *given, "--system", str(folder / "small.safetensors"), "-o", str(tmp_path / "a.mid")])
    assert code == 0 and json.loads(capsys.readouterr().out)["verb"] == "restyle"
    code = main(["restyle", *given, "--genre", "polka", "--system", str(folder / "small.safetensors")])
    assert code == 2 and "no genre 'polka'" in capsys.readouterr().err


@pytest.mark.parametrize("options", [{"strength": 2.0}, {"passes": 0}, {"picture": "x.gif"}])
def test_refusals(folder, tmp_path, options):
    with pytest.raises(OptionError):
        restyle(folder / "tune.mid", tmp_path / "out.mid", system=str(folder / "small.safetensors"), **options)
    assert not list(tmp_path.iterdir())
