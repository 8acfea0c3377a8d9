"""Published codecs of sound in our names: EnCodec and AudioCraft's SEANet, DAC, X-Codec, Vocos, Oobleck, and also
AudioCraft's streaming transformer.

`*_arguments` give the arguments of our classes from the official ones, `convert_*` our entries from official ones.
Split weights (weight norm) stay split, in torch's present names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import ceil, prod
from typing import Any

from torch import Tensor

from orchestrion.errors import WeightsError

State = Mapping[str, Tensor]
_BOOK = {"embed": "table", "embed_avg": "sums", "cluster_size": "counts", "inited": "started"}
_SPLIT = {"weight_g": "parametrizations.weight.original0", "weight_v": "parametrizations.weight.original1"}


def _converted(
    state: State, name: Callable[[str], str | None], system: str, *, unused: str = r"(?!)"
) -> dict[str, Tensor]:
    """Every entry under its new name; periodic activations as columns.

    Raises:
        WeightsError: an entry has no place.
    """
    ours = {}
    for key, value in state.items():
        if re.match(unused, key):
            continue
        new = name(key)
        if new is None:
            raise WeightsError(f"The entry {key!r} belongs to no published {system}.")
        ours[new] = value.reshape(-1, 1) if new.endswith((".alpha", ".beta")) else value
    return ours


def _leaf(name: str) -> str:
    return _SPLIT.get(name, name)


def _reject(official: Mapping[str, Any], wanted: Mapping[str, Any], system: str) -> None:
    for name, values in wanted.items():
        if official.get(name, values[0]) not in values:
            raise WeightsError(f"{system} with {name}={official[name]!r} cannot be converted; only {values} can.")


# EnCodec and SEANet -----------------------------------------------------------------------------------------------


_LEFT_OUT = {  # what SEANet's classes take where nothing is said
    "encodec": {"n_residual_layers": 1, "norm": "weight_norm", "true_skip": False, "lstm": 2},
    "audiocraft": {"n_residual_layers": 3, "norm": "none", "true_skip": True, "lstm": 0},
}


def seanet_arguments(official: Mapping[str, Any], *, decoder: bool, package: str = "encodec") -> dict[str, Any]:
    """Of our `SeanetEncoder` or `SeanetDecoder`, from those of AudioCraft's or EnCodec's classes.

    Args:
        package: "encodec" or "audiocraft", whose classes differ in what they take for arguments that are left out.

    Raises:
        WeightsError: an option has a value that no published model has, or there is no such package.
    """
    if package not in _LEFT_OUT:
        raise WeightsError(f"There is no package {package!r} with a SEANet; choose one of {', '.join(_LEFT_OUT)}.")
    official = {**_LEFT_OUT[package], **official}
    norm = official["norm"]
    norm_options = dict(official.get("norm_params") or {}) if norm == "time_group_norm" else {}
    if package == "encodec" and norm == "time_layer_norm":
        norm = "none"  # as there: the name is known, but no norm is made for it
    _reject(official, {"activation": ("ELU",), "final_activation": (None, "Tanh")}, "SEANet")
    ours = {
        "channels": official.get("channels", 1),
        "dimension": official.get("dimension", 128),
        "filters": official.get("n_filters", 32),
        "ratios": tuple(official.get("ratios", (8, 5, 4, 2))),
        "units": official["n_residual_layers"],
        "kernel_size": official.get("kernel_size", 7),
        "last_kernel_size": official.get("last_kernel_size", 7),
        "unit_kernel_size": official.get("residual_kernel_size", 3),
        "dilation_base": official.get("dilation_base", 2),
        "lstm": official["lstm"],
        "compress": official.get("compress", 2),
        "identity": official["true_skip"],
        "causal": official.get("causal", False),
        "norm": norm,
        "norm_eps": float(norm_options.pop("eps", 1e-5)),
        "norm_affine": norm_options.pop("affine", True),
        "pad_mode": official.get("pad_mode", "reflect"),
        "plain_outer": official.get("disable_norm_outer_blocks", 0),
        "alpha": float((official.get("activation_params") or {}).get("alpha", 1.0)),
    }
    if norm_options:
        raise WeightsError(
            f"SEANet with norm_params {sorted(norm_options)} cannot be converted; only eps and affine can."
        )
    if decoder:
        ours |= {
            "trim_right": float(official.get("trim_right_ratio", 1.0)),
            "tanh": official.get("final_activation") == "Tanh",
        }
    return ours


def encodec_arguments(official: Mapping[str, Any]) -> dict[str, Any]:
    """Of our `Encodec`, but for the networks, from those of EnCodec's model and quantiser."""
    networks, quantizer = official["encoder and decoder"], official["quantizer"]
    ratios = tuple(networks.get("ratios", (8, 5, 4, 2)))
    return {
        "dimension": networks.get("dimension", 128),
        "books": quantizer.get("n_q", 8),
        "size": quantizer.get("bins", 1024),
        "sound_channels": networks.get("channels", 1),
        "sample_rate": official["sample_rate"],
        "ratios": ratios,
        "bandwidths": tuple(float(bandwidth) for bandwidth in official["target_bandwidths"]),
        "normalize": bool(official.get("normalize", False)),
        "segment_seconds": official.get("segment"),
        "overlap": float(official.get("overlap", 0.01)),
        "dead_below": float(quantizer.get("threshold_ema_dead_code", 2)),
        "quirks": "official",
    }


