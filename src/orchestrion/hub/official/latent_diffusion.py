"""Names and constructor arguments of the U-Nets and autoencoders of latent diffusion, in ours.

As CompVis's code and its many heirs (AudioLDM, MusicLDM, Tango …) have them, and as diffusers has them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from orchestrion.errors import WeightsError

Arguments = Mapping[str, Any]
State = Mapping[str, Tensor]

_BLOCK = {
    "in_layers.0": "norm_in", "in_layers.2": "conv_in", "emb_layers.1": "embed", "out_layers.0": "norm_out",
    "out_layers.3": "conv_out", "skip_connection": "skip", "norm1": "norm_in", "conv1": "conv_in",
    "time_emb_proj": "embed", "norm2": "norm_out", "conv2": "conv_out", "conv_shortcut": "skip", "nin_shortcut": "skip",
}  # fmt: skip
_TRANSFORMER = {
    "proj_in": "to_tokens", "proj_out": "from_tokens", "attn1": "first", "attn2": "second", "norm1": "norm_first",
    "norm2": "norm_second", "norm3": "norm_feed_forward", "ff.net.0.proj": "feed_forward.expand",
    "ff.net.2": "feed_forward.contract",
}  # fmt: skip
_PARTS = {"to_q": 0, "to_k": 1, "to_v": 2, "q": 0, "k": 1, "v": 2, "query": 0, "key": 1, "value": 2}


def convert_unet(state: State, official: Arguments) -> dict[str, Tensor]:
    """The entries of a published U-Net in our names.

    Args:
        state: of `UNetModel` (CompVis) or `UNet2DConditionModel` (diffusers), without any prefix.
        official: its constructor arguments.

    Raises:
        WeightsError: an entry is unknown, or a part of attention is missing.
    """
    diffusers = "model_channels" not in official  # which CompVis's code demands
    context = bool((hub_unet_arguments if diffusers else unet_arguments)(official)["context_widths"])
    blocks = None if diffusers else int(official["num_res_blocks"])
    classes = official.get("class_embed_type") is None  # both kinds of embedding have one name in diffusers
    named = {}
    for key, value in state.items():
        place, rest = _hub_place(key, classes) if blocks is None else _place(key, blocks)
        if place is None:
            raise WeightsError(f"The entry {key!r} belongs to no published U-Net.")
        if ".attention." in place and rest.startswith("qkv."):
            value = _unfold_heads(value, place, official)
            named[f"{place}.to_{rest}"] = value
        elif ".attention." in place and not _is_transformer(state, key):
            named[f"{place}.{rest.replace('proj_out', 'to_out')}"] = value
        elif ".attention." in place:
            named[f"{place}.{_transformer_name(rest)}"] = value
        elif place.endswith("block") or rest.startswith(("in_layers", "emb_layers", "out_layers")):
            named[f"{place}.{_replaced(rest, _BLOCK)}"] = value
        else:
            named[f"{place}.{rest}" if place else rest] = value
    return fuse_attention(named, context=context)


def _is_transformer(state: State, key: str) -> bool:
    """Whether the entry is of a transformer rather than of plain attention."""
    stem = re.match(r"(.*?(?:attentions\.\d+|blocks\.\d+\.\d+|middle_block\.1))\.", key)
    return stem is not None and f"{stem[1]}.proj_in.weight" in state


def _place(key: str, blocks: int) -> tuple[str | None, str]:
    """Our module and what is left of a CompVis key."""
    for old, new in {
        "time_embed.": "time.", "film_emb.": "condition.", "label_emb.": "classes.", "input_blocks.0.0.": "first.",
        "out.0.": "norm.", "out.2.": "last.",
    }.items():  # fmt: skip
        if key.startswith(old):
            return "", new + key.removeprefix(old)
    if found := re.fullmatch(r"middle_block\.([012])\.(.+)", key):
        return ("middle.block", "middle.attention.0", "middle_block")[int(found[1])], found[2]
    found = re.fullmatch(r"(input|output)_blocks\.(\d+)\.(\d+)\.(.+)", key)
    if found is None:
        return None, key
    number, part, rest = int(found[2]) - (found[1] == "input"), int(found[3]), found[4]
    level, stage = divmod(number, blocks + 1)
    if found[1] == "input":
        if stage == blocks:
            return f"shrink.{level}", re.sub(r"^op\.", "conv.", rest)
        return (f"down.{level}.{stage}.block" if part == 0 else f"down.{level}.{stage}.attention.0"), rest
    if part == 0:
        return f"up.{level}.{stage}.block", rest
    if rest.startswith(("conv.", "in_layers.", "emb_layers.", "out_layers.")):
        return f"grow.{level}", rest
    return f"up.{level}.{stage}.attention.0", rest


def _hub_place(key: str, classes: bool) -> tuple[str | None, str]:
    """Our module and what is left of a diffusers key; `classes`: what joins the time are classes, not a vector."""
    for old, new in {
        "time_embedding.linear_1.": "time.0.", "time_embedding.linear_2.": "time.2.", "conv_in.": "first.",
        "class_embedding.": "classes." if classes else "condition.", "conv_norm_out.": "norm.", "conv_out.": "last.",
    }.items():  # fmt: skip
        if key.startswith(old):
            return "", new + key.removeprefix(old)
    if found := re.fullmatch(r"mid_block\.(resnets|attentions)\.([01])\.(.+)", key):
        if found[1] == "attentions":
            return "middle.attention.0", found[3]
        return ("middle.block" if found[2] == "0" else "middle_block"), found[3]
    if found := re.fullmatch(r"(down|up)_blocks\.(\d+)\.(resnets|attentions)\.(\d+)\.(.+)", key):
        kind = "block" if found[3] == "resnets" else "attention.0"
        return f"{found[1]}.{found[2]}.{found[4]}.{kind}", found[5]
    if found := re.fullmatch(r"(down|up)_blocks\.(\d+)\.(?:down|up)samplers\.0\.(.+)", key):
        return f"{'shrink' if found[1] == 'down' else 'grow'}.{found[2]}", found[3]
    return None, key


def _replaced(name: str, names: Mapping[str, str]) -> str:
    stem, _, ending = name.rpartition(".")
    return f"{names.get(stem, stem)}.{ending}"


def _transformer_name(rest: str) -> str:
    found = re.fullmatch(r"transformer_blocks\.(\d+)\.(.+)", rest)
    if found is None:
        return _replaced(rest, _TRANSFORMER)
    inner = found[2].replace("to_out.0.", "to_out.")
    head, dot, tail = inner.partition(".")
    if head in ("attn1", "attn2"):
        return f"blocks.{found[1]}.{_TRANSFORMER[head]}{dot}{tail}"
    return f"blocks.{found[1]}.{_replaced(inner, _TRANSFORMER)}"


def fuse_attention(named: State, *, context: bool = False) -> dict[str, Tensor]:
    """Queries, keys and values in one matrix (keys and values alone where the second attention has a context).

    1 × 1 convolutions of attention become matrices.

    Raises:
        WeightsError: one of the three is missing.
    """
    ours: dict[str, Tensor] = {}
    thirds: dict[tuple[str, str], dict[int, Tensor]] = {}
    for name, value in named.items():
        stem, _, kind = name.rpartition(".")
        module, _, last = stem.rpartition(".")
        attends = (".attention." in f".{name}" or ".middle.1." in f".{name}") and not last.startswith("conv_")
        value = value.flatten(1) if attends and value.ndim > 2 else value
        if last in _PARTS and attends:
            thirds.setdefault((module, kind), {})[_PARTS[last]] = value
        else:
            ours[name] = value
    for (module, kind), parts in thirds.items():
        if set(parts) != {0, 1, 2}:
            raise WeightsError(f"The checkpoint lacks query, key or value of {module}; it is not whole.")
        if context and module.endswith("second"):
            ours[f"{module}.to_q.{kind}"] = parts[0]
            ours[f"{module}.to_kv.{kind}"] = torch.cat([parts[1], parts[2]])
        else:
            ours[f"{module}.to_qkv.{kind}"] = torch.cat([parts[0], parts[1], parts[2]])
    return ours


def _unfold_heads(value: Tensor, place: str, official: Arguments) -> Tensor:
    """Plain attention of CompVis's code packs head by head (query, key, value of the first head, then of the next),
    unless its new order is asked for."""
    value = value.flatten(1) if value.ndim > 2 else value
    if official.get("use_new_attention_order"):
        return value
    count = value.shape[0] // 3
    width = official.get("num_head_channels", -1)
    heads = count // width if width != -1 else official["num_heads"]
    if place.startswith("up"):
        heads = _up_heads(official) or heads
    return value.unflatten(0, (heads, 3, -1)).transpose(0, 1).flatten(0, 2)


def _up_heads(official: Arguments) -> int | None:
    """Heads of plain attention on the way up of CompVis's code, where they differ."""
    # Without `legacy`, the width of a head is computed from `num_heads` and goes before any number of heads.
    if not official.get("legacy", True) or official.get("num_head_channels", -1) != -1:
        return None
    up = official.get("num_heads_upsample", -1)
    return None if up == -1 else up


