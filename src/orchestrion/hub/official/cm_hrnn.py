"""CM-HRNN's published variables and constructor arguments, in our names (guozixunnicolas/CM-HRNN, TensorFlow 1).

Matrices come as [inputs, outputs] and filters as [width, inputs, outputs]; a recurrent cell has one matrix for its
input and its state together.
"""

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
    "code": "https://github.com/guozixunnicolas/CM-HRNN",
    "arguments": {"mode_choice": "ad_rm2t_fc"},
}
"""No checkpoint is public; a user names one."""

MODES: dict[str, dict[str, Any]] = {
    "2t_fc": {"tiers": 2, "elapsed": False},
    "ad_rm2t_fc": {"tiers": 2, "elapsed": True},
    "3t_fc": {"tiers": 3, "elapsed": False, "residual": True},
    "ad_rm3t_fc": {"tiers": 3, "elapsed": True},
    "ad_rm3t_fc_rs": {"tiers": 3, "elapsed": True, "residual": True},
    "bln_attn_fc": {"tiers": 1, "elapsed": False, "attention": True},
    "bln_fc": {"tiers": 1, "elapsed": False},
}
RENAMED = {
    "dim": "width",
    "frame_size": "frame",
    "big_frame_size": "big_frame",
    "n_rnn": "num_layers",
    "seq_len": "window",
    "note_channel": "notes",
    "rhythm_channel": "durations",
    "chord_channel": "chords",
    "bar_channel": "bars",
    "alpha1": "note_weight",
    "alpha2": "duration_weight",
    "batch_size": "batch_size",
}
LINEAR = {
    "BIG_FRAME_RNN/upsample/upsample": "network.top.upsample",
    "FRAME_RNN/emb_frame_chunks/emb_frame_chunks": "network.middle.embed",
    "FRAME_RNN/upsample2/upsample2": "network.middle.upsample",
    "rhythm_weights1/rhythm_weights1": "network.heads.duration.0",
    "rhythm_weights2/rhythm_weights2": "network.heads.duration.2",
    "bar_weights/bar_weights": "network.heads.bar",
    "note_weights1/note_weights1": "network.heads.note.0",
    "note_weights2/note_weights2": "network.heads.note.2",
}
STACKS = {
    "BIG_FRAME_RNN": "network.top.layers",
    "FRAME_RNN": "network.middle.layers",
    "baseline": "network.flat",
}
ATTENTION = {"": "mix_in", "attention/": "query", "attn_output_projection/": "mix_out"}
_CELL = re.compile(
    r"(BIG_FRAME_RNN|FRAME_RNN|baseline)/rnn/(?:multi_rnn_cell/cell_(\d+)/)?(attention_cell_wrapper/)?(.+)"
)


def arguments(official: Mapping[str, Any]) -> dict[str, Any]:
    """Our constructor arguments from those of `CMHRNN`; what only the training or the graph needs is left out.

    Raises:
        WeightsError: the mode is unknown.
    """
    mode = official.get("mode_choice", "ad_rm2t_fc")
    if mode not in MODES:
        raise WeightsError(f"The published code has no network {mode!r}; it has {', '.join(MODES)}.")
    ours: dict[str, Any] = {**MODES[mode], "quirks": "official"}
    ours |= {RENAMED[name]: value for name, value in official.items() if name in RENAMED}
    if "rnn_type" in official:
        ours["kind"] = str(official["rnn_type"]).lower()
    if "drop_out" in official:
        ours["dropout"] = 1 - float(official["drop_out"])  # the published number is what is kept
    if "if_cond" in official:
        ours["conditional"] = official["if_cond"] == "cond"
    return ours


def convert(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Official variables in our names and layouts; what only the optimiser keeps is left out.

    Raises:
        WeightsError: a variable is unknown.
    """
    ours: dict[str, Tensor] = {}
    for full, value in state.items():
        key = full.removesuffix(":0")
        if re.search(r"(/Adam(_1)?|_power|/Momentum|/RMSProp(_1)?)$", key) or key == "global_step":
            continue
        if key == "sample_filter":
            ours["network.events.weight"] = value.permute(2, 1, 0).contiguous()
        elif (found := re.fullmatch(r"(.+)_([Wb])", key)) and found[1] in LINEAR:
            name, part = LINEAR[found[1]], found[2]
            ours[f"{name}.weight" if part == "W" else f"{name}.bias"] = value.T.contiguous() if part == "W" else value
        elif found := _CELL.fullmatch(key):
            stack, number, wrapped, rest = found.groups()
            _cell(ours, f"{STACKS[stack]}.layers.{number or 0}.", rest, value, bool(wrapped))
        else:
            raise WeightsError(f"The variable {full!r} belongs to no published CM-HRNN.")
    _split(ours)
    return ours


def _cell(ours: dict[str, Tensor], prefix: str, rest: str, value: Tensor, wrapped: bool) -> None:
    """One variable of a recurrent cell, which may lie inside a wrapper that attends."""
    inner = f"{prefix}cell." if wrapped else prefix
    lstm = re.fullmatch(r"(?:basic_)?lstm_cell/(kernel|bias)", rest)
    gru = re.fullmatch(r"gru_cell/(gates|candidate)/(kernel|bias)", rest)
    attention = re.fullmatch(r"(|attention/|attn_output_projection/)(kernel|bias)", rest) if wrapped else None
    if lstm:
        ours[f"{inner}lstm.{lstm[1]}"] = _reordered(value)
    elif gru:
        name = {"kernel": "weight", "bias": "bias"}[gru[2]]
        ours[f"{inner}{gru[1]}.{name}"] = _transposed(value)
    elif attention:
        name = {"kernel": "weight", "bias": "bias"}[attention[2]]
        ours[f"{prefix}{ATTENTION[attention[1]]}.{name}"] = _transposed(value)
    elif wrapped and rest == "attention/attn_w":
        ours[f"{prefix}key.weight"] = value[0, 0].T.contiguous()
    elif wrapped and rest == "attention/attn_v":
        ours[f"{prefix}score"] = value
    else:
        raise WeightsError(f"The variable {rest!r} belongs to no published recurrent cell.")


def _transposed(value: Tensor) -> Tensor:
    """A matrix from [inputs, outputs] to [outputs, inputs]; a bias as it is."""
    return value.T.contiguous() if value.ndim == 2 else value


def _reordered(value: Tensor) -> Tensor:
    """Gates from (input, candidate, forget, output) to (input, forget, candidate, output), along the last axis."""
    gate, candidate, forget, output = value.chunk(4, -1)
    return torch.cat([gate, forget, candidate, output], -1)


def _split(ours: dict[str, Tensor]) -> None:
    """The matrix of an LSTM as those of its input and of its state."""
    for name in [name for name in ours if name.endswith("lstm.kernel")]:
        kernel, prefix = ours.pop(name), name.removesuffix("lstm.kernel")
        width = kernel.shape[1] // 4
        ours[f"{prefix}to_inner.weight"] = kernel[:-width].T.contiguous()
        ours[f"{prefix}recur.weight"] = kernel[-width:].T.contiguous()
        ours[f"{prefix}to_inner.bias"] = ours.pop(f"{prefix}lstm.bias")


def read(path: str | Path) -> dict[str, Tensor]:
    """Reads a published checkpoint, saved as a state dict of its variables, in our names.

    Raises:
        WeightsError: the file cannot be read safely, or holds no such network.
    """
    held = read_foreign(path)
    return convert({str(key): value for key, value in held.items() if isinstance(value, Tensor)})