def _seanet(key: str) -> str | None:
    found = re.fullmatch(r"(encoder|decoder)\.model\.(\d+)\.(.+)", key)
    if found is None:
        return None
    rest = found[3]
    if part := re.fullmatch(r"(conv|convtr)\.\1\.(\w+)", rest):
        rest = f"conv.{_leaf(part[2])}"
    elif part := re.fullmatch(r"(?:conv|convtr)\.norm\.(weight|bias)", rest):
        rest = f"norm.{part[1]}"
    elif part := re.fullmatch(r"(block\.\d+|shortcut)\.conv\.(conv|norm)\.(\w+)", rest):
        rest = f"{part[1].replace('block', 'body')}.{part[2]}.{_leaf(part[3])}"
    elif not rest.startswith("lstm."):
        return None
    return f"{found[1]}.net.{found[2]}.{rest}"


def _residual_quantizer(key: str) -> str | None:
    if found := re.fullmatch(r"quantizer\.vq\.layers\.(\d+)\._codebook\.(\w+)", key):
        return f"quantizer.books.{found[1]}.{_BOOK[found[2]]}" if found[2] in _BOOK else None
    if found := re.fullmatch(r"quantizer\.vq\.layers\.(\d+)\.project_(in|out)\.(weight|bias)", key):
        return f"quantizer.{'into' if found[2] == 'in' else 'out'}.{found[1]}.{found[3]}"
    return None


def convert_encodec(state: State) -> dict[str, Tensor]:
    """EnCodec's model, or SEANet's encoder and decoder alone.

    Raises:
        WeightsError: an entry is unknown.
    """
    return _converted(state, lambda key: _seanet(key) or _residual_quantizer(key), "EnCodec")


# DAC ----------------------------------------------------------------------------------------------------------------


def dac_arguments(official: Mapping[str, Any]) -> dict[str, Any]:
    """Of our `Dac`, from those of the published class."""
    return {
        "encoder_width": official.get("encoder_dim", 64),
        "strides": tuple(official.get("encoder_rates", (2, 4, 8, 8))),
        "decoder_width": official.get("decoder_dim", 1536),
        "rates": tuple(official.get("decoder_rates", (8, 8, 4, 2))),
        "latent": official.get("latent_dim"),
        "books": official.get("n_codebooks", 9),
        "size": official.get("codebook_size", 1024),
        "code_dim": official.get("codebook_dim", 8),
        "dropout": float(official.get("quantizer_dropout", 0.0)),
        "sample_rate": official.get("sample_rate", 44100),
    }


