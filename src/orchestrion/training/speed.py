"""How fast a training goes, and what memory it takes."""

from __future__ import annotations

import importlib.util
import math
import sys
from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Speed:
    """Steps and items (what losses count) a second, and the largest memory so far in GB."""

    steps: float
    items: float
    memory: float

    def __str__(self) -> str:
        return f"{self.steps:.2f} steps/s, {self.items:.0f} items/s, {self.memory:.2f} GB"


def memory() -> float:
    """Largest memory so far in GB: of the accelerator where there is one, else of the process."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated() / 1e9
    if importlib.util.find_spec("resource") is None:  # Windows
        return math.nan
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
