"""CLMR's published checkpoints, heads and constructor arguments, in our names (Spijkervet/CLMR, both versions)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from orchestrion.errors import WeightsError
from orchestrion.hub.weights import read_foreign

SOURCE = {
    "repository": None,
    "file": None,
    "licence": None,
    "code": "https://github.com/Spijkervet/CLMR",
    "arguments": {"projection_dim": 64, "strides": [3] * 9, "supervised": False, "out_dim": 50},
}
"""The checkpoints are files of releases, not of the hub: a user names one. Version 2 projects to 64 numbers."""

CHANNELS = (128, 128, 128, 256, 256, 256, 256, 256, 256, 512, 512)
RATES: dict[tuple[int, ...], int] = {
    (3, 3, 3, 3, 3, 3, 3, 3, 3): 22050,
    (3, 3, 3, 3, 3, 3, 5, 2, 2): 16000,
    (3, 3, 3, 2, 2, 4, 4, 2, 2): 8000,
}
"""Strides of the blocks → sample rate in Hz."""
_PARTS = {"0": "conv", "1": "norm"}


def arguments(official: Mapping[str, Any]) -> dict[str, Any]:
    """Our constructor arguments from the official ones: of `SampleCNN`, `ContrastiveLearning`, and the configuration
    files of both versions.

    Raises:
        WeightsError: the sample rate is one that the published code does not know.
    """
    rate = official.get("sample_rate")
    by_rate = {hertz: strides for strides, hertz in RATES.items()}
    if "strides" in official:
        strides = tuple(int(stride) for stride in official["strides"])
    elif rate is not None and rate not in by_rate:
        raise WeightsError(f"The published code knows the rates {sorted(by_rate)} Hz, not {rate}.")
    else:
        strides = by_rate[rate or 22050]
    ours: dict[str, Any] = {
        "channels": CHANNELS,
        "strides": strides,
        "rate": int(rate or RATES.get(strides, 22050)),
    }
    supervised = bool(official.get("supervised"))
    alone = "projection_dim" not in official
    for name, our in {
        "projection_dim": "projection",
        "projector_layers": "projector_layers",
        "normalize": "normalise",
        "temperature": "temperature",
        "batch_size": "batch_size",
    }.items():
        if name in official:
            ours[our] = official[name]
    if ours.get("projector_layers") == 0:
        ours["projector_layers"] = 1  # one linear layer comes in any case
    if alone or (supervised and "projector_layers" in official):  # version 1 makes no projector when supervised
        ours["projection"] = None
    if supervised:
        ours["dropout"] = float(official.get("dropout", 0.5))
    if ours.get("projection", 0) is None:
        ours["tags"] = int(official.get("out_dim", 50))
    return ours


def rename(key: str) -> str:
    """Our name of an official key of either version, of a network or of the encoder alone.

    Layers of the projector keep their place among modules; `convert` counts them.

    Raises:
        WeightsError: the key belongs to no CLMR network.
    """
    plain = re.sub(r"^(module\.)?(model\.)?(?=encoder\.|projector\.|sequential\.|conv\d|fc\.)", "", key)
    plain = plain.removeprefix("encoder.")
    found = re.fullmatch(r"(?:sequential\.(\d+)|conv(\d+))\.([01])\.(\w+)", plain)
    if found is not None:
        number = int(found[1]) if found[1] is not None else int(found[2]) - 1
        return f"encoder.blocks.{number}.{_PARTS[found[3]]}.{found[4]}"
    if re.fullmatch(r"fc\.(weight|bias)", plain):
        return f"encoder.head.{plain.removeprefix('fc.')}"
    if re.fullmatch(r"projector\.\d+\.weight", plain):
        return plain
    raise WeightsError(f"The entry {key!r} belongs to no published CLMR network.")


def convert(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An official state dict in our names; of what a Lightning checkpoint holds twice, one is taken.

    Raises:
        WeightsError: an entry is unknown.
    """
    ours: dict[str, Tensor] = {}
    projector: dict[int, Tensor] = {}
    for key, value in state.items():
        name = rename(key)
        if name.startswith("projector."):
            projector[int(name.split(".")[1])] = value
        else:
            ours[name] = value
    for number, place in enumerate(sorted(projector)):
        ours[f"projector.layers.{number}.weight"] = projector[place]
    return ours


def convert_head(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An official head for tags (`model.N.*`, or `N.*`; a perceptron has N = 0 and 2) as the layers of our `Probe`.

    Raises:
        WeightsError: an entry is unknown, or a head has more layers.
    """
    layers: dict[int, dict[str, Tensor]] = {}
    for key, value in state.items():
        found = re.fullmatch(r"(?:model\.)?(\d+)\.(weight|bias)", key)
        if found is None:
            if key.startswith("encoder."):
                continue  # checkpoints of version 2 hold the frozen encoder too
            raise WeightsError(f"The entry {key!r} belongs to no published head.")
        layers.setdefault(int(found[1]), {})[found[2]] = value
    if not 1 <= len(layers) <= 2 or any(set(one) != {"weight", "bias"} for one in layers.values()):
        raise WeightsError("A published head has one or two linear layers; this file has not.")
    return {
        f"layers.{number}.{name}": value
        for number, place in enumerate(sorted(layers))
        for name, value in layers[place].items()
    }


def read(path: str | Path) -> dict[str, Tensor]:
    """Reads a published checkpoint of either version in our names.

    Raises:
        WeightsError: the file cannot be read safely, or holds no such network.
    """
    state = _state(path)
    return convert({key: value for key, value in state.items() if isinstance(value, Tensor)})


def read_head(path: str | Path) -> dict[str, Tensor]:
    """Reads a published head (`finetuner_checkpoint_*`).

    Raises:
        WeightsError: the file cannot be read safely, or holds no head.
    """
    return convert_head(_state(path))


def _state(path: str | Path) -> Mapping[str, Tensor]:
    """The state dict in a file, which Lightning keeps under a name of its own."""
    held = read_foreign(path)
    state = held.get("state_dict", held)
    if not isinstance(state, Mapping):
        raise WeightsError(f"The checkpoint {path} holds no weights; give a file of the published releases.")
    return state


def strides_for(rate: int) -> Sequence[int]:
    """Strides of the published encoder at a sample rate in Hz.

    Raises:
        WeightsError: there is none for this rate.
    """
    for strides, hertz in RATES.items():
        if hertz == rate:
            return strides
    raise WeightsError(f"The published encoder has the rates {sorted(RATES.values())} Hz, not {rate}.")
