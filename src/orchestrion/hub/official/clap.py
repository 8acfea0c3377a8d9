"""LAION's published CLAP checkpoints in the names of transformers' `ClapModel`."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from orchestrion.errors import WeightsError

_AUDIO = {
    "bn0": "batch_norm", "norm1": "layernorm_before", "norm2": "layernorm_after", "attn.proj": "attention.output.dense",
    "mlp.fc1": "intermediate.dense", "mlp.fc2": "output.dense",
    "attn.relative_position_bias_table": "attention.self.relative_position_bias_table",
    "attn.relative_position_index": "attention.self.relative_position_index",
}  # fmt: skip
UNUSED = re.compile(
    r"(audio|text)_transform\.|audio_branch\.(spectrogram_extractor|logmel_extractor|tscam_conv|head|.*attn_mask$)"
)
"""Entries that no embedding depends on: heads of classification, further projections, tables that are computed."""


def convert_clap(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries of a LAION checkpoint (HTSAT and RoBERTa; with or without the prefix "module.") in transformers'
    names; what is in those names already stays.

    Raises:
        WeightsError: an entry is unknown.
    """
    ours: dict[str, Tensor] = {}
    for key, value in state.items():
        key = key.removeprefix("module.")
        if key.startswith(("audio_model.", "text_model.")) or ".linear" in key or UNUSED.match(key):
            if not UNUSED.match(key):
                ours[key] = value
        elif key in ("logit_scale_a", "logit_scale_t"):
            ours[key] = value
        elif found := re.fullmatch(r"(audio|text)_projection\.([02])\.(weight|bias)", key):
            ours[f"{found[1]}_projection.linear{1 if found[2] == '0' else 2}.{found[3]}"] = value
        elif key.startswith("text_branch."):
            ours["text_model." + key.removeprefix("text_branch.")] = value
        elif key.startswith("audio_branch."):
            _add_audio(ours, key.removeprefix("audio_branch."), value)
        else:
            raise WeightsError(f"The entry {key!r} belongs to no published CLAP.")
    return ours


def _add_audio(ours: dict[str, Tensor], rest: str, value: Tensor) -> None:
    prefix = "audio_model.audio_encoder."
    found = re.fullmatch(r"(layers\.\d+\.blocks\.\d+\.)(.+)", rest)
    if found is None:
        stem, dot, kind = rest.rpartition(".")
        ours[prefix + _AUDIO.get(stem, stem) + dot + kind] = value
        return
    block, inner = prefix + found[1], found[2]
    if part := re.fullmatch(r"attn\.qkv\.(weight|bias)", inner):
        for name, third in zip(("query", "key", "value"), torch.chunk(value, 3), strict=True):
            ours[f"{block}attention.self.{name}.{part[1]}"] = third
    elif inner in _AUDIO:
        ours[block + _AUDIO[inner]] = value
    else:
        stem, dot, kind = inner.rpartition(".")
        ours[block + _AUDIO.get(stem, stem) + dot + kind] = value
