"""Reference cases of CLMR: every folder with a `case.json` under the folder of cases."""

import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent / "reference"))
from fill import state_dict

from orchestrion.hub.official import clmr as official
from orchestrion.systems.clmr import CLMR

ROOT = Path(os.environ.get("ORCHESTRION_REFERENCE", Path(__file__).parent / "reference")) / "clmr"


def folders(file):
    """The folder of CLMR and those in it, as far as they hold `file`."""
    return [folder for folder in (ROOT, *sorted(p for p in ROOT.glob("*") if p.is_dir())) if (folder / file).exists()]


def about(folder):
    return json.loads((folder / "case.json").read_text())


def tolerance(folder):
    return float(re.match(r"[\d.e-]+", about(folder)["tolerance"])[0])


def arrays(folder, name="data"):
    with np.load(folder / f"{name}.npz") as held:
        return {key: torch.from_numpy(np.asarray(held[key])) for key in held}


def system(folder):
    """Our network with the weights of a case, built from the official arguments alone."""
    torch.manual_seed(0)
    model = CLMR(**official.arguments(about(folder)["arguments"]))
    state = official.convert({key: torch.from_numpy(value) for key, value in state_dict(folder).items()})
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing), missing
    return model.eval()
