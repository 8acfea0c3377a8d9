"""GETMusic's published checkpoints and constructor arguments, in our names (microsoft/muzic, folder getmusic)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from orchestrion.errors import WeightsError
from orchestrion.hub.weights import read_foreign

SOURCE = {
    "repository": None,
    "file": None,
    "licence": None,
    "code": "https://github.com/microsoft/muzic",
    "arguments": {
        "DiffusionRFM": {"auxiliary_loss_weight": 0.001, "adaptive_auxiliary_loss": True},
        "tracks_start": (16, 144, 997, 5366, 6921, 10489),
        "tracks_end": (143, 996, 5365, 6920, 10488, 11858),
    },
}
"""No checkpoint is public; a user may own one. The loss is that of the published configuration, the
ranges of the tracks are those of the published dictionary."""

_INPUT = "roformer.input_transformers."
_HEAD, _EMBEDDING = _INPUT + "lm_head.weight", _INPUT + "embeddings.word_embeddings.weight"
_FLAGS = "network.flags.weight"
_RENAMED = {
    "embeddings.word_embeddings.weight": "network.tokens.weight",
    "embeddings.token_type_embeddings.weight": _FLAGS,
    "embeddings.time_embeddings.": "network.time.",
    "embeddings.LayerNorm.": "network.norm.",
    "embeddings_project.": "network.columns_in.",
    "outputs_project.": "network.columns_out.",
    "lm_head.bias": "network.head_bias",
}
_LAYER = {
    "attention.output.dense.": "to_out.",
    "attention.output.LayerNorm.": "attention_norm.",
    "intermediate.dense.": "expand.",
    "output.dense.": "contract.",
    "output.LayerNorm.": "output_norm.",
}
_ACTIVATIONS = ("gelu", "gelu_new", "relu", "silu")
COMPUTED = (
    "log_at", "log_bt", "log_ct", "log_cumprod_at", "log_cumprod_bt", "log_cumprod_ct", "log_1_min_ct",
    "log_1_min_cumprod_ct", _INPUT + "encoder.embed_positions.weight",
)  # fmt: skip
"""Entries of an official state dict that follow from the sizes: schedules and the rotary table."""


def rename(key: str) -> tuple[str, int | None] | None:
    """Our name of an official key, and which third of it (query, key, value) the entry is; None for what is computed.

    Raises:
        WeightsError: the key belongs to no GETMusic network.
    """
    if key in COMPUTED:
        return None
    if key in ("Lt_history", "Lt_count"):
        return {"Lt_history": "diffusion.loss_history", "Lt_count": "diffusion.loss_count"}[key], None
    if key == _HEAD:
        return "network.tokens.weight", None
    found = re.fullmatch(re.escape(_INPUT) + r"encoder\.layer\.(\d+)\.(.+)", key)
    if found is not None:
        layer, rest = f"network.encoder.layers.{found[1]}.", found[2]
        part = re.fullmatch(r"attention\.self\.(query|key|value)\.(weight|bias)", rest)
        if part is not None:
            return f"{layer}to_qkv.{part[2]}", ("query", "key", "value").index(part[1])
        for old, new in _LAYER.items():
            if rest.startswith(old):
                return layer + new + rest.removeprefix(old), None
    for old, new in _RENAMED.items():
        if key.startswith(_INPUT + old):
            return new + key.removeprefix(_INPUT + old), None
    raise WeightsError(f"The entry {key!r} belongs to no published GETMusic network.")


def convert(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An official state dict (of `DiffusionRFM`, with or without the prefix "rfm.") in our names.

    Raises:
        WeightsError: an entry is unknown, or a part of attention is missing.
    """
    ours: dict[str, Tensor] = {}
    thirds: dict[str, dict[int, Tensor]] = {}
    plain = {key.removeprefix("rfm."): value for key, value in state.items()}
    for key, value in plain.items():
        renamed = rename(key)
        if renamed is None or (key == _HEAD and _EMBEDDING in plain):  # tied: one tensor under two keys
            continue
        name, part = renamed
        if part is None:
            ours[name] = value
        else:
            thirds.setdefault(name, {})[part] = value
    for name, parts in thirds.items():
        if set(parts) != {0, 1, 2}:
            raise WeightsError(f"The checkpoint lacks query, key or value of {name}; it is not whole.")
        ours[name] = torch.cat([parts[0], parts[1], parts[2]])
    if _FLAGS in ours:
        ours[_FLAGS] = ours[_FLAGS][:2]  # target and source: the published code asks for no others, if there are any
    return ours


def arguments(official: Mapping[str, Any]) -> dict[str, Any]:
    """Our constructor arguments from the official ones: of `DiffusionRFM`, `DiffusionRoformerModel`, `RoFormerConfig`,
    and the ranges of the tracks. Without an auxiliary loss among them there is none, as in the published class.

    Raises:
        WeightsError: the schedule is one that the published code does not know, or the activation one that ours does
            not.
    """
    diffusion = dict(official.get("DiffusionRFM", {}))
    network = dict(official.get("DiffusionRoformerModel", {}))
    config: dict[str, Any] = {}
    for name, value in official.items():
        if name.startswith("RoFormerConfig"):
            config |= value
    if diffusion.get("alpha_init_type", "alpha1") != "alpha1":
        raise WeightsError(
            f"The schedule {diffusion['alpha_init_type']!r} is unknown; the published code has 'alpha1'."
        )
    names = {
        "embedding_size": "embedding",
        "hidden_size": "width",
        "num_hidden_layers": "num_layers",
        "num_attention_heads": "num_heads",
        "intermediate_size": "feed_forward",
        "max_position_embeddings": "max_columns",
        "hidden_dropout_prob": "dropout",
        "layer_norm_eps": "norm_eps",
        "hidden_act": "activation",
        "rotary_value": "rotary_values",
    }
    if config.get("hidden_act", "gelu") not in _ACTIVATIONS:
        raise WeightsError(
            f"GETMusic with hidden_act={config['hidden_act']!r} is not supported; convert one with one of "
            f"{', '.join(_ACTIVATIONS)}."
        )
    if config.get("embedding_size", 0) is None:
        config["embedding_size"] = config.get("hidden_size", 768)
    ours: dict[str, Any] = {names[name]: value for name, value in config.items() if name in names}
    if "diffusion_step" in diffusion:
        ours["steps"] = diffusion["diffusion_step"]
    ours["auxiliary_weight"] = diffusion.get("auxiliary_loss_weight", 0)
    ours["adaptive_auxiliary"] = diffusion.get("adaptive_auxiliary_loss", False)
    if "cond_weight" in network:
        ours["source_weight"] = network["cond_weight"]
    if "tracks_start" in official:
        pairs = zip(official["tracks_start"], official["tracks_end"], strict=True)
        ours["track_sizes"] = tuple(end - start + 1 for start, end in pairs)
    return {**ours, "quirks": "official"}


def read(path: str | Path, *, ema: bool = True) -> dict[str, Tensor]:
    """Reads a published checkpoint file (.pth with `model` and `ema`) in our names; sampling uses the averaged weights.

    Raises:
        WeightsError: the file cannot be read safely, or holds no such network.
    """
    held = read_foreign(path)
    state: Any = held.get("ema") if ema and held.get("ema") else held.get("model", held)
    return convert(state)