def _nested(key: str, prefix: str, ours: str, level: str) -> str | None:
    """The entry of a network of levels of units: up to three numbers, each below its own `level`."""
    found = re.fullmatch(rf"{prefix}\.(\d+)(?:\.{level}\.(\d+))?(?:\.{level}\.(\d+))?\.(\w+)", key)
    if found is None:
        return None
    path = [found[1], *([found[2]] if found[2] else []), *(["body", found[3]] if found[3] else [])]
    return ".".join([ours, "net", *path, _leaf(found[4])])


def _dac(key: str) -> str | None:
    if found := re.fullmatch(r"quantizer\.quantizers\.(\d+)\.(in_proj|out_proj)\.(\w+)", key):
        return f"quantizer.stages.{found[1]}.{'into' if found[2] == 'in_proj' else 'out'}.{_leaf(found[3])}"
    if found := re.fullmatch(r"quantizer\.quantizers\.(\d+)\.codebook\.weight", key):
        return f"quantizer.stages.{found[1]}.table"
    return _nested(key, r"encoder\.block", "encoder", "block") or _nested(key, r"decoder\.model", "decoder", "block")


def convert_dac(state: State) -> dict[str, Tensor]:
    """DAC's model.

    Raises:
        WeightsError: an entry is unknown.
    """
    return _converted(state, _dac, "DAC")


# Oobleck ------------------------------------------------------------------------------------------------------------


def oobleck_arguments(encoder: Mapping[str, Any], decoder: Mapping[str, Any]) -> dict[str, Any]:
    """Of our `Oobleck`, from those of the published encoder and decoder.

    Raises:
        WeightsError: both differ in strides or latents, or an option has a value that is not converted.
    """
    plain = {"antialias_activation": (False,), "use_nearest_upsample": (False,)}
    _reject(encoder, plain, "Oobleck")
    _reject(decoder, plain, "Oobleck")
    latent, into, back = decoder.get("latent_dim", 32), _oobleck_part(encoder), _oobleck_part(decoder)
    if into["strides"] != back.pop("strides") or encoder.get("latent_dim", 32) != 2 * latent:
        raise WeightsError("Encoder and decoder of this Oobleck do not mirror one another, so it cannot be converted.")
    return {
        **into,
        **{f"decoder_{name}": value for name, value in back.items()},
        "sound_channels": encoder.get("in_channels", 2),
        "out_channels": decoder.get("out_channels", 2),
        "latent": latent,
        "tanh": decoder.get("final_tanh", True),
    }


def _oobleck_part(official: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "width": official.get("channels", 128),
        "multipliers": tuple(official.get("c_mults", (1, 2, 4, 8))),
        "strides": tuple(official.get("strides", (2, 4, 8, 8))),
        "act": "snake_beta" if official.get("use_snake", False) else "elu",
    }


def convert_oobleck(state: State) -> dict[str, Tensor]:
    """The published autoencoder, with or without the prefix of a diffusion model.

    Raises:
        WeightsError: an entry is unknown.
    """

    def name(key: str) -> str | None:
        key = key.removeprefix("pretransform.model.")
        parts = (_nested(key, rf"{part}\.layers", part, "layers") for part in ("encoder", "decoder"))
        return next((found for found in parts if found), None)

    return _converted(state, name, "Oobleck")


# Vocos --------------------------------------------------------------------------------------------------------------


def vocos_arguments(backbone: Mapping[str, Any], head: Mapping[str, Any]) -> dict[str, Any]:
    """Of our `Vocos`, from those of the published backbone and head."""
    return {
        "in_channels": backbone["input_channels"],
        "width": backbone["dim"],
        "hidden": backbone["intermediate_dim"],
        "layers": backbone["num_layers"],
        "conditions": backbone.get("adanorm_num_embeddings") or 0,
        "scale": float(backbone.get("layer_scale_init_value") or 1 / backbone["num_layers"]),  # 0 as well is none
        "n_fft": head["n_fft"],
        "hop_length": head["hop_length"],
        "padding": head.get("padding", "same"),
    }


