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

    What has no effect there has none here: kernels beyond the rates and dilations beyond the residual kernels; of the
    authors' `Generator`, which `num_mels` tells, also `resblock`, slope, normalisation and the fourth and later
    dilations of a row.
    """
    authors = "num_mels" in official
    rates = tuple(official.get("upsample_rates", (4, 4, 4, 4)))
    residual = tuple(official.get("resblock_kernel_sizes", (3, 7, 11)))
    dilations = official.get("resblock_dilation_sizes", ((1, 3, 5),) * 3)[: len(residual)]
    return {
        "n_mels": official["num_mels"] if authors else official.get("model_in_dim", 80),
        "channels": official.get("upsample_initial_channel", 512),
        "rates": rates,
        "kernels": tuple(official.get("upsample_kernel_sizes", (8, 8, 8, 8)))[: len(rates)],
        "residual_kernels": residual,
        "dilations": tuple(tuple(row[:3] if authors else row) for row in dilations),
        "slope": 0.1 if authors else official.get("leaky_relu_slope", 0.1),
        "normalize": not authors and official.get("normalize_before", True),
    }
