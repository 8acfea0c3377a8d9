"""Sizes and trainings of RAVE by name: the paper's, those of the authors' later configurations, and a miniature."""

from __future__ import annotations

from typing import Any

from orchestrion.hub.official.rave_configurations import CONFIGURATIONS

_PAPER = {**CONFIGURATIONS["v1_paper"], "steps": (1_000_000, 2_000_000)}
_MINI = {
    "layout": "residual",
    "rate": 16000,
    "capacity": 16,
    "ratios": (4, 4, 4),
    "latent": 16,
    "dilations": ((1, 3, 9), (1, 3, 9), (1, 3, 9)),
    "discriminator": "scales",
    "discriminator_capacity": 16,
    "beta": (1e-6, 0.01, 2000),
    "matching_weight": 20.0,
    "discriminator_every": 2,
    "programs": (48, 52),
    "minutes": 25.0,
    # chosen so that it learns in minutes: what is louder than 1 in the spectra counts, frames at the ends count, too
    "log_floor": 1.0,
    "overlap": 0.5,
    "valid_crop": False,
    "mean_gain": 10.0,
    "learning_rate": (6e-3, 5e-4),
    "crop": 32768,
    "steps": (3500, 1000),
}
_AUTHORS = (
    "v1", "v2", "v2_small", "v3", "discrete", "causal", "wasserstein", "spherical", "hybrid", "raspberry",
)  # fmt: skip

PRESETS: dict[str, dict[str, Any]] = {
    "mini": _MINI,
    "paper": _PAPER,
    **{name: CONFIGURATIONS[name] for name in _AUTHORS},
}
"""Name → arguments. The tool's own double counting of feature matching (10 → 100, 20 → 400 since its version 2.2.2) is
not among them; give `matching_weight` to have it."""