_CONVNEXT = {"dwconv": "depthwise", "pwconv1": "widen", "pwconv2": "narrow", "norm": "norm"}
_GAINS = {"scale.weight": "gain.weight", "shift.weight": "shift.weight"}


def _vocos(key: str) -> str | None:
    if found := re.fullmatch(r"backbone\.(embed|norm|final_layer_norm)\.(.+)", key):
        part = "last_norm" if found[1] == "final_layer_norm" else found[1]
        return f"backbone.{part}.{_GAINS.get(found[2], found[2])}"
    if found := re.fullmatch(r"backbone\.convnext\.(\d+)\.gamma", key):
        return f"backbone.blocks.{found[1]}.scale"
    if found := re.fullmatch(r"backbone\.convnext\.(\d+)\.(\w+)\.(.+)", key):
        part = _CONVNEXT.get(found[2])
        return part and f"backbone.blocks.{found[1]}.{part}.{_GAINS.get(found[3], found[3])}"
    return key if key in ("head.out.weight", "head.out.bias") else None


def convert_vocos(state: State) -> dict[str, Tensor]:
    """Vocos' backbone and head; the window, which is computed, and the feature extractor are left out.

    Raises:
        WeightsError: an entry is unknown.
    """
    return _converted(state, _vocos, "Vocos", unused=r"head\.istft\.window$|feature_extractor\.")


# X-Codec ------------------------------------------------------------------------------------------------------------


