"""`orchestrion paint`: shapes and painted masks, files that are written, and what is refused."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from orchestrion.cli.main import main
from orchestrion.errors import InputError, OptionError
from orchestrion.media.score import read_score, write_score
from orchestrion.systems.pictures_of_midi import PicturesOfMidi
from orchestrion.verbs.paint import paint


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A tune, a mask and a small untrained system."""
    import symusic

    folder = tmp_path_factory.mktemp("paint")
    score = symusic.Score(480)
    track = symusic.Track("tune", 0, False)
    for beat in range(16):
        track.notes.append(symusic.Note(480 * beat, 300, 60 + beat % 7, 77))
    score.tracks.append(track)
    write_score(score, folder / "tune.mid")
    pixels = np.zeros((128, 64, 3), dtype=np.uint8)
    pixels[40:70, 32:] = 255
    Image.fromarray(pixels).save(folder / "mask.png")
    torch.manual_seed(0)
    system = PicturesOfMidi(
        lowest=48, pitches=32, columns=32, stacked=False, widths=(16, 24), depths=(1, 1), feed_forwards=(32, 48),
        attentions=("shifted_window", "global"), head_dims=(8, 8), windows=(4, 0), dropouts=(0.0, 0.0),
        mapping_width=16, mapping_depth=1, mapping_feed_forward=32, sampling_steps=3, repaint=1,
    )  # fmt: skip
    for value in system.parameters():
        if value.ndim > 1:
            torch.nn.init.normal_(value, std=0.3)
    system.save(folder / "system.safetensors")
    return folder


def rows(path):
    return [sorted((note.time, note.duration, note.pitch) for note in track.notes) for track in read_score(path).tracks]


def test_a_painted_mask(files, tmp_path):
    system = str(files / "system.safetensors")
    made = paint(files / "tune.mid", tmp_path / "a.mid", mask=files / "mask.png", seed=1, system=system)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["a-before-after.png", "a.json", "a.mid"]
    before, after = rows(files / "tune.mid"), rows(tmp_path / "a.mid")
    assert after[0] == [row for row in before[0] if row[0] < 8 * 480]
    assert len(after[1]) == made.pieces[0].report["painted"] > 0
    assert all(row[0] >= 8 * 480 and 57 < row[2] < 88 for row in after[1])
    told = (tmp_path / "a.json").read_text()
    assert "mask.png" in told and '"paint"' in told
    paint(files / "tune.mid", tmp_path / "b.mid", mask=files / "mask.png", seed=1, system=system)
    assert rows(tmp_path / "b.mid") == after


def test_a_shape_from_the_command_line(files, tmp_path, capsys):
    arguments = ["paint", str(files / "tune.mid"), "--mask", "rising", "--bars", "2-3", "--low", "50", "--high", "78"]
    arguments += ["--seed", "3", "--system", str(files / "system.safetensors"), "-o", str(tmp_path / "c.mid"), "--json"]
    assert main(arguments) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["verb"] == "paint" and made["pieces"][0]["report"]["painted"] > 0
    assert all(1920 <= row[0] < 3 * 1920 for row in rows(tmp_path / "c.mid")[1])


def test_what_is_refused(files, tmp_path, capsys):
    def refused(kind, said, **options):
        with pytest.raises(kind, match=said):
            paint(files / "tune.mid", tmp_path / "d.mid", system=str(files / "system.safetensors"), **options)

    refused(OptionError, "no shape 'spiral'", mask="spiral")
    refused(InputError, "missing.png", mask=str(files / "missing.png"))
    refused(InputError, "cannot be read as a picture", mask=str(files / "tune.mid"))
    refused(OptionError, "a painted mask says itself", mask=files / "mask.png", bars="1-2")
    refused(OptionError, "--repaint is 0", mask="all", repaint=0)
    refused(OptionError, "--busy is 101", mask="all", busy=101)
    refused(OptionError, "cannot be drawn", mask="all", bars="90-91")
    refused(OptionError, "nothing free", mask=np.zeros((128, 64), dtype=bool))
    assert main(["paint", str(files / "tune.mid"), "--mask", "spiral", "-o", str(tmp_path / "e.mid")]) == 2
    assert "spiral" in capsys.readouterr().err and not list(tmp_path.iterdir())
