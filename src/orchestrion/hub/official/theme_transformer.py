"""Theme Transformer's published checkpoint and constructor arguments, in our names (atosystem/ThemeTransformer)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from orchestrion.errors import WeightsError
from orchestrion.hub.weights import read_foreign

SOURCE = {
    "repository": None,
    "file": None,
    "licence": "MIT",
    "code": "https://github.com/atosystem/ThemeTransformer",
    "arguments": {"ntoken": 1033, "d_model": 256, "num_encoder_layers": 6, "xorpattern": [0, 0, 0, 1, 1, 1]},
}
"""The checkpoint, trained_model/model_ep2311.pt, lies in the code's repository, not on the hub."""

_TOP = {
    "token_embedding.weight": "network.tokens.weight",
    "output_layer.weight": "network.head.weight",
    "output_layer.bias": "network.head.bias",
}
_ENCODER = {
    "self_attn.in_proj_": "to_qkv.",
    "self_attn.out_proj.": "to_out.",
    "linear1.": "expand.",
    "linear2.": "contract.",
    "norm1.": "attention_norm.",
    "norm2.": "output_norm.",
}
_DECODER = {
    "self_attn.in_proj_": "self_attn.to_qkv.",
    "self_attn.out_proj.": "self_attn.to_out.",
    "multihead_attn.": "multihead_attn.",
    "linear1.": "linear1.",
    "linear2.": "linear2.",
    "norm1.": "norm1.",
    "norm3.": "norm3.",
}


def rename(key: str) -> str | None:
    """Our name of an official key; None for the tables of positions, which follow from the sizes.

    Raises:
        WeightsError: the key belongs to no Theme Transformer.
    """
    if key.endswith(("pos_encoding.pe", "pos_enc.pe")):
        return None
    if key in _TOP:
        return _TOP[key]
    norm = re.fullmatch(r"transformer_model\.(encoder|decoder)\.norm\.(weight|bias)", key)
    if norm is not None:
        return f"network.{'encoder_norm' if norm[1] == 'encoder' else 'decoder.norm'}.{norm[2]}"
    layer = re.fullmatch(r"transformer_model\.(encoder|decoder)\.layers\.(\d+)\.(.+)", key)
    if layer is not None:
        for old, new in (_ENCODER if layer[1] == "encoder" else _DECODER).items():
            if layer[3].startswith(old):
                return f"network.{layer[1]}.layers.{layer[2]}.{new}{layer[3].removeprefix(old)}"
    raise WeightsError(f"The entry {key!r} belongs to no published Theme Transformer.")


def convert(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An official state dict (of `myLM`) in our names.

    Raises:
        WeightsError: an entry is unknown.
    """
    named = ((rename(key), value) for key, value in state.items())
    return {name: value for name, value in named if name is not None}


def arguments(official: Mapping[str, Any]) -> dict[str, Any]:
    """Our constructor arguments from those of `myLM`. Its `dropout` is the offset of the encoder's positions; the
    networks' own dropout is always 0.1."""
    width = official.get("d_model", 512)
    return {
        "vocabulary_size": official["ntoken"],
        "width": width,
        "num_heads": 8,
        "feed_forward": 4 * width,
        "num_encoder_layers": official.get("num_encoder_layers", 6),
        "gate_pattern": [int(closed) for closed in official.get("xorpattern", [0, 1] * 3)],
        "dropout": 0.1,
        "encoder_offset": float(official.get("dropout", 0.1)),
        "quirks": "official",
    }


def read(path: str | Path) -> dict[str, Tensor]:
    """Reads a published checkpoint file in our names.

    Raises:
        WeightsError: the file cannot be read safely, or holds no such network.
    """
    return convert(read_foreign(path))
