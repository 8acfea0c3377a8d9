"""CLMR's checkpoints as they are published: Lightning, both older layouts, heads; and what is refused."""

import pytest
import torch

from orchestrion.errors import WeightsError
from orchestrion.hub.official import clmr as official
from orchestrion.hub.official import official_path
from orchestrion.systems.clmr import CLMR
from orchestrion.systems.registry import load


def sizes(**official_arguments):
    return official.arguments(official_arguments)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return CLMR(**sizes(strides=[3] * 9, projection_dim=64, supervised=False, out_dim=50))


def officially(model, prefix):
    """The state dict of a network under official keys."""
    state = {}
    for key, value in model.state_dict().items():
        parts = key.split(".")
        if parts[0] == "projector":
            state[f"{prefix}projector.{2 * int(parts[2])}.weight"] = value
        elif parts[1] == "head":
            state[f"{prefix}encoder.fc.{parts[2]}"] = value
        else:
            place = {"conv": "0", "norm": "1"}[parts[3]]
            state[f"{prefix}encoder.sequential.{parts[2]}.{place}.{parts[4]}"] = value
    return state


def test_lightning_file_of_the_release(network, tmp_path, monkeypatch):
    state = officially(network, "model.")
    state |= {key.removeprefix("model."): value for key, value in state.items() if ".encoder." in key}  # held twice
    path = tmp_path / "clmr_checkpoint_10000.pt"
    torch.save({"pytorch-lightning_version": "1.2", "epoch": 1, "state_dict": state}, path)
    ours = official.read(path)
    assert all(torch.equal(ours[key], value) for key, value in network.state_dict().items())
    monkeypatch.setenv("ORCHESTRION_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ORCHESTRION_OFFICIAL_CLMR", str(path))
    loaded = load("clmr:official")
    assert isinstance(loaded, CLMR) and loaded.window == 59049
    x = torch.randn(1, 1, 59049)
    with torch.inference_mode():
        assert torch.equal(loaded.encoder(x), network.eval().encoder(x))
    assert official_path("clmr").is_file()


def test_older_layouts(network, tmp_path):
    state = officially(network, "")
    older = {}
    for key, value in state.items():
        parts = key.split(".")
        if parts[1] == "sequential":
            key = ".".join(["encoder", f"conv{int(parts[2]) + 1}", *parts[3:]])
        older[key] = value
    for number, held in enumerate((state, older)):
        path = tmp_path / f"{number}.pt"
        torch.save(held, path)
        ours = official.read(path)
        assert ours.keys() == network.state_dict().keys()
        assert all(torch.equal(ours[key], value) for key, value in network.state_dict().items())


def test_supervised_network_and_arguments():
    ours = sizes(strides=[3] * 9, supervised=True, out_dim=20)
    assert ours["tags"] == 20 and ours["dropout"] == 0.5 and ours["projection"] is None
    model = CLMR(**ours)
    state = {key.removeprefix("encoder."): value for key, value in officially(model, "").items()}
    converted = official.convert(state)
    assert converted.keys() == model.state_dict().keys()
    assert sizes(sample_rate=8000, projection_dim=128)["strides"] == (3, 3, 3, 2, 2, 4, 4, 2, 2)
    assert sizes(strides=(3, 3, 3, 3, 3, 3, 5, 2, 2), projection_dim=1)["rate"] == 16000
    assert CLMR(**sizes(projection_dim=8, projector_layers=3)).projector.layers[2].out_features == 8
    contrastive = sizes(supervised=True, projection_dim=64)  # its head is taken away
    assert contrastive["projection"] == 64 and "tags" not in contrastive
    assert sizes(projection_dim=64, temperature=0.1, batch_size=96) | {} == {
        "channels": official.CHANNELS, "strides": (3,) * 9, "rate": 22050, "projection": 64, "temperature": 0.1,
        "batch_size": 96,
    }  # fmt: skip
    assert sizes(projection_dim=128, projector_layers=2, normalize=True)["normalise"] is True  # version 1
    with pytest.raises(WeightsError, match="not 44100"):
        sizes(sample_rate=44100)
    assert official.strides_for(22050) == (3,) * 9
    with pytest.raises(WeightsError, match="not 11025"):
        official.strides_for(11025)


def test_heads(tmp_path):
    linear = {"model.0.weight": torch.ones(2, 3), "model.0.bias": torch.zeros(2)}
    assert official.convert_head(linear).keys() == {"layers.0.weight", "layers.0.bias"}
    deep = {
        "0.weight": torch.ones(3, 3),
        "0.bias": torch.zeros(3),
        "2.weight": torch.ones(2, 3),
        "2.bias": torch.ones(2),
    }
    path = tmp_path / "finetuner_checkpoint_200.pt"
    torch.save({"state_dict": {**deep, "encoder.sequential.0.0.bias": torch.zeros(1)}}, path)
    assert torch.equal(official.read_head(path)["layers.1.bias"], torch.ones(2))
    for bad in ({"x": torch.ones(1)}, {"0.weight": torch.ones(2, 2)}, {}):
        with pytest.raises(WeightsError, match=r"published head|one or two linear layers"):
            official.convert_head(bad)


def test_files_that_are_none(tmp_path):
    with pytest.raises(WeightsError, match=r"'decoder\.weight' belongs to no published CLMR"):
        official.rename("decoder.weight")
    path = tmp_path / "x.pt"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(WeightsError, match="cannot be read safely"):
        official.read(path)
    torch.save([1, 2], path)
    with pytest.raises(WeightsError, match="holds list, not the entries of a network"):
        official.read(path)
