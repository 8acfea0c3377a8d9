"""A checkpoint of the authors is fetched once, converted, and then the same as if it had been converted by hand."""

import json
from pathlib import Path

import pytest
import torch

from orchestrion.errors import WeightsError
from orchestrion.hub import official
from orchestrion.hub.official import midicaps as converter
from orchestrion.hub.weights import read_foreign, read_weights
from orchestrion.systems.registry import system_class


@pytest.fixture
def published(tmp_path):
    """Some entries of an official file, as the hub has it."""
    torch.manual_seed(0)
    path = tmp_path / "hub" / "pytorch_model.bin"
    path.parent.mkdir()
    state = {
        "input_emb.weight": torch.randn(5, 4),
        "projection.weight": torch.randn(5, 4),
        "projection.bias": torch.randn(5),
    }
    torch.save(state, path)
    return path, state


@pytest.fixture
def hub(published, tmp_path, monkeypatch):
    """A hub that knows one file; gives the list of what was fetched."""
    monkeypatch.setenv("ORCHESTRION_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ORCHESTRION_OFFICIAL_MIDICAPS", raising=False)
    fetched = []

    def download(repository, file):
        fetched.append((repository, file))
        return str(published[0])

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    return fetched


def test_fetched_converted_and_kept(hub, published):
    path = official.official_path("midicaps")
    assert official.official_path("midicaps") == path
    assert hub == [("amaai-lab/text2midi", "pytorch_model.bin")]
    held = read_weights(path)
    assert held.header["system"] == "midicaps"
    assert held.header["source"] == "amaai-lab/text2midi/pytorch_model.bin"
    assert held.header["licence"] == "Apache-2.0"
    assert json.loads(held.header["arguments"])["quirks"] == "official"
    by_hand = converter.convert(published[1])
    assert held.tensors.keys() == by_hand.keys()
    assert all(torch.equal(held.tensors[name], value) for name, value in by_hand.items())  # not in half precision


def test_a_file_of_the_user(hub, published, monkeypatch, tmp_path):
    given = official.official_path("midicaps", file=published[0])
    monkeypatch.setenv("ORCHESTRION_OFFICIAL_MIDICAPS", str(published[0]))
    assert official.official_path("midicaps") == given
    assert hub == []
    other = tmp_path / "other.bin"
    torch.save({"projection.bias": torch.zeros(5)}, other)
    assert official.official_path("midicaps", file=other) != given
    assert read_weights(given).header["source"] == "pytorch_model.bin"


def test_files_beside_the_one_that_is_read_are_fetched_too(tmp_path, monkeypatch):
    from orchestrion.hub.official import musicldm

    fetched = []

    def download(repository, file):
        fetched.append(file)
        (tmp_path / "model_index.json").write_text("{}")
        return str(tmp_path / file)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    monkeypatch.setattr(musicldm, "read", lambda path: {"weight": torch.zeros(2)})
    monkeypatch.setenv("ORCHESTRION_CACHE", str(tmp_path / "cache"))
    official.official_path("musicldm")
    assert fetched == [musicldm.SOURCE["file"], *musicldm.SOURCE["files"]]


def test_foreign_pickles_run_nothing(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    for number, (held, said) in enumerate([({"a": Trap()}, "safely"), ([1], "holds list")]):
        path = tmp_path / f"{number}.pt"
        torch.save(held, path)
        with pytest.raises(WeightsError, match=said):
            read_foreign(path)
    assert not (tmp_path / "sprung").exists()


def test_without_network(hub, monkeypatch):
    def download(repository, file):
        raise ConnectionError("no route to host")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    with pytest.raises(
        WeightsError, match=r"cannot be fetched from amaai-lab/text2midi \(ConnectionError\); connect to"
    ):
        official.official_path("midicaps")


@pytest.mark.parametrize("name", ["getmusic", "midicaps"])
def test_official_arguments_make_the_published_network(name):
    module = official._converter(name)
    kind = system_class(name)
    with torch.device("meta"):
        ours = kind(**module.arguments(module.SOURCE.get("arguments", {})))
        paper = kind.from_preset("paper")
    assert ours.quirks == "official"
    assert {key: value.shape for key, value in ours.state_dict().items()} == {
        key: value.shape for key, value in paper.state_dict().items()
    }


class Evil:
    def __reduce__(self):
        return (open, ("/tmp/never-made-by-orchestrion", "w"))


@pytest.mark.parametrize("content", [Evil(), {"unknown.key": torch.zeros(1)}, [1, 2]])
def test_hostile_checkpoints_leave_nothing(hub, published, content, tmp_path):
    torch.save(content, published[0])
    with pytest.raises(WeightsError):
        official.official_path("midicaps")
    assert not list((tmp_path / "cache").glob("*"))
