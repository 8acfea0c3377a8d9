"""MusicLDM's published checkpoints and constructor arguments, in our names.

Two layouts are read: the authors' (RetroCirce/MusicLDM: one file with U-Net, autoencoder, vocoder and CLAP), and the
folder of the hub (ucsd-reach/musicldm, as diffusers and transformers name things), which is named by its
`model_index.json`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from orchestrion.errors import WeightsError
from orchestrion.hub.official.clap import convert_clap
from orchestrion.hub.official.hifigan import convert_hifigan, hifigan_arguments
from orchestrion.hub.official.latent_diffusion import (
    convert_unet,
    convert_vae,
    hub_unet_arguments,
    hub_vae_arguments,
    unet_arguments,
    vae_arguments,
)
from orchestrion.hub.weights import read_foreign

UNET: dict[str, Any] = {
    "in_channels": 8,
    "out_channels": 8,
    "model_channels": 128,
    "num_res_blocks": 2,
    "channel_mult": (1, 2, 3, 5),
    "attention_resolutions": (8, 4, 2),
    "num_head_channels": 32,
    "use_spatial_transformer": True,
    "extra_film_condition_dim": 512,
    "extra_film_use_concat": True,
}
VAE: dict[str, Any] = {
    "embed_dim": 8,
    "ddconfig": {
        "double_z": True,
        "z_channels": 8,
        "resolution": 256,
        "in_channels": 1,
        "out_ch": 1,
        "ch": 128,
        "ch_mult": (1, 2, 4),
        "num_res_blocks": 2,
        "attn_resolutions": (),
    },
}
VOCODER: dict[str, Any] = {
    "num_mels": 64,
    "upsample_initial_channel": 1024,
    "upsample_rates": (5, 4, 2, 2, 2),
    "upsample_kernel_sizes": (16, 16, 8, 4, 4),
}
HUB_PARTS = ("unet", "vae", "vocoder", "text_encoder")
SOURCE = {
    "repository": "ucsd-reach/musicldm",
    "file": "model_index.json",
    "files": tuple(
        f"{part}/{file}"
        for part, name in zip(
            HUB_PARTS, ("diffusion_pytorch_model", "diffusion_pytorch_model", "model", "model"), strict=True
        )
        for file in ("config.json", f"{name}.safetensors")
    ),
    "licence": "CC-BY-NC-SA-4.0",
    "code": "https://github.com/RetroCirce/MusicLDM",
    "arguments": {},
}
"""The folder of the hub. The authors' own file, musicldm-ckpt.ckpt (Zenodo 10643148), is read where a user names it."""

UNET_PREFIX, EMA_PREFIX = "model.diffusion_model.", "model_ema."
COMPUTED = (
    "betas", "alphas_cumprod", "sqrt_", "log_one_minus", "posterior_", "logvar", "first_stage_model.loss.",
    "cond_stage_model.mel_transform.", "lvlb_weights",
)  # fmt: skip
"""Beginnings of entries that follow from the arguments, or that only training needs."""

FIXED: dict[str, dict[str, Any]] = {
    "unet": {
        "attention": "transformer", "depth": 1, "context_widths": (), "condition_by": "concatenation",
        "num_classes": None, "scale_shift": False, "resample": "convolution", "up_heads": None, "dims": 2, "eps": 1e-5,
    },
    "autoencoder": {
        "in_channels": 1, "out_channels": 1, "attention_levels": (), "middle_attention": True, "long_levels": (),
        "learned_resampling": True, "bounded": False, "projections": True,
    },
    "vocoder": {
        "residual_kernels": (3, 7, 11), "dilations": ((1, 3, 5),) * 3, "slope": 0.1, "normalize": False,
    },
}  # fmt: skip
"""What the system has no argument for; dropout aside, which only training needs."""


def arguments(official: Mapping[str, Any]) -> dict[str, Any]:
    """Our constructor arguments from the official ones.

    Args:
        official: of the parts by the names of their classes, in either layout: "UNetModel" or "UNet2DConditionModel",
            "AutoencoderKL", "Generator" or "SpeechT5HifiGan"; a part that is left out is as published.

    Raises:
        WeightsError: a part has something that the system has no argument for.
    """
    if not official:
        return {"quirks": "official"}
    hub = "UNet2DConditionModel" in official
    unet = (
        hub_unet_arguments(official["UNet2DConditionModel"]) if hub else unet_arguments(official.get("UNetModel", UNET))
    )
    sizes = official.get("AutoencoderKL", VAE)
    vae = vae_arguments(sizes) if "ch" in sizes.get("ddconfig", sizes) else hub_vae_arguments(sizes)
    vocoder = hifigan_arguments(official.get("SpeechT5HifiGan", official.get("Generator", VOCODER)))
    for part, found in (("unet", unet), ("autoencoder", vae), ("vocoder", vocoder)):
        for name, only in FIXED[part].items():
            if found.get(name, only) != only:
                raise WeightsError(
                    f"MusicLDM's {part} with {name} = {found[name]!r} cannot be read, only with {only!r}."
                )
    z, taken = vae["z_channels"], (unet["in_channels"], unet["out_channels"], vae.get("latent_channels"))
    if any(count not in (z, None) for count in taken):
        raise WeightsError(f"MusicLDM's latents have {z} channels in all parts; {taken} cannot be read.")
    if unet["condition_width"] is None:
        raise WeightsError("MusicLDM's U-Net takes a vector; one without cannot be read.")
    heads, channels = unet["num_heads"], unet["channels"]
    if hub and set(heads) == {8}:
        quirks, width = "diffusers", 32
    else:
        quirks, width = "official", _head_width(unet)
    return {
        "n_mels": vocoder["n_mels"],
        "vae_width": vae["width"],
        "vae_channels": vae["channels"],
        "vae_blocks": vae["blocks"],
        "vae_groups": vae.get("groups", 32),
        "z_channels": vae["z_channels"],
        "unet_width": unet["width"],
        "unet_channels": channels,
        "unet_blocks": unet["blocks"],
        "unet_groups": unet.get("groups", 32),
        "attention_levels": unet["attention_levels"],
        "condition_width": unet["condition_width"],
        "head_width": width,
        "vocoder_channels": vocoder["channels"],
        "vocoder_rates": vocoder["rates"],
        "vocoder_kernels": vocoder["kernels"],
        "quirks": quirks,
    }


