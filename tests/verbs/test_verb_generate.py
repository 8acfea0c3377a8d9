"""From a sentence to files: what is written, the same bytes for the same seed, and texts that mean harm."""

import json
from pathlib import Path

import pytest
import torch

from orchestrion.cli.main import main
from orchestrion.systems.midicaps import MidiCaps
from orchestrion.verbs.generate import generate


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A network with random weights: what is written does not have to be beautiful here."""
    torch.manual_seed(0)
    arguments = {**MidiCaps.presets["mini"], "width": 32, "num_layers": 1, "num_heads": 2, "feed_forward": 32}
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    MidiCaps(**arguments).save(path)
    return str(path)


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_all_that_belongs_to_a_piece(weights, tmp_path):
    from orchestrion.media.audio import read_audio, read_metadata
    from orchestrion.media.score import read_score

    result = generate(
        "a waltz for flute and piano with vocals, 4 bars",
        tmp_path / "w.wav",
        seed=1,
        stems=True,
        sheet=True,
        system=weights,
    )
    names = {path.name for path in result.files}
    assert {"w.wav", "w.mid", "w.png", "w.svg", "w.json"} <= names
    assert len(list((tmp_path / "w-stems").iterdir())) == len(read_score(tmp_path / "w.mid").tracks)
    assert all(path.is_file() for path in result.files)
    about = json.loads((tmp_path / "w.json").read_text())
    assert about["seed"] == 1
    assert about["weights_hash"] == result.weights_hash
    assert "vocals" in json.dumps(about)
    assert result.pieces[0].bars == 4
    assert result.weights_hash in json.dumps(read_metadata(tmp_path / "w.wav"))
    assert result.weights_hash.encode() in (tmp_path / "w.mid").read_bytes()
    audio = read_audio(tmp_path / "w.wav")
    assert audio.seconds >= result.pieces[0].seconds - 0.1
    assert abs(audio.samples).max() <= 1


@pytest.mark.parametrize("suffix", ["wav", "mid", "musicxml", "ogg"])
def test_the_tenth_run_has_the_bytes_of_the_first(weights, tmp_path, suffix):
    runs = 10 if suffix == "mid" else 2
    for run in range(runs):
        (tmp_path / str(run)).mkdir()
        generate("a tune for flute, 1 bar", tmp_path / str(run) / f"x.{suffix}", seed=5, system=weights)
        if run in (3, 5):
            generate("something else for flute, 1 bar", tmp_path / "other.mid", seed=run, system=weights)
    assert contents(tmp_path / "0") == contents(tmp_path / str(runs - 1))
    assert contents(tmp_path / "0")


def test_several_pieces_get_numbers(weights, tmp_path):
    result = generate("a tune for piano, 1 bar", tmp_path / "x.mid", seed=0, n=4, system=weights)
    assert [piece.files[0].name for piece in result.pieces] == ["x-1.mid", "x-2.mid", "x-3.mid", "x-4.mid"]
    assert len({path.read_bytes() for path in tmp_path.glob("*.mid")}) == 4


HOSTILE = [
    "🎹🎷🥁",
    "$(touch pwned); `touch pwned`",
    "../../etc/passwd",
    "{{7*7}} %s %n {0}",
    "\x00\x1b[31m tune",
    "a" * 3999,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_only_texts(weights, text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code = main(["generate", text, "--bars", "1", "--seed", "1", "--system", weights, "-o", "x.mid", "--json"])
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert code in (0, 2), shown.err
    assert "Traceback" not in shown.err
    if code == 0:
        assert {path.name for path in tmp_path.iterdir()} == {"x.mid", "x.json"}
        assert found["prompt"] == text
    else:
        assert shown.err.count("\n") == 1
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["a waltz " * 6250, "", " \n"])
def test_texts_that_are_refused(text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["generate", text, "-o", "x.mid"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_unknown_systems_and_weights(tmp_path, capsys):
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"\xff" * 100)
    for system in ("nonsense", str(broken), "midicaps:elsewhere", str(tmp_path / "missing.safetensors")):
        assert main(["generate", "a tune", "--system", system, "-o", str(tmp_path / "x.mid")]) == 2, system
        assert capsys.readouterr().err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["broken.safetensors"]


def test_a_full_disk_leaves_nothing(weights, tmp_path, capsys):
    import resource
    import signal

    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        code = main(["generate", "a tune, 2 bars", "--seed", "1", "--system", weights, "-o", str(tmp_path / "x.wav")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert code == 2
    assert list(Path(tmp_path).iterdir()) == []