def xcodec_arguments(
    official: Mapping[str, Any], *, encoder_width: int = 64, decoder_width: int = 1024, semantic_width: int = 768
) -> dict[str, Any]:
    """Of our `XCodec`, but for the speech model, from those of the published class and the sizes that it writes out as
    numbers."""
    ratios = tuple(official.get("ratios", (8, 5, 4, 2)))
    rate = official.get("sample_rate", 16000)
    bandwidths = tuple(float(bandwidth) for bandwidth in official.get("target_bandwidths", (1, 1.5, 2, 4, 6)))
    return {
        "encoder_width": encoder_width,
        "strides": ratios,
        "latent": official.get("D", 128),
        "decoder_width": decoder_width,
        "semantic_width": semantic_width,
        # as published: 10 bits a code, whatever the size of the books
        "books": int(1000 * bandwidths[-1] // (ceil(rate / prod(ratios)) * 10)),
        "size": official.get("bins", 1024),
        "bandwidths": bandwidths,
        "sample_rate": rate,
        "quirks": "xcodec",
    }


def _xcodec(units: int) -> Callable[[str], str | None]:
    lines = {"fc_prior": "join", "fc_post1": "to_features", "fc_post2": "to_latent"}

    def name(key: str) -> str | None:
        if key.startswith("semantic_model."):
            stem, _, leaf = key.removeprefix("semantic_model.").rpartition(".")
            return f"semantic.{stem}.{_leaf(leaf)}" if stem else f"semantic.{leaf}"
        if found := re.fullmatch(r"(fc_\w+)\.(weight|bias)", key):
            return f"{lines[found[1]]}.{found[2]}" if found[1] in lines else None
        if found := re.fullmatch(r"(encoder|decoder)_semantic\.(conv|conv1|conv2)\.conv\.(weight|bias)", key):
            return f"feature_{found[1]}.{'last' if found[2] == 'conv2' else 'first'}.{found[3]}"
        if found := re.fullmatch(r"(encoder|decoder)_semantic\.conv_blocks\.(\d+)\.conv\.conv\.(weight|bias)", key):
            return f"feature_{found[1]}.blocks.{found[2]}.{units if found[1] == 'encoder' else 0}.{found[3]}"
        if found := re.fullmatch(
            r"(encoder|decoder)_semantic\.conv_blocks\.(\d+)\.res_units\.(\d+)\.(conv1\.conv|conv2)\.weight", key
        ):
            unit = int(found[3]) + (found[1] == "decoder")
            part = 1 if found[4] == "conv1.conv" else 3
            return f"feature_{found[1]}.blocks.{found[2]}.{unit}.body.{part}.weight"
        return (
            _nested(key, r"encoder\.block", "encoder", "block")
            or _nested(key, r"decoder_2\.model", "decoder", "block")
            or _residual_quantizer(key)
        )

    return name


def convert_xcodec(state: State) -> dict[str, Tensor]:
    """X-Codec with its speech model.

    Raises:
        WeightsError: an entry is unknown.
    """
    listed = [re.search(r"encoder_semantic\..*res_units\.(\d+)", key) for key in state]
    units = 1 + max((int(found[1]) for found in listed if found), default=1)
    return _converted(state, _xcodec(units), "X-Codec")


# Streaming transformer ----------------------------------------------------------------------------------------------


def transformer_arguments(official: Mapping[str, Any]) -> dict[str, Any]:
    """Of our `StreamingTransformer`, from those of AudioCraft's.

    Raises:
        WeightsError: an option has a value that is not converted.
    """
    _reject(official, {"activation": ("relu", "gelu", "silu")}, "A streaming transformer")
    shared, own = float(official.get("dropout", 0.1)), official.get("attention_dropout")
    return {
        "width": official["d_model"],
        "heads": official["num_heads"],
        "layers": official["num_layers"],
        "hidden": official.get("dim_feedforward", 2048),
        "causal": official.get("causal", False),
        # the memory-efficient attention of the published code is causal, but forgets its limit
        "past": None if official.get("memory_efficient", False) else official.get("past_context"),
        "repeat": official.get("kv_repeat", 1),
        "positions": official.get("positional_embedding", "sin"),
        "period": float(official.get("max_period", 10000)),
        "position_scale": float(official.get("positional_scale", 1.0)),
        "xpos": official.get("xpos", False),
        "cross": official.get("cross_attention", False),
        "attention_bias": official.get("bias_attn", True),
        "linear_bias": official.get("bias_ff", True),
        "norm_first": official.get("norm_first", False),
        "norm_queries": official.get("qk_layer_norm", False),
        "norm_cross_queries": official.get("qk_layer_norm_cross", False),
        "layer_scale": None if official.get("layer_scale") is None else float(official["layer_scale"]),
        "activation": official.get("activation", "relu"),
        "dropout": shared,
        "attention_dropout": shared if own is None else float(own),
    }


_PARTS = {"layer_scale_1": "scale1", "layer_scale_2": "scale2", "layer_scale_cross": "scale_cross"}


def convert_transformer(state: State) -> dict[str, Tensor]:
    """AudioCraft's streaming transformer; rates of positions, which are computed, are left out.

    Raises:
        WeightsError: an entry is unknown.
    """

    def name(key: str) -> str | None:
        found = re.fullmatch(r"(layers\.\d+)\.(\w+)\.(.+)", key)
        if found is None:
            return None
        part, rest = found[2], found[3]
        if part in ("self_attn", "cross_attention"):
            rest = rest.replace("q_layer_norm", "q_norm").replace("k_layer_norm", "k_norm").removeprefix("mha.")
            return f"{found[1]}.{'self_attention' if part == 'self_attn' else part}.{rest}"
        known = part in _PARTS or re.fullmatch(r"linear[12]|norm[12]|norm_cross", part)
        return f"{found[1]}.{_PARTS.get(part, part)}.{rest}" if known else None

    return _converted(state, name, "streaming transformer", unused=r".*rope\.(frequencies|xpos\.decay_rates)$")
