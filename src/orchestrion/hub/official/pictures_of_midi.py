"""Checkpoints and configurations of k-diffusion's image_transformer_v2, in our names (Pictures of MIDI and others)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from orchestrion.errors import WeightsError
from orchestrion.hub.weights import read_foreign, read_weights
from orchestrion.nn.grid_attention import axial_frequencies

SOURCE = {
    "repository": "spaces/drscotthawley/PicturesOfMIDI",
    "file": "256_chords_00130000.pth",
    "licence": "MIT",
    "code": "https://github.com/crowsonkb/k-diffusion",
    "arguments": {},
}
"""The published model, at the sizes that the system has by default."""

ATTENTIONS = {
    "global": "global", "neighborhood": "neighborhood", "shifted-window": "shifted_window", "none": "none",
}  # fmt: skip
DENSITIES = {
    "lognormal": "log_normal",
    "loglogistic": "log_logistic",
    "loguniform": "log_uniform",
    "v-diffusion": "v_diffusion",
    "cosine": "v_diffusion",
    "split-lognormal": "split_log_normal",
    "cosine-interpolated": "cosine_interpolated",
}
WEIGHTINGS = {"karras": "uniform", "soft-min-snr": "soft_min_snr", "snr": "snr"}
PLAIN = {
    "input_channels": "channels",
    "patch_size": "patch_size",
    "widths": "widths",
    "depths": "depths",
    "mapping_width": "mapping_width",
    "mapping_depth": "mapping_depth",
    "mapping_dropout_rate": "mapping_dropout",
    "mapping_cond_dim": "condition_width",
    "sigma_data": "sigma_data",
    "sigma_min": "sigma_min",
    "sigma_max": "sigma_max",
    "loss_scales": "loss_scales",
    "augment_prob": "augment_share",
}
WITHOUT_EFFECT = ("skip_stages", "unet_cond_dim", "cross_cond_dim", "cross_attn_depths")
TOP = ("model", "dataset", "optimizer", "lr_sched", "ema_sched", "num_classes")

_NAMES = {
    r"patch_in\.proj\.weight": "patch_in.linear.weight",
    r"time_emb\.weight": "time_features.weight",
    r"time_in_proj\.weight": "time_in.weight",
    r"aug_emb\.weight": "augmentation_features.weight",
    r"aug_in_proj\.weight": "augmentation_in.weight",
    r"class_emb\.weight": "classes.weight",
    r"mapping_cond_in_proj\.weight": "vector_in.weight",
    r"mapping\.in_norm\.scale": "mapping.first_norm.scale",
    r"mapping\.out_norm\.scale": "mapping.last_norm.scale",
    r"mapping\.blocks\.(\d+)\.norm\.scale": r"mapping.norms.\1.scale",
    r"mapping\.blocks\.(\d+)\.(up|down)_proj\.weight": r"mapping.blocks.\1.\2.weight",
    r"merges\.(\d+)\.proj\.weight": r"merges.\1.linear.weight",
    r"splits\.(\d+)\.proj\.weight": r"splits.\1.linear.weight",
    r"splits\.(\d+)\.fac": r"splits.\1.share",
    r"out_norm\.scale": "out_norm.scale",
    r"patch_out\.proj\.weight": "patch_out.linear.weight",
}
_LAYER = re.compile(r"(?:(down|up)_levels\.(\d+)|mid_level)\.(\d+)\.(.+)")
_PARTS = {
    "self_attn.norm.linear.weight": "attention_norm.linear.weight",
    "self_attn.qkv_proj.weight": "attention.to_qkv.weight",
    "self_attn.scale": "attention.scale",
    "self_attn.out_proj.weight": "attention.to_out.weight",
    "ff.norm.linear.weight": "feed_norm.linear.weight",
    "ff.up_proj.weight": "feed.up.weight",
    "ff.down_proj.weight": "feed.down.weight",
}
FREQUENCIES = "self_attn.pos_emb.freqs"


def arguments(official: Mapping[str, Any]) -> dict[str, Any]:
    """Our constructor arguments from the official configuration.

    Args:
        official: {"config.model": …, "num_classes": …}, or a whole configuration ({"model": …, "dataset": …}).

    Raises:
        WeightsError: it is of another kind of network, or asks for something that this one has not.
    """
    if not official:
        return {"quirks": "official"}
    config = dict(official.get("config.model") or official.get("model") or {})
    num_classes = official.get("num_classes", official.get("dataset", {}).get("num_classes", 0))
    if config.pop("type", "image_transformer_v2") != "image_transformer_v2":
        raise WeightsError("The configuration is of another network than image_transformer_v2; it cannot be read.")
    if config.pop("has_variance", False) or config.pop("augment_wrapper", False):
        raise WeightsError("Networks with a variance or an augmentation wrapper are not read; take one without.")
    widths = config["widths"]
    mapping_width = config.get("mapping_width", 256)
    attentions = config.pop("self_attns", None) or [
        {"type": "global" if level == len(widths) - 1 else "neighborhood"} for level in range(len(widths))
    ]
    size = [int(side) for side in config.pop("input_size")]
    dropouts = config.pop("dropout_rate", None) or 0.0
    ours: dict[str, Any] = {
        "feed_forwards": tuple(config.pop("d_ffs", None) or [3 * width for width in widths]),
        "attentions": tuple(_attention(one["type"]) for one in attentions),
        "head_dims": tuple(one.get("d_head", 64) for one in attentions),
        "windows": tuple(_window(one) for one in attentions),
        "dropouts": tuple(dropouts) if isinstance(dropouts, list | tuple) else (dropouts,) * len(widths),
        "mapping_feed_forward": config.pop("mapping_d_ff", None) or 3 * mapping_width,
        "num_classes": num_classes + 1 if num_classes else 0,
        "pitches": size[0],
        "columns": size[1],
        "stacked": False,
        "lowest": 0,
        "quirks": "official",
    }
    if size[0] == size[1] == 256:  # the shape of the published pictures: 512 columns in two rows of 128 pitches
        ours |= {"pitches": 128, "columns": 512, "stacked": True}
    loss = config.pop("loss_config", "karras")
    weighting = config.pop("loss_weighting", "karras")
    if loss not in ("karras", "simple") or weighting not in WEIGHTINGS:
        raise WeightsError(f"The loss {loss!r} with weighting {weighting!r} belongs to no published configuration.")
    ours["weighting"] = WEIGHTINGS[weighting] if loss == "karras" else "snr"  # both weigh the error of ε alike
    density = config.pop("sigma_sample_density", {"type": "cosine-interpolated"})
    ours |= _density(dict(density), config, size)
    for name in config:
        if name not in PLAIN and name not in WITHOUT_EFFECT:
            raise WeightsError(f"The entry {name!r} belongs to no configuration of image_transformer_v2.")
    if loss == "simple":
        config.pop("loss_scales", None)
    plain = {PLAIN[name]: tuple(one) if isinstance(one, list) else one for name, one in config.items() if name in PLAIN}
    return {**ours, **plain}


def _attention(kind: str) -> str:
    if kind not in ATTENTIONS:
        raise WeightsError(f"The attention {kind!r} belongs to no configuration of image_transformer_v2.")
    return ATTENTIONS[kind]


def _window(attention: Mapping[str, Any]) -> int:
    return attention.get("window_size", attention.get("kernel_size", 7 if attention["type"] == "neighborhood" else 0))


def _density(density: dict[str, Any], config: Mapping[str, Any], size: list[int]) -> dict[str, Any]:
    """How levels are drawn, with what the published code fills in."""
    kind = density.pop("type")
    if kind not in DENSITIES:
        raise WeightsError(f"The density {kind!r} of noise levels belongs to no published configuration.")
    for old, new in (("mean", "loc"), ("std", "scale"), ("std_1", "scale_1"), ("std_2", "scale_2")):
        if old in density:
            density[new] = density.pop(old)
    low, high = config.get("sigma_min", 0.01), config.get("sigma_max", 160)
    filled: dict[str, Any] = {}
    if kind == "loglogistic":
        filled = {"loc": math.log(config.get("sigma_data", 1.0))}
    elif kind == "loguniform":
        filled = {"min_value": low, "max_value": high}
    elif kind in ("v-diffusion", "cosine"):
        filled = {"min_value": 1e-3, "max_value": 1e3}
    elif kind == "cosine-interpolated":
        side = max(size)
        filled = {"min_value": min(low, 1e-3), "max_value": max(high, 1e3), "image_d": side, "noise_d_low": 32}
        filled["noise_d_high"] = side
    return {"density": DENSITIES[kind], "density_options": {**filled, **density}}


def rename(key: str, levels: int) -> str | None:
    """Our name of an official key in a network of so many levels; None: a table that follows from the arguments.

    Raises:
        WeightsError: the key belongs to no such network.
    """
    key = re.sub(r"^(inner_model\.|module\.)+", "", key)
    if found := _LAYER.fullmatch(key):
        side, level, number, part = found.groups()
        if part == FREQUENCIES:
            return None
        if part in _PARTS:
            place = f"{side}.{level}" if side else f"down.{levels - 1}"
            return f"network.{place}.{number}.{_PARTS[part]}"
    for old, new in _NAMES.items():
        if re.fullmatch(old, key):
            return "network." + re.sub(old, new, key)
    raise WeightsError(f"The entry {key!r} belongs to no network of image_transformer_v2.")


def convert(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An official state dict in our names. The frequencies of positions, which are not learned, are compared with ours.

    Raises:
        WeightsError: an entry is unknown, or its frequencies are others.
    """
    levels = 1 + len({found[1] for key in state if (found := re.search(r"(?:^|\.)merges\.(\d+)\.", key))})
    ours = {}
    for key, value in state.items():
        name = rename(key, levels)
        if name is not None:
            ours[name] = value
        elif value.device.type != "meta":
            expected = axial_frequencies(value.shape[0], 8 * value.shape[1])
            if not torch.allclose(value.float(), expected, rtol=1e-3):
                raise WeightsError(f"The entry {key!r} has other frequencies than the published code; it is refused.")
    return ours


def read(path: str | Path) -> dict[str, Tensor]:
    """Reads a training checkpoint (its averaged weights) or an export in safetensors, in our names.

    Raises:
        WeightsError: the file cannot be read safely, or holds no such network.
    """
    if Path(path).suffix == ".safetensors":
        return convert(read_weights(Path(path)).tensors)
    held = read_foreign(path)
    return convert(held.get("model_ema", held))
