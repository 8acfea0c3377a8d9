"""Finds and opens the reference cases of GETMusic: every folder of a kind is a case."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

HERE = Path(__file__).parent / "reference"
ROOT = Path(os.environ.get("ORCHESTRION_REFERENCE", HERE)) / "getmusic"
_MARKS = {
    "logits": "network",
    "q.x0": "diffusion",
    "Lt_history_before": "loss",
    "step_in": "sampling",
    "pieces": "tokenizer",
    "duration_encode": "functions",
    "chord_inference": "functions",
}


def cases(kind: str) -> list[Path]:
    """Folders whose contents are of this kind."""
    return [folder for folder in sorted(ROOT.glob("*")) if folder.is_dir() and kind in _kinds(folder)]


def _kinds(folder: Path) -> set[str]:
    names: set[str] = set()
    if (folder / "data.npz").exists():
        names |= set(np.load(folder / "data.npz").files)
    if (folder / "functions.json").exists():
        names |= set(json.loads((folder / "functions.json").read_text()))
    found = {_MARKS[name] for name in names if name in _MARKS}
    return {"sampling"} if "sampling" in found else found - {"network"} if len(found) > 1 else found


def about(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "case.json").read_text())


def functions(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "functions.json").read_text())


def tolerance(folder: Path) -> float:
    """The first number in the case's tolerance."""
    return float(re.findall(r"\d[\d.]*(?:e-?\d+)?", str(about(folder)["tolerance"]))[0])


@dataclass
class Data:
    folder: Path

    def __post_init__(self) -> None:
        self.arrays = np.load(self.folder / "data.npz")

    def __getitem__(self, name: str) -> torch.Tensor:
        value = torch.from_numpy(self.arrays[name])
        return value.long() if value.dtype in (torch.int8, torch.int16, torch.int32) else value


def fill():
    path = ROOT.parent / "fill.py"
    spec = importlib.util.spec_from_file_location("reference_fill", path if path.exists() else HERE / "fill.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def network_folder(folder: Path) -> Path:
    """The folder that holds keys and arguments: its own, or the one named in `keys`."""
    if (folder / "keys.json").exists():
        return folder
    named = re.search(r"\.\./([\w.-]+)", about(folder).get("keys", ""))
    return folder.parent / named[1] if named else folder.parent / "network"


def system(folder: Path):
    """Our GETMusic with the official arguments and weights of a case."""
    from orchestrion.hub.official import getmusic as official
    from orchestrion.systems.getmusic import GETMusic

    source = network_folder(folder)
    given = dict(about(source)["arguments"])
    steps = about(folder).get("diffusion_step")
    if steps is not None:
        given["DiffusionRFM"] = {**given["DiffusionRFM"], "diffusion_step": steps}
    model = GETMusic(**official.arguments(given))
    state = {key: torch.from_numpy(value) for key, value in fill().state_dict(source).items()}
    missing, unexpected = model.load_state_dict(official.convert(state), strict=False)
    assert not unexpected
    assert set(missing) <= {"diffusion.loss_history", "diffusion.loss_count"}  # not learned
    return model.eval()
