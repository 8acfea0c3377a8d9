"""From a sentence to a sound file with its picture and record, by a system that writes no notes."""

import json

import pytest
import torch

from orchestrion.errors import OptionError
from orchestrion.media.audio import read_audio, read_metadata
from orchestrion.systems.musicldm import MusicLDM
from orchestrion.verbs.generate import generate


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A tiny network with random weights."""
    torch.manual_seed(0)
    sizes = {
        "frames": 64, "vae_width": 8, "vae_channels": (8, 8, 16), "unet_width": 8, "unet_channels": (8, 16),
        "attention_levels": (1,), "unet_groups": 4, "vae_groups": 4, "head_width": 8, "condition_width": 16,
        "sampling_steps": 2, "candidates": 2, "words": ("slow", "tune"),
    }  # fmt: skip
    path = tmp_path_factory.mktemp("sound_weights") / "tiny.safetensors"
    MusicLDM(**{**MusicLDM.presets["mini"], **sizes}).save(path)
    return str(path)


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3"])
def test_sound_picture_and_record(weights, tmp_path, suffix):
    result = generate(
        "a slow tune", tmp_path / f"x.{suffix}", seconds=1.0, seed=3, n=2, system=weights, negative="loud"
    )
    assert {path.name for path in result.files} == {f"x-{n}.{kind}" for n in (1, 2) for kind in (suffix, "png", "json")}
    assert all(path.is_file() for path in result.files)
    about = json.loads((tmp_path / "x-1.json").read_text())
    assert (about["seed"], about["weights_hash"], about["prompt"]) == (3, result.weights_hash, "a slow tune")
    assert about["extra"]["options"]["negative"] == "loud" and about["extra"]["report"]["chosen"] in (0, 1)
    assert result.weights_hash in json.dumps(read_metadata(tmp_path / f"x-1.{suffix}"))
    assert abs(read_audio(tmp_path / f"x-1.{suffix}").seconds - 1.0) < 0.15
    assert result.pieces[0].bars is None and json.loads(result.to_json())["pieces"][0]["bars"] is None


def test_the_same_seed_gives_the_same_bytes(weights, tmp_path):
    for name in ("a", "b"):
        generate("a slow tune", tmp_path / f"{name}.wav", seconds=1.0, seed=3, system=weights)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


@pytest.mark.parametrize(
    ("options", "said"),
    [({"bars": 4}, "has no --bars"), ({"tempo": 90.0}, "has no --tempo"), ({"temperature": 1.0}, "no --temperature")],
)
def test_options_of_notes_are_refused(weights, tmp_path, options, said):
    with pytest.raises(OptionError, match=said):
        generate("a tune", tmp_path / "x.wav", system=weights, **options)
    assert not list(tmp_path.iterdir())


def test_formats_of_notes_are_refused(weights, tmp_path):
    with pytest.raises(OptionError, match="does not end in a known format"):
        generate("a tune", tmp_path / "x.mid", system=weights)


def test_options_of_sound_are_refused_by_systems_of_notes(tmp_path):
    with pytest.raises(OptionError, match="has no --guidance"):
        generate("a tune", tmp_path / "x.mid", guidance=2.0, system="midicaps")