def unet_arguments(official: Arguments) -> dict[str, Any]:
    """Arguments of our `UNet` from those of CompVis's `UNetModel`.

    Raises:
        WeightsError: the network predicts codes of a codebook, has one axis, or a level that attends is narrower than
            a head.
    """
    if official.get("n_embed") is not None:
        raise WeightsError("A U-Net that predicts codebook entries (n_embed) cannot be converted.")
    width = official["model_channels"]
    channels = [width * factor for factor in official.get("channel_mult", (1, 2, 4, 8))]
    head_width, heads = official.get("num_head_channels", -1), official.get("num_heads", -1)
    each = [heads if head_width == -1 else count // head_width for count in channels]
    attending = tuple(n for n in range(len(channels)) if 2**n in official["attention_resolutions"])
    if any(each[level] == 0 for level in (*attending, -1)):  # the middle attends at the last level's width
        raise WeightsError(f"Heads of width {head_width} do not fit into channels {channels}.")
    if official.get("dims", 2) not in (2, 3):
        raise WeightsError(f"A U-Net over {official['dims']} axes cannot be converted, only over 2 or 3.")
    film, transformer = official.get("extra_film_condition_dim"), official.get("use_spatial_transformer", False)
    context = official.get("context_dim") if film is None and not official.get("no_condition") else None
    up = None if transformer else _up_heads(official)
    if official.get("resblock_updown"):
        resample = "block"
    else:
        resample = "convolution" if official.get("conv_resample", True) else "plain"
    return {
        "in_channels": official["in_channels"],
        "out_channels": official["out_channels"],
        "width": width,
        "channels": tuple(channels),
        "blocks": official["num_res_blocks"],
        "attention_levels": attending,
        "num_heads": tuple(each),
        "head_width": head_width if transformer and head_width != -1 and not official.get("legacy", True) else None,
        "attention": "transformer" if transformer else "plain",
        "depth": official.get("transformer_depth", 1),
        "context_widths": tuple(_listed(context)) if transformer else (),
        "condition_width": film,
        "condition_by": "concatenation" if official.get("extra_film_use_concat") else "addition",
        "num_classes": official.get("num_classes"),
        "scale_shift": official.get("use_scale_shift_norm", False),
        "resample": resample,
        "up_heads": None if up is None else (up,) * len(channels),
        "dropout": float(official.get("dropout", 0)),
        "dims": official.get("dims", 2),
    }


def _listed(value: Any) -> Sequence[Any]:
    return () if value is None else list(value) if isinstance(value, Iterable) else [value]


_HUB_FIXED = {
    "center_input_sample": False, "flip_sin_to_cos": True, "freq_shift": 0, "only_cross_attention": False,
    "downsample_padding": 1, "mid_block_type": "UNetMidBlock2DCrossAttn", "mid_block_scale_factor": 1,
    "dual_cross_attention": False, "addition_embed_type": None, "encoder_hid_dim": None,
    "resnet_skip_time_act": False, "resnet_out_scale_factor": 1.0, "time_embedding_type": "positional",
    "time_embedding_dim": None, "time_cond_proj_dim": None, "conv_in_kernel": 3, "conv_out_kernel": 3,
    "attention_type": "default", "mid_block_only_cross_attention": None, "cross_attention_norm": None,
    "timestep_post_act": None, "time_embedding_act_fn": None, "encoder_hid_dim_type": None,
}  # fmt: skip


_SILU = ("silu", "swish")
"""Names of one activation in diffusers."""


def hub_unet_arguments(official: Arguments) -> dict[str, Any]:
    """Arguments of our `UNet` from those of diffusers' `UNet2DConditionModel`.

    What diffusers calls `attention_head_dim` is the number of heads.

    Raises:
        WeightsError: the network has something that ours lacks.
    """
    for name, known in _HUB_FIXED.items():
        if official.get(name, known) != known:
            raise WeightsError(f"A U-Net with {name} = {official[name]!r} cannot be converted, only with {known!r}.")
    if official.get("act_fn", "silu") not in _SILU:
        raise WeightsError(f"A U-Net with the activation {official['act_fn']!r} cannot be converted.")
    channels = tuple(official.get("block_out_channels", (320, 640, 1280, 1280)))
    count = len(channels)
    down = tuple(official.get("down_block_types", ("CrossAttnDownBlock2D",) * (count - 1) + ("DownBlock2D",)))
    attends = tuple(n for n, kind in enumerate(down) if kind.startswith("CrossAttn"))
    layers = _same("layers_per_block", official.get("layers_per_block", 2))
    heads = official.get("num_attention_heads") or official.get("attention_head_dim", 8)
    cross = official.get("cross_attention_dim", 1280)
    contexts: tuple[int, ...] = ()
    if not isinstance(cross, Iterable):
        contexts = (cross,)
    elif tuple(cross) != channels:
        contexts = (_same("cross_attention_dim", cross),)
    embed = official.get("class_embed_type")
    if embed not in (None, "simple_projection"):
        raise WeightsError(f"A U-Net with class_embed_type = {embed!r} cannot be converted.")
    return {
        "in_channels": official.get("in_channels", 4),
        "out_channels": official.get("out_channels", 4),
        "width": channels[0],
        "channels": channels,
        "blocks": layers,
        "attention_levels": attends,
        "num_heads": tuple(heads) if isinstance(heads, Iterable) else (heads,) * count,
        "depth": _same("transformer_layers_per_block", official.get("transformer_layers_per_block", 1)),
        "context_widths": contexts,
        "condition_width": official.get("projection_class_embeddings_input_dim") if embed else None,
        "condition_by": "concatenation" if official.get("class_embeddings_concat") else "addition",
        "num_classes": None if embed else official.get("num_class_embeds"),
        "scale_shift": official.get("resnet_time_scale_shift", "default") == "scale_shift",
        "dropout": float(official.get("dropout", 0.0)),
        "groups": official.get("norm_num_groups", 32),
        "eps": official.get("norm_eps", 1e-5),
    }


def _same(name: str, value: Any) -> int:
    found = set(value) if isinstance(value, Iterable) else {value}
    if len(found) != 1:
        raise WeightsError(f"A U-Net with {name} = {value!r} cannot be converted, only with one value for all levels.")
    return int(found.pop())


def convert_vae(state: State, official: Arguments) -> dict[str, Tensor]:
    """The entries of a published autoencoder in our names; those of its loss are left out.

    Args:
        state: of `AutoencoderKL` of CompVis's code or of diffusers, without any prefix.
        official: its constructor arguments (or its `ddconfig` alone).

    Raises:
        WeightsError: an entry is unknown, or a part of attention is missing.
    """
    sizes = official.get("ddconfig", official)
    compvis = "ch" in sizes  # which CompVis's code demands
    levels = len(sizes.get("ch_mult", (1, 2, 4, 8)) if compvis else sizes.get("block_out_channels", (64,)))
    long = set(sizes.get("downsample_time_stride4_levels", ()))
    attends = sizes.get("attn_type", "vanilla") != "none" and sizes.get("mid_block_add_attention", True)
    named: dict[str, Tensor] = {}
    for key, value in state.items():
        if key.startswith(("loss.", "vocoder.")):
            continue
        name = _vae_name(key, levels, long, attends)
        if name is None:
            raise WeightsError(f"The entry {key!r} belongs to no published autoencoder.")
        named[name] = value
    return fuse_attention(named)


def _vae_name(key: str, levels: int, long: set[int], attends: bool) -> str | None:
    for old, new in {"quant_conv.": "to_moments.", "post_quant_conv.": "from_latents."}.items():
        if key.startswith(old):
            return new + key.removeprefix(old)
    found = re.fullmatch(r"(encoder|decoder)\.(.+)", key)
    if found is None:
        return None
    side, rest = found[1], found[2]
    for old, new in {
        "conv_in.": "first.",
        "norm_out.": "norm.",
        "conv_norm_out.": "norm.",
        "conv_out.": "last.",
    }.items():
        if rest.startswith(old):
            return f"{side}.{new}{rest.removeprefix(old)}"
    second = 2 if attends else 1
    if found := re.fullmatch(r"mid(?:_block)?\.(block_|resnets\.)(\d)\.(.+)", rest):
        first = found[2] == ("1" if found[1] == "block_" else "0")
        return f"{side}.middle.{0 if first else second}.{_replaced(found[3], _BLOCK)}"
    if found := re.fullmatch(r"mid(?:_block)?\.(?:attn_1|attentions\.0)\.(.+)", rest):
        return f"{side}.middle.1.{_attention_name(found[1])}"
    found = re.fullmatch(r"(?:down|up)(_blocks)?\.(\d+)\.(block|resnets|attn|attentions|\w+sample\w*)\.(.+)", rest)
    if found is None:
        return None
    level = int(found[2])
    finest = level if side == "encoder" or found[1] is None else levels - 1 - level  # as CompVis counts
    place = f"{side}.levels.{finest if side == 'encoder' else levels - 1 - finest}"
    if found[3] in ("block", "resnets", "attn", "attentions"):
        number, _, inner = found[4].partition(".")
        if found[3] in ("block", "resnets"):
            return f"{place}.blocks.{number}.{_replaced(inner, _BLOCK)}"
        return f"{place}.attention.{number}.{_attention_name(inner)}"
    kind = found[4].rpartition(".")[2]
    is_long = (finest if side == "encoder" else finest - 1) in long
    return f"{place}.change.layer.{kind}" if is_long else f"{place}.change.layer.conv.{kind}"


def _attention_name(rest: str) -> str:
    names = {"group_norm": "norm", "proj_out": "to_out", "to_out.0": "to_out", "proj_attn": "to_out"}
    return _replaced(rest, names)


def vae_arguments(official: Arguments) -> dict[str, Any]:
    """Arguments of our `MelVae` from those of CompVis's `AutoencoderKL` (or its `ddconfig` alone).

    Raises:
        WeightsError: the autoencoder has something that ours lacks.
    """
    sizes = official.get("ddconfig", official)
    kind = "linear" if sizes.get("use_linear_attn") else sizes.get("attn_type", "vanilla")
    if kind == "linear" or sizes.get("give_pre_end") or not sizes.get("double_z", True):
        raise WeightsError(
            "An autoencoder with linear attention, without its last layer or without variances cannot be converted."
        )
    channels = tuple(sizes["ch"] * factor for factor in sizes.get("ch_mult", (1, 2, 4, 8)))
    at = sizes.get("attn_resolutions", ())
    return {
        "width": sizes["ch"],
        "channels": channels,
        "blocks": sizes["num_res_blocks"],
        "z_channels": sizes["z_channels"],
        "latent_channels": official.get("embed_dim"),
        "in_channels": sizes["in_channels"],
        "out_channels": sizes["out_ch"],
        "attention_levels": tuple(
            n for n in range(len(channels)) if kind != "none" and sizes["resolution"] // 2**n in at
        ),
        "middle_attention": kind != "none",
        "long_levels": tuple(sizes.get("downsample_time_stride4_levels", ())),
        "learned_resampling": sizes.get("resamp_with_conv", True),
        "dropout": float(sizes.get("dropout", 0.0)),
        "bounded": sizes.get("tanh_out", False),
    }


def hub_vae_arguments(official: Arguments) -> dict[str, Any]:
    """Arguments of our `MelVae` from those of diffusers' `AutoencoderKL`.

    Raises:
        WeightsError: the autoencoder has something that ours lacks.
    """
    if official.get("act_fn", "silu") not in _SILU:
        raise WeightsError(f"An autoencoder with the activation {official['act_fn']!r} cannot be converted.")
    if official.get("use_quant_conv", True) != official.get("use_post_quant_conv", True):
        raise WeightsError("An autoencoder with a projection on one side of its latents only cannot be converted.")
    channels = tuple(official.get("block_out_channels", (64,)))
    kinds = official.get("down_block_types", ("DownEncoderBlock2D",) * len(channels))
    return {
        "width": channels[0],
        "channels": channels,
        "blocks": official.get("layers_per_block", 1),
        "z_channels": official.get("latent_channels", 4),
        "in_channels": official.get("in_channels", 3),
        "out_channels": official.get("out_channels", 3),
        "attention_levels": tuple(n for n, kind in enumerate(kinds) if kind.startswith("Attn")),
        "middle_attention": official.get("mid_block_add_attention", True),
        "groups": official.get("norm_num_groups", 32),
        "projections": official.get("use_quant_conv", True),
    }
