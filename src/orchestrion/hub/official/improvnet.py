"""ImprovNet's published checkpoints and constructor arguments, in our names (keshavbhandari/improvnet): generator,
genre classifier, and the SSM-Net that finds boundaries (geoffroypeeters/ssmnet_ISMIR2023)."""

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
    "code": "https://github.com/keshavbhandari/improvnet",
    "arguments": {
        "vocab_size": 2306,
        "encoder_max_sequence_length": 2048,
        "decoder_max_sequence_length": 512,
        "encoder_num_layers": 12,
        "decoder_num_layers": 12,
        "num_heads": 8,
        "hidden_size": 512,
        "intermediate_size": 2048,
    },
}
"""The weights lie in an archive on a drive, not on the hub: give `fine_tuned_model/model.safetensors` from it."""

_EMBEDDING = {
    "word_embeddings.weight": "tokens.weight",
    "position_embeddings.weight": "positions.weight",
    "token_type_embeddings.weight": "types.weight",
    "LayerNorm.weight": "norm.weight",
    "LayerNorm.bias": "norm.bias",
}
_ENCODER_LAYER = {
    "attention.output.dense": "to_out",
    "attention.output.LayerNorm": "attention_norm",
    "intermediate.dense": "expand",
    "output.dense": "contract",
    "output.LayerNorm": "output_norm",
}
_DECODER_LAYER = {
    "attention.output.dense": "self_attn.to_out",
    "attention.output.LayerNorm": "norm1",
    "crossattention.output.dense": "multihead_attn.out_proj",
    "crossattention.output.LayerNorm": "norm2",
    "intermediate.dense": "linear1",
    "output.dense": "linear2",
    "output.LayerNorm": "norm3",
}
_HEAD = {
    "decoder.cls.predictions.bias": "network.decoder.output.bias",
    "decoder.cls.predictions.transform.dense.weight": "network.decoder.transform.weight",
    "decoder.cls.predictions.transform.dense.bias": "network.decoder.transform.bias",
    "decoder.cls.predictions.transform.LayerNorm.weight": "network.decoder.transform_norm.weight",
    "decoder.cls.predictions.transform.LayerNorm.bias": "network.decoder.transform_norm.bias",
    "decoder.cls.predictions.decoder.weight": "network.decoder.output.weight",
}
_PACKED = ("query", "key", "value")


