"""Music FaderNets' published checkpoints and constructor arguments, in our names (gudgud96/music-fader-nets)."""

from __future__ import annotations

import math
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
    "code": "https://github.com/gudgud96/music-fader-nets",
    "arguments": {
        "class": "MusicAttrRegGMVAE",
        "roll_dims": 342,
        "rhythm_dims": 3,
        "note_dims": 16,
        "chroma_dims": 24,
        "hidden_dims": 512,
        "z_dims": 128,
        "n_step": 32,
        "n_component": 2,
    },
}
"""The checkpoints lie in the folder `params` of the authors' repository without a licence, so they are not fetched."""

FAMILIES = {
    "MusicAttrRegGMVAE": "gmvae",
    "MusicAttrRegVAE": "vae",
    "MusicAttrSingleVAE": "single",
    "MusicAttrSingleGMVAE": "single_gmvae",
    "MusicAttrCVAE": "cvae",
    "MusicAttrFaderNets": "fader",
}
"""Published class → our family."""

KEYS, COMPONENTS = 24, 4
"""What the published classes have by default or fixed: numbers of the key vector, components of a mixture."""

_BLOCK = {"r": "0", "n": "1", "": "0", "e": "0"}
_RULES = (
    (r"gru(?:_([rne]))?\.(.+)", lambda m: f"encoders.{_BLOCK[m[1] or '']}.gru.{m[2]}"),
    (r"mu(?:_([rn]))?\.(.+)", lambda m: f"encoders.{_BLOCK[m[1] or '']}.mean.{m[2]}"),
    (r"var(?:_([rn]))?\.(.+)", lambda m: f"encoders.{_BLOCK[m[1] or '']}.log_scale.{m[2]}"),
    (r"gru_d_([rn])\.(.+)", lambda m: f"sub_decoders.{_BLOCK[m[1]]}.gru.{m[2]}"),
    (r"linear_init_([rn])\.(.+)", lambda m: f"sub_decoders.{_BLOCK[m[1]]}.start.{m[2]}"),
    (r"linear_out_([rn])\.(.+)", lambda m: f"sub_decoders.{_BLOCK[m[1]]}.out.{m[2]}"),
    (r"linear_init_global\.(.+)", lambda m: f"decoder.start.{m[1]}"),
    (r"grucell_g\.(.+)", lambda m: f"decoder.first.{m[1]}_l0"),
    (r"grucell_g_2\.(.+)", lambda m: f"decoder.second.{m[1]}_l0"),
    (r"linear_out_g\.(.+)", lambda m: f"decoder.out.{m[1]}"),
    (r"mu(?:_([rn]))?_lookup\.weight", lambda m: f"priors.{_BLOCK[m[1] or '']}.mean"),
    (r"logvar(?:_([rn]))?_lookup\.weight", lambda m: f"priors.{_BLOCK[m[1] or '']}.log_variance"),
    (r"discriminator_([rn])\.(.+)", lambda m: f"discriminators.{_BLOCK[m[1]]}.{m[2]}"),
    (r"c_r\.(.+)", lambda m: f"spare.class_rhythm.{m[1]}"),
    (r"c_n\.(.+)", lambda m: f"spare.class_notes.{m[1]}"),
    (r"gru_c\.(.+)", lambda m: f"spare.chroma_encoder.gru.{m[1]}"),
    (r"mu_c\.(.+)", lambda m: f"spare.chroma_encoder.mean.{m[1]}"),
    (r"var_c\.(.+)", lambda m: f"spare.chroma_encoder.log_scale.{m[1]}"),
    (r"gru_d_c\.(.+)", lambda m: f"spare.chroma_gru.{m[1]}"),
    (r"linear_init_c\.(.+)", lambda m: f"spare.chroma_start.{m[1]}"),
    (r"linear_out_c\.(.+)", lambda m: f"spare.chroma_out.{m[1]}"),
    (r"linear_init\.(.+)", lambda m: f"spare.start.{m[1]}"),
)


