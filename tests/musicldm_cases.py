"""Finds and opens the reference cases of MusicLDM, in the authors' layout and in that of the hub."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from orchestrion.codecs.mel_vae import MelVae
from orchestrion.codecs.vocoders import HiFiGan
from orchestrion.hub.official import hifigan, latent_diffusion
from orchestrion.nn.unet import UNet

HERE = Path(__file__).parent / "reference"
REFERENCE = Path(os.environ.get("ORCHESTRION_REFERENCE", HERE))
ROOTS = (REFERENCE / "musicldm", REFERENCE / "musicldm_diffusers")
KINDS = {
    "UNetModel": "unet",
    "UNet2DConditionModel": "unet",
    "Generator": "vocoder",
    "SpeechT5HifiGan": "vocoder",
    "AudiostockDataset.get_mel": "mixup",
}


def cases(kind: str) -> list[Path]:
    """Folders whose case is of this kind, in both layouts."""
    folders = [path.parent for root in ROOTS for path in sorted(root.rglob("case.json"))]
    return [folder for folder in folders if kind_of(folder) == kind]


def kind_of(folder: Path) -> str:
    name = about(folder).get("class", "functions")
    return "vae" if name.startswith("AutoencoderKL") else KINDS.get(name, "functions")


def about(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "case.json").read_text())


def functions(folder: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    arrays = np.load(folder / "functions.npz")
    held = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    return json.loads((folder / "functions.json").read_text()), held


def data(folder: Path) -> dict[str, torch.Tensor]:
    arrays = np.load(folder / "data.npz")
    return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def tolerance(folder: Path) -> float:
    return float(about(folder)["tolerance"])


def fill():
    path = REFERENCE / "fill.py"
    spec = importlib.util.spec_from_file_location("reference_fill", path if path.exists() else HERE / "fill.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {key: torch.from_numpy(value) for key, value in fill().state_dict(folder).items()}


def is_hub(folder: Path) -> bool:
    """Whether the case has the names of diffusers and transformers."""
    return about(folder)["class"] in ("UNet2DConditionModel", "AutoencoderKL", "SpeechT5HifiGan")


def build(folder: Path, official: dict[str, Any] | None = None) -> tuple[torch.nn.Module, Any]:
    """Our network for the official arguments of a case, and what converts an official state dict for it."""
    given = about(folder)["arguments"] if official is None else official
    kind, hub = kind_of(folder), is_hub(folder)
    if kind == "unet":
        read = latent_diffusion.hub_unet_arguments if hub else latent_diffusion.unet_arguments
        return UNet(**read(given)), lambda state: latent_diffusion.convert_unet(state, given)
    if kind == "vae":
        read = latent_diffusion.hub_vae_arguments if hub else latent_diffusion.vae_arguments
        return MelVae(**read(given)), lambda state: latent_diffusion.convert_vae(state, given)
    ours = hifigan.hifigan_arguments(given)
    return HiFiGan(**ours), lambda state: hifigan.convert_hifigan(state, normalize=ours["normalize"])


def network(folder: Path, official: dict[str, Any] | None = None) -> torch.nn.Module:
    """Our network with the weights of a case."""
    module, convert = build(folder, official)
    module.load_state_dict(convert(weights(folder)))
    return module.eval()
