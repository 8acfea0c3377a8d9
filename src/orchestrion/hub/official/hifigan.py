"""HiFi-GAN's published generators in our names: the authors' files and those of transformers' `SpeechT5HifiGan`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from orchestrion.errors import WeightsError


def convert_hifigan(state: Mapping[str, Tensor], *, normalize: bool = False) -> dict[str, Tensor]:
    """The entries of a generator in our names, with its weight norm folded.

    Args:
        normalize: whether its stored means and scales are used.

    Raises:
        WeightsError: an entry is unknown.
    """
    plain = fold_weight_norm(state)
    stages = len({key.split(".")[1] for key in plain if key.startswith(("ups.", "upsampler."))})
    stacks = len({key.split(".")[1] for key in plain if key.startswith("resblocks.")})
    each = max(stacks // max(stages, 1), 1)
    ours = {}
    for key, value in plain.items():
        if key in ("mean", "scale"):
            if normalize:
                ours[key] = value
            continue
        name = _name(key, each)
        if name is None:
            raise WeightsError(f"The entry {key!r} belongs to no published HiFi-GAN generator.")
        ours[name] = value
    return ours


def _name(key: str, each: int) -> str | None:
    if found := re.fullmatch(r"conv_(pre|post)\.(weight|bias)", key):
        return f"{'first' if found[1] == 'pre' else 'last'}.{found[2]}"
    if found := re.fullmatch(r"(?:ups|upsampler)\.(\d+)\.(weight|bias)", key):
        return f"up.{found[1]}.{found[2]}"
    if found := re.fullmatch(r"resblocks\.(\d+)\.convs([12])\.(\d+)\.(weight|bias)", key):
        stage, stack = divmod(int(found[1]), each)
        return f"stacks.{stage}.{stack}.{'dilated' if found[2] == '1' else 'plain'}.{found[3]}.{found[4]}"
    return None


def fold_weight_norm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Pairs of gain and direction as one weight, g · v / ‖v‖, the norm over all axes but the first (Salimans & Kingma
    2016); everything else as it is."""
    ours = {}
    for key, value in state.items():
        if key.endswith(("weight_v", "parametrizations.weight.original1")):
            continue
        if key.endswith("weight_g"):
            stem, direction = key.removesuffix("weight_g"), state[key.removesuffix("_g") + "_v"]
        elif key.endswith("parametrizations.weight.original0"):
            stem, direction = key.removesuffix("parametrizations.weight.original0"), state[key[:-1] + "1"]
        else:
            ours[key] = value
            continue
        norm = direction.flatten(1).norm(dim=1).view(-1, *[1] * (direction.ndim - 1))
        ours[f"{stem}weight"] = value * direction / norm
    return ours


def hifigan_arguments(official: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of our `HiFiGan` from those of the published generators, the authors' or transformers'.

    Raises:
        WeightsError: its residual blocks are of the second kind, which no converted system has.
    """
    if str(official.get("resblock", "1")) != "1":
        raise WeightsError("A HiFi-GAN with residual blocks of the second kind cannot be converted.")
    transformers = "model_in_dim" in official or "leaky_relu_slope" in official
    return {
        "n_mels": official.get("model_in_dim", official.get("num_mels", 80)),
        "channels": official.get("upsample_initial_channel", 512),
        "rates": tuple(official.get("upsample_rates", (4, 4, 4, 4))),
        "kernels": tuple(official.get("upsample_kernel_sizes", (8, 8, 8, 8))),
        "residual_kernels": tuple(official.get("resblock_kernel_sizes", (3, 7, 11))),
        "dilations": tuple(tuple(row) for row in official.get("resblock_dilation_sizes", ((1, 3, 5),) * 3)),
        "slope": official.get("leaky_relu_slope", 0.1),
        "normalize": transformers and official.get("normalize_before", True),
    }