def _head_width(unet: Mapping[str, Any]) -> int:
    """The one width that gives each level that attends its number of heads."""
    levels = sorted({*unet["attention_levels"], len(unet["channels"]) - 1})  # the middle, of the last level, attends
    pairs = [(unet["channels"][level], unet["num_heads"][level]) for level in levels]
    width = max(min(count // number for count, number in pairs), 1)
    narrowed = unet.get("head_width")  # heads that may not take up all channels
    if any(count // width != number or count % (narrowed or 1) for count, number in pairs):
        heads, channels = unet["num_heads"], unet["channels"]
        raise WeightsError(f"Heads {tuple(heads)} for channels {channels} do not have one width; they cannot be read.")
    return width


def convert(
    state: Mapping[str, Tensor], *, use_ema: bool = True, official: Mapping[str, Any] | None = None
) -> dict[str, Tensor]:
    """The authors' one state dict in our names.

    Args:
        use_ema: the averaged weights of the U-Net, which the published sampler takes, where they are there.
        official: arguments of the parts, as of `arguments`.

    Raises:
        WeightsError: an entry is unknown.
    """
    official = official or {}
    parts: dict[str, dict[str, Tensor]] = {"unet": {}, "vae": {}, "vocoder": {}, "clap": {}}
    ours: dict[str, Tensor] = {}
    for key, value in state.items():
        if key.startswith(UNET_PREFIX):
            name = key.removeprefix(UNET_PREFIX)
            averaged = EMA_PREFIX + f"diffusion_model.{name}".replace(".", "")
            parts["unet"][name] = state.get(averaged, value) if use_ema else value
        elif key.startswith("first_stage_model.vocoder."):
            parts["vocoder"][key.removeprefix("first_stage_model.vocoder.")] = value
        elif key == "scale_factor":
            ours["scale_factor"] = value.reshape(())
        elif key.startswith((EMA_PREFIX, *COMPUTED)):
            continue
        elif key.startswith("first_stage_model."):
            parts["vae"][key.removeprefix("first_stage_model.")] = value
        elif key.startswith("cond_stage_model.model."):
            parts["clap"][key.removeprefix("cond_stage_model.model.")] = value
        else:
            raise WeightsError(f"The entry {key!r} belongs to no published MusicLDM.")
    converted = {
        "unet": convert_unet(parts["unet"], official.get("UNetModel", UNET)),
        "codec.vae": convert_vae(parts["vae"], official.get("AutoencoderKL", VAE)),
        "codec.vocoder": convert_hifigan(parts["vocoder"]),
        "clap.model": convert_clap(parts["clap"]),
    }
    return ours | {f"{part}.{name}": value for part, held in converted.items() for name, value in held.items()}


def convert_hub(
    parts: Mapping[str, Mapping[str, Tensor]], configs: Mapping[str, Mapping[str, Any]]
) -> dict[str, Tensor]:
    """The hub's four state dicts in our names.

    Args:
        parts, configs: state dict and configuration of "unet", "vae", "vocoder" and "text_encoder".

    Raises:
        WeightsError: an entry is unknown.
    """
    vocoder = hifigan_arguments(configs["vocoder"])
    converted = {
        "unet": convert_unet(parts["unet"], configs["unet"]),
        "codec.vae": convert_vae(parts["vae"], configs["vae"]),
        "codec.vocoder": convert_hifigan(parts["vocoder"], normalize=vocoder["normalize"]),
        "clap.model": convert_clap(parts["text_encoder"]),
    }
    scale = torch.tensor(float(configs["vae"].get("scaling_factor", 1.0)))
    ours = {f"{part}.{name}": value for part, held in converted.items() for name, value in held.items()}
    return {"scale_factor": scale, **ours}


def read(path: str | Path, *, use_ema: bool = True) -> dict[str, Tensor]:
    """Reads a published checkpoint in our names: the authors' file, or the hub's folder by its `model_index.json`.

    Raises:
        WeightsError: a file is missing, cannot be read safely, or holds no such network.
    """
    path = Path(path)
    if path.name == "model_index.json":
        return _read_folder(path.parent)
    held = read_foreign(path)
    return convert(held.get("state_dict", held), use_ema=use_ema)


def _read_folder(folder: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    parts, configs = {}, {}
    for part in HUB_PARTS:
        files = sorted((folder / part).glob("*.safetensors")) + sorted((folder / part).glob("*.bin"))
        if not files or not (folder / part / "config.json").is_file():
            raise WeightsError(f"The folder {folder} lacks weights or config.json of {part}; fetch it whole.")
        try:
            configs[part] = json.loads((folder / part / "config.json").read_text(encoding="utf-8"))
            file = files[0]
            parts[part] = load_file(file) if file.suffix == ".safetensors" else read_foreign(file)
        except (OSError, ValueError, SafetensorError) as error:
            raise WeightsError(f"The files of {part} in {folder} cannot be read ({type(error).__name__}).") from error
    return convert_hub(parts, configs)
