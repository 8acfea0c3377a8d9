"""Recordings that go on, and spans of recordings that are made anew: what is kept, told, written and refused."""

import json

import numpy as np
import pytest
import soundfile
import torch

from orchestrion.cli.main import main
from orchestrion.errors import InputError, OptionError
from orchestrion.media.audio import Audio, read_audio, read_metadata, write_audio
from orchestrion.systems.musicldm import MusicLDM
from orchestrion.verbs import sound_editing
from orchestrion.verbs.continue_ import continue_
from orchestrion.verbs.infill import infill


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A tiny network with random weights."""
    torch.manual_seed(0)
    sizes = {
        "frames": 64, "vae_width": 8, "vae_channels": (8, 8, 16), "unet_width": 8, "unet_channels": (8, 16),
        "attention_levels": (1,), "unet_groups": 4, "vae_groups": 4, "head_width": 8, "condition_width": 16,
        "sampling_steps": 2, "candidates": 2, "words": ("slow", "tune"),
    }  # fmt: skip
    model = MusicLDM(**{**MusicLDM.presets["mini"], **sizes})
    with torch.no_grad():
        for parameter in model.unet.parameters():
            if not parameter.any():
                parameter.normal_(std=0.1)
    path = tmp_path_factory.mktemp("sound_weights") / "tiny.safetensors"
    model.save(path)
    return str(path)


def recording(path, seconds, rate=16000, channels=1, subtype="PCM_16"):
    samples = np.random.default_rng(0).uniform(-0.2, 0.2, (round(seconds * rate), channels))
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def integers(path):
    return soundfile.read(path, dtype="int16", always_2d=True)[0]


@pytest.mark.parametrize(
    ("suffix", "rate", "channels"), [("wav", 16000, 1), ("flac", 44100, 2), ("wav", 8000, 8), ("wav", 192000, 1)]
)
def test_all_but_the_span_is_the_source_bit_by_bit(weights, tmp_path, suffix, rate, channels):
    source = recording(tmp_path / "in.wav", 1.2, rate, channels)
    result = infill(source, tmp_path / f"out.{suffix}", start=0.5, end=0.8, seed=3, system=weights)
    before, after = integers(source), integers(tmp_path / f"out.{suffix}")
    first, last = round(0.5 * rate), round(0.8 * rate)
    assert after.shape == before.shape
    np.testing.assert_array_equal(after[:first], before[:first])
    np.testing.assert_array_equal(after[last:], before[last:])
    assert (after[first:last] != before[first:last]).mean() > 0.9
    assert {path.name for path in result.files} == {f"out.{suffix}", "out.png", "out.json"}
    about = json.loads((tmp_path / "out.json").read_text())
    assert (about["seed"], about["weights_hash"], about["prompt"]) == (3, result.weights_hash, "in.wav")
    assert about["extra"]["options"]["start"] == 0.5 and about["extra"]["report"]["made"] == [0.5, 0.8]
    assert result.weights_hash in json.dumps(read_metadata(tmp_path / f"out.{suffix}"))
    assert result.pieces[0].seconds == pytest.approx(1.2)


def test_going_on(weights, tmp_path):
    source = recording(tmp_path / "in.flac", 1.0, 22050, 2)
    result = continue_(source, tmp_path / "out.wav", seconds=0.7, seed=1, n=2, system=weights, prompt="slow tune")
    for number in (1, 2):
        after = integers(tmp_path / f"out-{number}.wav")
        assert len(after) == 22050 + 15435
        np.testing.assert_array_equal(after[:22050], integers(source))
        assert np.abs(after[22050:]).max() > 30
    assert (integers(tmp_path / "out-1.wav") != integers(tmp_path / "out-2.wav")).any()
    assert result.pieces[0].seconds == pytest.approx(1.7) and result.pieces[0].report["made"] == [1.0, 1.7]
    continue_(source, tmp_path / "again.wav", seconds=0.7, seed=1, system=weights, prompt="slow tune")
    np.testing.assert_array_equal(integers(tmp_path / "again.wav"), integers(tmp_path / "out-1.wav"))
    continue_(source, tmp_path / "other.wav", seconds=0.7, seed=1, system=weights)  # what is told has an effect
    assert (integers(tmp_path / "again.wav") != integers(tmp_path / "other.wav")).any()


def test_long_recordings_are_held_in_part(weights, tmp_path, monkeypatch):
    """With short blocks and surroundings, so that the recording is many of them long."""
    monkeypatch.setattr(sound_editing, "BLOCK_SECONDS", 0.25)
    monkeypatch.setattr(sound_editing, "CONTEXT_SECONDS", 0.5)
    source = recording(tmp_path / "in.wav", 5.1)
    place = sound_editing.surroundings(source, 3.0, 3.4)
    assert (place.first, place.last, place.total) == (48000, 54400, 81600)
    assert place.audio.seconds <= 0.4 + 2 * 0.5 + 2 * 0.25 and place.offset / 16000 <= 2.5
    whole = read_audio(source).samples
    stretch = slice(place.offset, place.offset + place.audio.samples.shape[1])
    np.testing.assert_array_equal(place.audio.samples, whole[:, stretch])
    infill(source, tmp_path / "out.wav", start=3.0, end=3.4, seed=0, system=weights)
    before, after = integers(source), integers(tmp_path / "out.wav")
    np.testing.assert_array_equal(np.delete(after, slice(48000, 54400), 0), np.delete(before, slice(48000, 54400), 0))
    assert sound_editing.ending(source).audio.seconds <= 0.5 + 2 * 0.25
    continue_(source, tmp_path / "longer.wav", seconds=0.3, seed=0, system=weights)
    assert len(integers(tmp_path / "longer.wav")) == 81600 + 4800
    np.testing.assert_array_equal(integers(tmp_path / "longer.wav")[:81600], before)


def test_beginning_end_and_spectrum(weights, tmp_path):
    source = recording(tmp_path / "in.wav", 1.0)
    before = integers(source)
    infill(source, tmp_path / "end.wav", start=0.7, seed=0, system=weights)
    np.testing.assert_array_equal(integers(tmp_path / "end.wav")[:11200], before[:11200])
    infill(source, tmp_path / "beginning.wav", end=0.3, seed=0, system=weights)
    np.testing.assert_array_equal(integers(tmp_path / "beginning.wav")[4800:], before[4800:])
    infill(source, tmp_path / "high.wav", above=5000, seed=0, system=weights)
    change = np.abs(np.fft.rfft((integers(tmp_path / "high.wav") - before)[1000:-1000, 0].astype(float)))
    hertz = np.fft.rfftfreq(len(before) - 2000, 1 / 16000)
    assert np.square(change[hertz < 4500]).sum() < 1e-3 * np.square(change[hertz > 5500]).sum()


def test_command_line(weights, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    recording(tmp_path / "in.wav", 1.0)
    assert main(["infill", "in.wav", "--from", "0.4", "--to", "0.6", "--seed", "1", "--system", weights, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verb"] == "infill" and told["pieces"][0]["files"][0] == "infilled.wav"
    assert main(["continue", "in.wav", "--seconds", "0.2", "--system", weights]) == 0
    shown = capsys.readouterr().out
    assert "continued.wav" in shown and "miniature" in shown


@pytest.mark.parametrize(
    ("verb", "asked", "said"),
    [
        (infill, {}, "not said what to make anew"),
        (infill, {"bars": "1-2"}, "--bars is not for recordings"),
        (infill, {"start": 0.5, "end": 0.5}, "nothing from 0.5 to 0.5"),
        (infill, {"start": 0.5, "end": 2.0}, "which lasts 1.00 seconds"),
        (infill, {"start": 5.0}, "which lasts 1.00 seconds"),
        (infill, {"start": -1.0}, "--from is -1"),
        (infill, {"start": 0.0, "end": 1.0}, "all of the sound"),
        (infill, {"above": float("nan")}, "--above is nan"),
        (infill, {"above": 8000.0}, "above is 8000"),
        (infill, {"start": 0.5, "steps": 0}, "steps is 0"),
        (infill, {"start": 0.5, "n": 0}, "--n is 0"),
        (continue_, {"bars": 4}, "--bars is not for recordings"),
        (continue_, {"temperature": 1.0}, "--temperature is not for recordings"),
        (continue_, {"stems": True}, "--stems is not for recordings"),
        (continue_, {"seconds": 0.0}, "--seconds is 0"),
        (continue_, {"seconds": 1e9}, "--seconds is 1e"),
        (continue_, {"system": "getmusic"}, "cannot continue sound"),
    ],
)
def test_what_cannot_be_asked_of_recordings(weights, tmp_path, verb, asked, said):
    source = recording(tmp_path / "in.wav", 1.0)
    with pytest.raises(OptionError, match=said) as raised:
        verb(source, tmp_path / "out.wav", **{"system": weights, **asked})
    assert "\n" not in str(raised.value) and [path.name for path in tmp_path.iterdir()] == ["in.wav"]


def test_parts_of_more_than_ten_minutes_are_refused(weights, tmp_path, monkeypatch):
    monkeypatch.setattr(sound_editing, "MOST_SECONDS", 1.0)
    monkeypatch.setattr(sound_editing, "CONTEXT_SECONDS", 0.1)
    monkeypatch.setattr(sound_editing, "BLOCK_SECONDS", 0.2)
    source = recording(tmp_path / "in.wav", 4.0)
    for asked in ({"above": 4000.0}, {"start": 1.0}, {"start": 0.5, "end": 2.0}):
        with pytest.raises(OptionError, match="are the most at once"):
            infill(source, tmp_path / "out.wav", system=weights, **asked)


def test_formats(weights, tmp_path):
    source = recording(tmp_path / "in.wav", 0.6, 96000)
    with pytest.raises(OptionError, match="MP3 file cannot hold"):
        continue_(source, tmp_path / "out.mp3", system=weights)
    with pytest.raises(OptionError, match="does not end in a known format"):
        continue_(source, tmp_path / "out.mid", system=weights)
    many = recording(tmp_path / "many.wav", 0.1, 8000, 9)
    with pytest.raises(OptionError, match="FLAC file cannot hold 9 channels"):
        continue_(many, tmp_path / "out.flac", system=weights)


def test_options_of_recordings_are_refused_for_scores(tmp_path):
    tune = tmp_path / "tune.abc"
    tune.write_text("X:1\nT:x\nM:4/4\nL:1/4\nK:C\nCDEF|GABc|\n")
    for verb, asked in ((infill, {"bars": "1", "above": 9.0}), (infill, {"start": 1.0}), (continue_, {"seconds": 2.0})):
        with pytest.raises(OptionError, match="not for scores"):
            verb(tune, tmp_path / "out.mid", **asked)
    with pytest.raises(OptionError, match="which bars"):
        infill(tune, tmp_path / "out.mid")


def test_the_source_may_be_written_over(weights, tmp_path):
    source = recording(tmp_path / "in.wav", 0.8)
    before = integers(source)
    continue_(source, source, seconds=0.2, seed=0, system=weights)
    after = integers(source)
    np.testing.assert_array_equal(after[: len(before)], before)
    assert len(after) == len(before) + 3200


def test_samples_that_are_no_numbers(weights, tmp_path):
    soundfile.write(tmp_path / "in.wav", np.array([0.0, np.nan] * 500), 8000, subtype="FLOAT")
    with pytest.raises(InputError, match="no numbers"):
        continue_(tmp_path / "in.wav", tmp_path / "out.wav", system=weights)
    write_audio(Audio(np.zeros((1, 1), np.float32), 16000), tmp_path / "one.wav")
    continue_(tmp_path / "one.wav", tmp_path / "out.wav", seconds=0.2, system=weights)
    assert read_audio(tmp_path / "out.wav").samples.shape == (1, 3201)
