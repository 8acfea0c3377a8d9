"""Reference cases of CM-HRNN: every folder with a `case.json` under the folder of cases."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent / "reference"))
from fill import state_dict

from orchestrion.hub.official import cm_hrnn as official
from orchestrion.systems.cm_hrnn import CMHRNN

ROOT = Path(os.environ.get("ORCHESTRION_REFERENCE", Path(__file__).parent / "reference")) / "cm_hrnn"


def folders(file):
    """The folder of CM-HRNN and those in it, as far as they hold `file`."""
    return [folder for folder in (ROOT, *sorted(p for p in ROOT.glob("*") if p.is_dir())) if (folder / file).exists()]


def about(folder):
    return json.loads((folder / "case.json").read_text())


def arrays(folder):
    with np.load(folder / "data.npz") as held:
        return {key: torch.from_numpy(np.asarray(held[key])) for key in held}


def system(folder):
    """Our network with the weights of a case, built from the official arguments alone."""
    model = CMHRNN(**official.arguments(about(folder)["arguments"]))
    state = official.convert({key: torch.from_numpy(value) for key, value in state_dict(folder).items()})
    model.load_state_dict(state)
    return model.eval()