def rename(key: str) -> str:
    """Our name of an official key.

    Raises:
        WeightsError: the key belongs to no such network.
    """
    for pattern, name in _RULES:
        found = re.fullmatch(pattern, key)
        if found is not None:
            return "network." + name(found)
    raise WeightsError(f"The entry {key!r} belongs to no published network of Music FaderNets.")


def convert(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An official state dict in our names, with what the published code measures later: the ends of the faders (here
    −3 and 3) and the deviations of the densities (here 1).

    Raises:
        WeightsError: an entry is unknown.
    """
    measured = {"fader_range": torch.tensor([[-3.0, 3.0], [-3.0, 3.0]]), "attribute_scale": torch.ones(2)}
    return {**{rename(key): value for key, value in state.items()}, **measured}


def arguments(official: Mapping[str, Any], kind: str | None = None) -> dict[str, Any]:
    """Our constructor arguments from those of a published class. `n_step` and `k` there are used by none of them, and
    `chroma_dims` only by modules that take no part: the key vector has 24 numbers whatever it says.

    Args:
        kind: name of the class; by default what `official` holds under "class".

    Raises:
        WeightsError: the class or an argument is unknown.
    """
    given = {name: value for name, value in official.items() if name not in ("class", "n_step", "k")}
    kind = kind or str(official.get("class", ""))
    if kind not in FAMILIES:
        raise WeightsError(f"{kind!r} is no class of Music FaderNets; there are {', '.join(FAMILIES)}.")
    names = {
        "roll_dims": "events",
        "rhythm_dims": "rhythms",
        "note_dims": "counts",
        "chroma_dims": "spare_keys",
        "hidden_dims": "hidden",
        "z_dims": "latent",
        "n_component": "components",
    }
    if unknown := set(given) - set(names):
        raise WeightsError(f"The published class {kind} has no argument {min(unknown)!r}.")
    prior: dict[str, Any] = {"components": COMPONENTS} if kind in ("MusicAttrRegGMVAE", "MusicAttrSingleGMVAE") else {}
    if kind == "MusicAttrSingleGMVAE":
        prior["prior_scale"] = math.exp(-1)
    ours = {names[name]: value for name, value in given.items()}
    return {"family": FAMILIES[kind], "keys": KEYS, **prior, **ours, "spare": True, "quirks": "official"}


def arguments_of(path: str | Path) -> dict[str, Any]:
    """Our constructor arguments for a published checkpoint, told by its entries.

    Raises:
        WeightsError: the file cannot be read safely, or holds no such network.
    """
    state = read_foreign(path)
    marks = {
        "mu_r_lookup.weight": "MusicAttrRegGMVAE",
        "gru_r.weight_ih_l0": "MusicAttrRegVAE",
        "mu_lookup.weight": "MusicAttrSingleGMVAE",
        "discriminator_r.weight": "MusicAttrFaderNets",
        "gru_e.weight_ih_l0": "MusicAttrCVAE",
        "gru.weight_ih_l0": "MusicAttrSingleVAE",
    }
    kind = next((kind for mark, kind in marks.items() if mark in state), None)
    if kind is None or "linear_out_g.weight" not in state:
        raise WeightsError(f"The checkpoint {path} is of no published network of Music FaderNets.")
    events, hidden = state["linear_out_g.weight"].shape
    latent = len(state["mu.weight" if "mu.weight" in state else "mu_r.weight"])
    found: dict[str, Any] = {"roll_dims": events, "hidden_dims": hidden}
    found["z_dims"] = latent // 2 if kind == "MusicAttrSingleVAE" else latent
    for key, name in (
        ("linear_out_r.weight", "rhythm_dims"),
        ("linear_out_n.weight", "note_dims"),
        ("linear_out_c.weight", "chroma_dims"),
        ("mu_r_lookup.weight", "n_component"),
        ("mu_lookup.weight", "n_component"),
    ):
        if key in state:
            found[name] = len(state[key])
    return arguments(found, kind)


def read(path: str | Path) -> dict[str, Tensor]:
    """A published checkpoint (a flat state dict) in our names.

    Raises:
        WeightsError: the file cannot be read safely, or holds no such network.
    """
    return convert(read_foreign(path))
