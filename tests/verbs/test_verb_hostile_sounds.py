"""Bad and odd sounds through every verb that hears: one sentence and nothing written, or a result that is a number."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile

from orchestrion.cli.main import main

VERBS = {
    "describe": ["describe", "FILE", "-o", "out.png"],
    "embed": ["embed", "FILE", "-o", "out.npz"],
    "tag": ["tag", "FILE", "-o", "out.png"],
    "encode": ["encode", "FILE", "-o", "out.npz"],
    "transfer": ["transfer", "FILE", "-o", "out.wav"],
    "continue": ["continue", "FILE", "--seconds", "0.2", "--steps", "1", "--prompt", "slow", "-o", "out.wav"],
    "infill": ["infill", "FILE", "--from", "0.1", "--to", "0.2", "--steps", "1", "--prompt", "slow", "-o", "out.wav"],
}
TONE = 0.3 * np.sin(np.arange(8000) / 5)


class Dangerous:
    """Writes a file when it is unpickled."""

    def __reduce__(self):
        return Path.write_text, (Path("pwned"), "x")


def bad_files() -> list[str]:
    """Writes all of them here."""
    for name, value in (("nan.wav", np.nan), ("infinite.wav", np.inf)):
        soundfile.write(name, np.where(np.arange(8000) == 5000, value, TONE), 8000, subtype="FLOAT")
    soundfile.write("whole.mp3", TONE, 8000)
    Path("truncated.mp3").write_bytes(Path("whole.mp3").read_bytes()[:90])
    Path("whole.mp3").unlink()
    Path("film.mp4").write_bytes(b"\x00\x00\x00\x20ftypisom" + bytes(100))
    Path("film.wav").write_bytes(b"\x00\x00\x00\x20ftypisom" + bytes(100))
    Path("text.wav").write_text("no sound at all\n" * 30)
    Path("header.wav").write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00")
    Path("pickle.wav").write_bytes(pickle.dumps(Dangerous()))
    Path("empty.flac").write_bytes(b"")
    soundfile.write("nothing.wav", np.zeros(0), 8000)
    return sorted(path.name for path in Path().iterdir())


@pytest.mark.parametrize("verb", VERBS)
def test_bad_files_end_in_one_sentence(verb, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = bad_files()
    for name in [*names, "missing.wav"]:
        assert main([name if word == "FILE" else word for word in VERBS[verb]]) == 2, name
        captured = capsys.readouterr()
        assert captured.out == "" and captured.err.count("\n") == 1 and name in captured.err, captured.err
    assert sorted(path.name for path in tmp_path.iterdir()) == names


ODD = {
    "silence": (np.zeros((1, 12000)), 8000),
    "constant": (np.full((2, 24000), 0.5), 48000),
    "one sample": (np.full((1, 1), 0.5), 44100),
    "eight channels at 8 kHz": (np.stack([TONE * scale for scale in np.linspace(0.1, 1, 8)]), 8000),
    "192 kHz": (np.tile(TONE, 8)[None], 192000),
}


@pytest.mark.parametrize(
    "verb", ["embed", "encode", "transfer", "continue"]
)  # describe and infill have files of their own
def test_odd_sounds_are_served(verb, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, (samples, rate) in ODD.items():
        soundfile.write("odd.wav", samples.T, rate, subtype="PCM_16")
        words = ["odd.wav" if word == "FILE" else word for word in VERBS[verb]]
        code = main([*words, "--json"])
        if name == "one sample" and verb in ("encode", "transfer"):  # at the rate of the system it is none
            assert code == 2 and "no sound to code" in capsys.readouterr().err
            continue
        assert code == 0, (name, capsys.readouterr())
        json.loads(capsys.readouterr().out)
        if words[-1].endswith(".wav"):
            made, made_rate = soundfile.read(words[-1], always_2d=True)
            assert np.isfinite(made).all() and len(made) and made_rate >= 8000, name
        else:
            with np.load(words[-1]) as held:
                numbers = [held[key] for key in held.files if held[key].dtype.kind == "f"]
            assert numbers and all(np.isfinite(value).all() for value in numbers), name


@pytest.mark.parametrize("verb", ["encode", "transfer", "continue"])
def test_weights_that_run_code_or_do_not_fit_are_refused(verb, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    soundfile.write("in.wav", TONE, 8000)
    Path("weights.ckpt").write_bytes(pickle.dumps(Dangerous()))
    Path("weights.safetensors").write_bytes(pickle.dumps(Dangerous()))
    for weights in ("weights.ckpt", "weights.safetensors"):
        words = ["in.wav" if word == "FILE" else word for word in VERBS[verb]]
        assert main([*words, "--system", str(tmp_path / weights)]) == 2
        captured = capsys.readouterr()
        assert captured.out == "" and captured.err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.wav", "weights.ckpt", "weights.safetensors"]


@pytest.mark.parametrize("verb", ["encode", "transfer", "continue"])
def test_a_writing_that_fails_leaves_nothing(verb, tmp_path, monkeypatch, capsys):
    """A full disk, and an interruption, in the midst of the writing."""
    monkeypatch.chdir(tmp_path)
    soundfile.write("in.wav", TONE, 8000)
    words = ["in.wav" if word == "FILE" else word for word in VERBS[verb]]
    Path(words[-1]).write_text("the old one")
    for error, code in ((OSError(28, "No space left on device"), 2), (KeyboardInterrupt(), 130)):

        def fail(*_, error=error, **__):
            raise error

        with monkeypatch.context() as patch:
            place = "orchestrion.media.audio._encoded" if words[-1].endswith(".wav") else "numpy.savez"
            patch.setattr(place, fail)
            assert main(words) == code
        captured = capsys.readouterr()
        assert captured.out == "" and captured.err.strip().count("\n") == 0
        assert Path(words[-1]).read_text() == "the old one"
        assert {path.name for path in tmp_path.iterdir()} == {"in.wav", words[-1]}


def test_what_is_encoded_can_be_decoded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    soundfile.write("in.wav", TONE, 8000)
    assert main(["encode", "in.wav", "-o", "in.npz"]) == 0 == main(["decode", "in.npz", "-o", "again.wav"])
    again, rate = soundfile.read("again.wav")
    assert abs(len(again) / rate - 1.0) < 0.01 and np.abs(again).max() > 0


@pytest.mark.parametrize("verb", ["index", "evaluate"])
def test_folders_are_served_without_their_bad_files(verb, tmp_path, monkeypatch, capsys):
    (tmp_path / "music").mkdir()
    monkeypatch.chdir(tmp_path / "music")
    names = [name for name in bad_files() if not name.endswith(".mp4")]  # a film does not call itself sound
    soundfile.write("good.wav", np.tile(TONE, 4), 8000)
    monkeypatch.chdir(tmp_path)
    words = {"index": ["index", "music", "-o", "heard"], "evaluate": ["evaluate", "music", "--reference", "music"]}
    assert main([*words[verb], "--json"]) == 0
    told = capsys.readouterr().out
    assert json.loads(told) and all(name in told for name in names)
    if verb == "index":
        assert main(["search", "music/good.wav", "--index", "heard", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["hits"][0]["path"].endswith("good.wav")
        for name in names:
            assert main(["search", f"music/{name}", "--index", "heard"]) == 2
            captured = capsys.readouterr()
            assert captured.out == "" and captured.err.count("\n") == 1 and name in captured.err
