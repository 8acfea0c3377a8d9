"""Finds and opens the reference cases of RAVE: every folder with a case is one."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

HERE = Path(__file__).parent / "reference"
ROOT = Path(os.environ.get("ORCHESTRION_REFERENCE", HERE)) / "rave"


def cases(kind: str) -> list[Path]:
    """Folders of this kind: "autoencoder", "first code" (of the paper) or "prior"."""
    return [folder for folder in sorted(ROOT.glob("*")) if (folder / "case.json").exists() and _kind(folder) == kind]


def _kind(folder: Path) -> str:
    given = about(folder)["arguments"]
    if "data_size" in given:
        return "first code"
    return "prior" if "resolution" in given else "autoencoder"


def about(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "case.json").read_text())


def tolerance(folder: Path) -> float:
    """The first number in the case's tolerance."""
    return float(re.findall(r"\d[\d.]*(?:e-?\d+)?", str(about(folder)["tolerance"]))[0])


def arrays(folder: Path, name: str = "data.npz") -> dict[str, torch.Tensor]:
    found = {key: torch.from_numpy(value) for key, value in np.load(folder / name).items()}
    return {key: value.float() if value.dtype == torch.float16 else value for key, value in found.items()}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """The published entries, as the case fills them; those that the code computes are zeros, so that their keys are
    mapped as well."""
    path = ROOT.parent / "fill.py"
    spec = importlib.util.spec_from_file_location("reference_fill", path if path.exists() else HERE / "fill.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {key: torch.from_numpy(value) for key, value in module.state_dict(folder).items()}


def system(folder: Path):
    """Our RAVE and its discriminator with the official arguments and weights of a case."""
    from orchestrion.hub.official import rave as official
    from orchestrion.systems.rave import RAVE

    model = RAVE(**official.arguments(about(folder)["arguments"]))
    discriminator = model.discriminator()
    state = official.convert(weights(folder))
    judged = {key.removeprefix("discriminator."): value for key, value in state.items() if "discriminator." in key}
    own = {key: value for key, value in state.items() if "discriminator." not in key}
    missing, unexpected = model.load_state_dict(own, strict=False)
    assert not unexpected
    counted = {key for key in missing if key.endswith("num_batches_tracked")}  # no learned numbers
    assert set(missing) - counted <= {"space.axes", "space.mean", "space.fidelity", "second_stage"}
    if judged:
        discriminator.load_state_dict(judged)
    model.second_stage.fill_(0.0)
    return model.eval(), discriminator.eval()