def convert(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An official state dict of the generator in our names.

    Raises:
        WeightsError: an entry is unknown, or one is missing of those that are packed together.
    """
    return _convert(state, {"encoder.": ("network.encoder.", False), "decoder.bert.": ("network.decoder.", True)})


def convert_classifier(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An official state dict of the genre classifier in the names of `nn.bert.BertClassifier`.

    Raises:
        WeightsError: as `convert`.
    """
    return _convert(state, {"bert.": ("encoder.", False)})


def _convert(state: Mapping[str, Tensor], parts: Mapping[str, tuple[str, bool]]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    packed: dict[str, dict[str, Tensor]] = {}
    for key, value in state.items():
        if key.endswith("position_ids") or key == "decoder.cls.predictions.decoder.bias":
            continue
        if key in _HEAD or key.startswith("classifier."):
            found[_HEAD.get(key, f"head.{key.removeprefix('classifier.')}")] = value
            continue
        prefix = next((one for one in parts if key.startswith(one)), None)
        name = None if prefix is None else _rename(key.removeprefix(prefix), *parts[prefix])
        if name is None:
            raise WeightsError(f"The entry {key!r} belongs to no published ImprovNet.")
        if isinstance(name, tuple):
            packed.setdefault(name[0], {})[name[1]] = value
        else:
            found[name] = value
    for name, three in packed.items():
        if set(three) != set(_PACKED):
            raise WeightsError(f"The checkpoint has not all of query, key and value for {name!r}.")
        found[name] = torch.cat([three[part] for part in _PACKED])
    return found


def _rename(key: str, ours: str, is_decoder: bool) -> str | tuple[str, str] | None:
    if key.startswith("embeddings.") and key.removeprefix("embeddings.") in _EMBEDDING:
        return f"{ours}embedding.{_EMBEDDING[key.removeprefix('embeddings.')]}"
    if key in ("pooler.dense.weight", "pooler.dense.bias"):
        return f"{ours}pooler.{key.rpartition('.')[2]}"
    found = re.fullmatch(r"encoder\.layer\.(\d+)\.(.+)\.(weight|bias)", key)
    if found is None:
        return None
    stack = f"{ours}{'decoder' if is_decoder else 'encoder'}.layers.{found[1]}"
    own = re.fullmatch(r"(attention|crossattention)\.self\.(query|key|value)", found[2])
    if own is not None:
        if own[1] == "crossattention":
            return f"{stack}.multihead_attn.in_proj_{found[3]}", own[2]
        return f"{stack}.{'self_attn.' if is_decoder else ''}to_qkv.{found[3]}", own[2]
    table = _DECODER_LAYER if is_decoder else _ENCODER_LAYER
    return f"{stack}.{table[found[2]]}.{found[3]}" if found[2] in table else None


def convert_ssm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An official state dict of SSM-Net in the names of `nn.ssm_network.SsmNetwork`.

    Raises:
        WeightsError: an entry is unknown.
    """
    found = {}
    for key, value in state.items():
        part, _, rest = key.partition(".")
        name = {"conv": "blocks", "attention": "attention", "conv_novelty": "kernels", "lin_novelty": "mix"}.get(part)
        if name is None:
            raise WeightsError(f"The entry {key!r} belongs to no published SSM-Net.")
        found[f"{name}.{rest}"] = value
    return found


_SIZES = {
    "encoder_length": (2048, "encoder_max_sequence_length"),
    "decoder_length": (512, "decoder_max_sequence_length"),
    "encoder_layers": (12, "encoder_num_layers"),
    "decoder_layers": (12, "decoder_num_layers"),
    "num_heads": (8, "num_heads", "encoder_num_heads", "decoder_num_heads"),
    "width": (512, "hidden_size", "encoder_hidden_size", "decoder_hidden_size"),
    "feed_forward": (2048, "intermediate_size", "encoder_intermediate_size", "decoder_intermediate_size"),
}
_CLASSIFIER_SIZES = {
    "max_length": (1024, "positions", "encoder_max_sequence_length"),
    "num_layers": (12, "layers", "encoder_num_layers"),
    "num_heads": (8, "heads", "encoder_num_heads"),
    "width": (512, "hidden", "encoder_hidden_size"),
    "feed_forward": (2048, "intermediate", "encoder_intermediate_size"),
    "dropout": (0.1, "encoder_dropout"),
}
"""Our names: the value if none is given, and the published names, of the configuration files too."""
_FOLLOWING = ("bos = decoder start", "eos", "pad")


def _sizes(official: Mapping[str, Any], table: Mapping[str, tuple[Any, ...]], *others: str) -> dict[str, Any]:
    """Ours of a table; `others` are the names that it does not hold."""
    known = {name for _, *names in table.values() for name in names}
    unknown = sorted(set(official) - known - set(others))
    if unknown:
        raise WeightsError(f"The argument {unknown[0]!r} belongs to no published ImprovNet.")
    found = {}
    for ours, (default, *names) in table.items():
        given = {name: official[name] for name in names if name in official}
        if len(set(given.values())) > 1:
            raise WeightsError(f"There is one {ours} in ours, but the arguments say {given}.")
        found[ours] = next(iter(given.values()), default)
    return found


def arguments(official: Mapping[str, Any]) -> dict[str, Any]:
    """Our constructor arguments from those of the generator, or from `vocab_size` and the part `model` of a published
    configuration. Start, end and padding follow from the vocabulary.

    Raises:
        WeightsError: an argument is unknown, or encoder and decoder differ in heads or sizes.
    """
    sizes = _sizes(official, _SIZES, "vocab_size", *_FOLLOWING)
    return {"vocabulary_size": official["vocab_size"], **sizes, "quirks": "official"}


def classifier_arguments(official: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `nn.bert.BertClassifier` from those of the genre classifier, or from `vocab_size`, `labels` and the
    part `classifier_model` of a published configuration.

    Raises:
        WeightsError: an argument is unknown, or two names give another value to the same.
    """
    sizes = _sizes(official, _CLASSIFIER_SIZES, "vocab_size", "labels")
    return {"classes": len(official["labels"]), "vocabulary_size": official["vocab_size"], **sizes}


def ssm_arguments(official: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `nn.ssm_network.SsmNetwork` from those of SSM-Net; `n_out` and `do_sub_avg` do nothing in it."""
    return {
        "step": float(official["step_sec"]),
        "num_attention": official.get("do_nb_attention", 3),
        "kernels": official.get("kernel_nb", 3),
        "half_seconds": float(official.get("kernel_Ldemi_sec", 10)),
        "sigma_seconds": float(official.get("kernel_sigma_sec", 5)),
        "checkerboards": official.get("do_kernel_init_checkerboard", True),
        "frozen": official.get("do_kernel_freeze", False),
    }


def read(path: str | Path) -> dict[str, Tensor]:
    """Reads a published checkpoint file in our names.

    Raises:
        WeightsError: the file cannot be read safely, or holds no such network.
    """
    return convert(read_foreign(path))
