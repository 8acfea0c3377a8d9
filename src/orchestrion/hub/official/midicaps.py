"""Text2midi's published checkpoint and constructor arguments, in our names (AMAAI-Lab/Text2midi)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from orchestrion.errors import WeightsError
from orchestrion.hub.weights import read_foreign

SOURCE = {
    "repository": "amaai-lab/text2midi",
    "file": "pytorch_model.bin",
    "licence": "Apache-2.0",
    "code": "https://github.com/AMAAI-Lab/Text2midi",
    "arguments": {
        "n_vocab": 524,
        "d_model": 768,
        "max_len": 2048,
        "num_decoder_layers": 18,
        "dim_feedforward": 1024,
    },
}
"""Where the authors' checkpoint is on the hub, and the sizes that it was made with."""

_PREFIXES = {
    "input_emb.": "network.tokens.",
    "pos_encoder.pe": "network.positions",
    "projection.": "network.projection.",
    "encoder.": "text.model.",
}
_LAYER_PARTS = (
    r"self_attn\.(to_qkv|to_out)\.weight",
    r"multihead_attn\.(in_proj_(weight|bias)|out_proj\.(weight|bias))",
    r"linear[12]\.(weight|bias)",
    r"norm[123]\.(weight|bias)",
)
_DECODER = re.compile(r"decoder\.(norm\.(weight|bias)|layers\.\d+\.(" + "|".join(_LAYER_PARTS) + "))")
_ARGUMENTS = {
    "n_vocab": "vocabulary_size",
    "d_model": "width",
    "nhead": "num_heads",
    "max_len": "max_length",
    "num_decoder_layers": "num_layers",
    "dim_feedforward": "feed_forward",
    "dropout": "dropout",
    "activation": "activation",
    "norm_first": "norm_first",
    "layer_norm_eps": "norm_eps",
    "bias": "other_biases",
}
_DEFAULTS = {
    "n_vocab": 30000,
    "d_model": 512,
    "nhead": 8,
    "max_len": 5000,
    "num_decoder_layers": 6,
    "dim_feedforward": 2048,
}  # of the published constructor; the paper's sizes, which are our defaults, are others
_FIXED = {"use_moe": False, "batch_first": True}
_WITHOUT_EFFECT = ("num_experts", "device", "dtype")


def rename(key: str) -> str:
    """Our name of an official key.

    Raises:
        WeightsError: the key belongs to no Text2midi network.
    """
    if _DECODER.fullmatch(key):
        return "network." + key
    for old, new in _PREFIXES.items():
        if key.startswith(old):
            return new + key.removeprefix(old)
    raise WeightsError(f"The entry {key!r} belongs to no published Text2midi network.")


def convert(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An official state dict in our names.

    T5 has its token embedding under two keys, of which published files may hold either one: both are filled.

    Raises:
        WeightsError: an entry is unknown.
    """
    ours = {rename(key): value for key, value in state.items()}
    shared, embedded = "text.model.shared.weight", "text.model.encoder.embed_tokens.weight"
    for one, other in ((shared, embedded), (embedded, shared)):
        if one in ours:
            ours.setdefault(other, ours[one])
    return ours


def arguments(official: Mapping[str, Any]) -> dict[str, Any]:
    """Our constructor arguments from those of the published `Transformer`; what is left out has its default there.

    Raises:
        WeightsError: an argument is unknown, or asks for something that the published code cannot sample from.
    """
    ours: dict[str, Any] = {"vocabulary": "remi", "quirks": "official"}
    for name, value in {**_DEFAULTS, **official}.items():
        if name in _ARGUMENTS:
            ours[_ARGUMENTS[name]] = value
        elif name in _FIXED:
            if value != _FIXED[name]:
                raise WeightsError(
                    f"Text2midi with {name}={value!r} is not supported; convert one with {_FIXED[name]!r}."
                )
        elif name not in _WITHOUT_EFFECT:
            raise WeightsError(f"The argument {name!r} belongs to no published Text2midi network.")
    return ours


def read(path: str | Path) -> dict[str, Tensor]:
    """Reads the published checkpoint file in our names.

    Raises:
        WeightsError: the file cannot be read safely, or holds no such network.
    """
    return convert(read_foreign(path))
