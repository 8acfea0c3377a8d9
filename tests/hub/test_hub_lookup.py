"""What a name means, and what is said where a file is not what it should be."""

import hashlib
import json
import struct

import pytest
import torch
from safetensors.torch import save_file

from orchestrion.errors import OptionError, WeightsError
from orchestrion.hub import official, weights
from orchestrion.hub.lookup import find_weights
from orchestrion.hub.weights import cache_folder, read_header, read_weights, write_weights


@pytest.fixture
def tensors():
    return {"a": torch.arange(6.0).view(2, 3) / 7, "n": torch.tensor([3, 4])}


def test_what_is_written_is_read_with_its_hash(tmp_path, tensors):
    path = tmp_path / "new" / "x.safetensors"
    written = write_weights(path, tensors, {"system": "x"})
    held = read_weights(path)
    assert held.header == read_header(path) == {"system": "x"}
    assert held.hash == written == hashlib.sha256(path.read_bytes()).hexdigest()
    assert torch.equal(held.tensors["a"], tensors["a"].half().float())
    assert torch.equal(held.tensors["n"], tensors["n"])
    write_weights(path, tensors, {}, half=False)
    assert torch.equal(read_weights(path).tensors["a"], tensors["a"])
    assert [file.name for file in path.parent.iterdir()] == ["x.safetensors"]


def test_names_and_paths(tmp_path, tensors, monkeypatch):
    monkeypatch.setattr(weights, "BUNDLED", tmp_path / "bundled")
    monkeypatch.setattr("orchestrion.hub.lookup.official_path", lambda name: tmp_path / f"{name}-official")
    write_weights(tmp_path / "bundled/tune.safetensors", tensors, {})
    write_weights(tmp_path / "run/tune.safetensors", tensors, {})
    assert find_weights("tune") == tmp_path / "bundled/tune.safetensors"
    assert find_weights(str(tmp_path / "run/tune.safetensors")) == tmp_path / "run/tune.safetensors"
    assert find_weights(f"{tmp_path}/run") == tmp_path / "run/tune.safetensors"
    assert find_weights("tune:official") == tmp_path / "tune-official"
    with pytest.raises(OptionError, match="unknown source 'elsewhere'"):
        find_weights("tune:elsewhere")
    with pytest.raises(WeightsError, match=r"No weights of other ship .*`orchestrion train other"):
        find_weights("other")
    write_weights(tmp_path / "run/second.safetensors", tensors, {})
    with pytest.raises(WeightsError, match=r"several weights files .*second\.safetensors, tune"):
        find_weights(f"{tmp_path}/run")
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError, match="no weights in the folder"):
        find_weights(f"{tmp_path}/empty")


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("ORCHESTRION_CACHE", str(tmp_path / "kept"))
    assert cache_folder() == tmp_path / "kept"
    monkeypatch.delenv("ORCHESTRION_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "orchestrion" / "weights"


def hostile(kind, tmp_path):
    path = tmp_path / "x.safetensors"
    if kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    elif kind == "foreign":
        torch.save({"a": torch.zeros(3)}, path)
    elif kind == "huge header":
        path.write_bytes(struct.pack("<Q", 2**62) + b"{}")
    elif kind == "wrong offsets":
        header = json.dumps({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 4]}}).encode()
        path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 4)
    elif kind == "truncated":
        save_file({"a": torch.zeros(1000)}, path)
        path.write_bytes(path.read_bytes()[:-100])
    elif kind == "damaged header":
        save_file({"a": torch.zeros(1000)}, path)
        path.write_bytes(path.read_bytes()[:8] + b"\xff" * 20 + path.read_bytes()[28:])
    return path


@pytest.mark.parametrize(
    "kind", ["missing", "folder", "empty", "foreign", "huge header", "wrong offsets", "truncated", "damaged header"]
)
def test_hostile_files(kind, tmp_path):
    with pytest.raises(WeightsError) as raised:
        read_weights(hostile(kind, tmp_path))
    said = str(raised.value)
    assert said.startswith(f"The weights at {tmp_path}/x.safetensors cannot be read (")
    assert said.endswith("; give another file.") and "\n" not in said


def test_no_public_checkpoint(monkeypatch, tmp_path):
    monkeypatch.delenv("ORCHESTRION_OFFICIAL_GETMUSIC", raising=False)
    with pytest.raises(WeightsError, match=r"No checkpoint of getmusic is public; .* ORCHESTRION_OFFICIAL_GETMUSIC"):
        official.official_path("getmusic")
    with pytest.raises(WeightsError, match=r"There is no file .*mine\.pth"):
        official.official_path("getmusic", file=tmp_path / "mine.pth")
    for name in ("nothing", "../weights", "a.b"):
        with pytest.raises(WeightsError, match="no converter"):
            official.official_path(name)
