"""Embedding, tagging and probing from files: what is written, what is refused, and what a probe learns."""

import csv
import json

import numpy as np
import pytest
import torch

from orchestrion.cli.main import main
from orchestrion.errors import InputError, OptionError, WeightsError
from orchestrion.evaluation.probes import Probe
from orchestrion.media.audio import Audio, write_audio
from orchestrion.systems.clmr import CLMR
from orchestrion.verbs.embed import embed
from orchestrion.verbs.probe import probe
from orchestrion.verbs.tag import tag

WINDOW, RATE = 243, 8000


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """Weights of a network with short windows."""
    torch.manual_seed(0)
    model = CLMR(rate=RATE, strides=(3,) * 4, channels=(8, 8, 16, 16, 16, 16), projection=4)
    path = tmp_path_factory.mktemp("weights") / "clmr.safetensors"
    model.save(path)
    return str(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Fifteen recordings, low or high, three of each of five singers, and a table that says which."""
    root = tmp_path_factory.mktemp("music")
    time = np.arange(RATE // 2) / RATE
    lines = [["file", "tags", "artist"]]
    for number in range(15):
        pitch = 150 if number % 2 else 1500
        rng = np.random.default_rng(number)
        wave = 0.3 * np.sin(2 * np.pi * pitch * time + rng.uniform(0, 6)) + 0.02 * rng.standard_normal(len(time))
        write_audio(Audio(wave[None].astype(np.float32), RATE), root / f"{number}.wav")
        lines.append([f"{number}.wav", "low" if number % 2 else "high; shrill", f"singer {number % 5}"])
    (root / "broken.wav").write_text("no sound")
    lines.append(["broken.wav", "low", "singer 9"])
    with (root / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    return root


def test_npz_and_parquet(system, folder, tmp_path):
    import pyarrow.parquet as pq

    files = [folder / "0.wav", folder / "1.wav"]
    found = embed(files, tmp_path / "v.npz", system=system, pooling="none", hop=0.05)
    with np.load(tmp_path / "v.npz") as held:
        vectors, starts, file = held["vectors"], held["starts"], held["sound"]
        assert held["files"].tolist() == [str(path) for path in files] and str(held["space"]) == found.space
    assert vectors.shape == (found.vectors, found.dimension) and vectors.dtype == np.float32
    assert starts[:3].tolist() == pytest.approx([0, 0.05, 0.1]) and set(file.tolist()) == {0, 1}
    assert found.window == WINDOW / RATE and found.hop == 0.05 and not found.padded
    record = json.loads((tmp_path / "v.json").read_text())
    assert record["system"] == "clmr" and record["extra"]["options"]["pooling"] == "none"
    embed(files, tmp_path / "v.parquet", system=system)
    table = pq.read_table(tmp_path / "v.parquet")
    assert table.num_rows == 2 and table.column_names == ["file", "start", "vector"]
    mean = vectors[file == 0].mean(0)
    assert np.corrcoef(table["vector"][0].as_py(), mean)[0, 1] > 0.99
    again = embed(files, tmp_path / "w.npz", system=system, pooling="none", hop=0.05)
    assert (np.load(again.file)["vectors"] == vectors).all()


def test_short_sounds_are_told(system, tmp_path):
    path = write_audio(Audio(np.full((1, 100), 0.1, np.float32), RATE), tmp_path / "short.wav")
    found = embed([path], tmp_path / "v.npz", system=system)
    assert found.padded == (path,) and found.vectors == 1


def test_scores_are_heard_as_they_sound(system, tmp_path):
    score = tmp_path / "tune.abc"
    score.write_text("X:1\nT:t\nM:4/4\nL:1/4\nK:C\nCDEF|\n")
    assert embed([score], tmp_path / "v.npz", system=system).vectors == 1


def test_what_cannot_be_embedded(system, folder, tmp_path):
    some = embed([folder / "0.wav", folder / "broken.wav"], tmp_path / "v.npz", system=system)
    assert some.vectors == 1 and len(some.failures) == 1
    for source, options, said in (
        (folder / "broken.wav", {}, "sound; give a WAV"),
        (folder / "none.wav", {}, "There is no file"),
        (folder, {}, "is a folder"),
    ):
        with pytest.raises(InputError, match=said):
            embed([source], tmp_path / "x.npz", system=system, **options)
    for options, said in (({"pooling": "max"}, "--pooling"), ({"hop": 0.0}, "--hop")):
        with pytest.raises(OptionError, match=said):
            embed([folder / "0.wav"], tmp_path / "x.npz", system=system, **options)
    with pytest.raises(OptionError, match="known format"):
        embed([folder / "0.wav"], tmp_path / "x.csv", system=system)
    with pytest.raises(OptionError, match="cannot embed"):
        embed([folder / "0.wav"], tmp_path / "x.npz", system="getmusic")
    assert not (tmp_path / "x.npz").exists()


def test_own_probe_in_one_command(system, folder, tmp_path, capsys):
    out = tmp_path / "probe.safetensors"
    words = ["probe", str(folder), "--labels", str(folder / "labels.csv"), "-o", str(out), "--system", system]
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["task"] == "tags" and set(found["labels"]) == {"high", "low", "shrill"}
    assert found["pr_auc"] > 0.95 and found["roc_auc"] > 0.95 and sum(found["pieces"]) == 15
    assert found["pieces"][2] % 3 == 0, "recordings of one singer are not parted"
    assert len(found["failures"]) == 1 and "broken.wav" in found["failures"][0][0]
    assert main(words) == 0
    assert "low: ROC 1.000  PR 1.000" in capsys.readouterr().out

    for number, expected in ((0, "high"), (1, "low")):
        assert main(["tag", str(folder / f"{number}.wav"), "--probe", str(out), "--system", system, "--json"]) == 0
        tags = json.loads(capsys.readouterr().out)["tags"]
        assert next(iter(tags)).replace("shrill", "high") == expected
    picture, table = tmp_path / "tags.png", tmp_path / "tags.csv"
    assert tag(folder / "0.wav", picture, probe=out, system=system, top=1, hop=0.1).tags.keys() <= {"high", "shrill"}
    assert picture.read_bytes()[:4] == b"\x89PNG"
    tag(folder / "0.wav", table, probe=out, system=system)
    rows = list(csv.reader(table.open()))
    assert rows[0] == ["start", "high", "low", "shrill"] and len(rows) == 1 + (RATE // 2) // WINDOW
    assert float(rows[2][0]) == pytest.approx(WINDOW / RATE, abs=1e-4)


def test_one_class_each_is_measured_by_accuracy(system, folder, tmp_path):
    labels = tmp_path / "classes.csv"
    labels.write_text("name,genre\n" + "".join(f"{n},{'low' if n % 2 else 'high'}\n" for n in range(15)))
    found = probe(folder, labels, tmp_path / "p.safetensors", system=system, hidden=8)
    assert found.task == "classes" and found.accuracy == 1 and Probe.load(found.file).hidden == 8
    scores = tag(folder / "3.wav", probe=found.file, system=system).tags
    assert sum(scores.values()) == pytest.approx(1, abs=1e-3)


def test_what_cannot_be_probed_or_tagged(system, folder, tmp_path):
    labels = folder / "labels.csv"
    out = tmp_path / "p.safetensors"
    with pytest.raises(InputError, match="There is no folder"):
        probe(folder / "none", labels, out, system=system)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="holds no recordings"):
        probe(empty, labels, out, system=system)
    few = tmp_path / "few.csv"
    few.write_text("file,tag\n0.wav,a\n1.wav,b\n")
    with pytest.raises(InputError, match="at least 3"):
        probe(folder, few, out, system=system)
    with pytest.raises(OptionError, match="known format"):
        probe(folder, labels, tmp_path / "p.pkl", system=system)
    assert not out.exists()
    other = Probe(["a"], inputs=16, space="another")
    other.save(out)
    with pytest.raises(OptionError, match="made for the embedding 'another'"):
        tag(folder / "0.wav", probe=out, system=system)
    with pytest.raises(WeightsError, match="is no probe"):
        tag(folder / "0.wav", probe=system, system=system)
    with pytest.raises(InputError, match="There is no file"):
        tag(folder / "none.wav", probe=out, system=system)
