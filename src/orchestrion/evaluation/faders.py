"""How well a fader works: consistency, restrictiveness, linearity (Music FaderNets, section 4; after Pati & Lerch)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestrion.errors import check_choice


@dataclass(frozen=True, slots=True)
class FaderScores:
    """All the higher the better.

    Attributes:
        consistency: 1 − mean over settings of the deviation of the target over items: one setting, one outcome.
        restrictiveness: 1 − mean over items of the deviation of the other attribute over settings.
        linearity: of each item, R² of the target on the setting; 0 where either does not move.
    """

    consistency: float
    restrictiveness: float
    linearity: tuple[float, ...]

    @property
    def mean_linearity(self) -> float:
        """Over items."""
        return float(np.mean(self.linearity))


def fader_scores(settings: np.ndarray, target: np.ndarray, other: np.ndarray, *, quirks: str = "none") -> FaderScores:
    """Scores of one fader.

    Args:
        settings: [settings] positions of the fader.
        target, other: [items, settings] the attribute that it is for, and another, both divided by their standard
            deviations over the training set.
        quirks: "official" calls a target that does not move perfectly linear.

    Raises:
        OptionError: the quirks are unknown.
    """
    check_choice("quirks", quirks, "none", "official")
    moved = target - target.mean(1, keepdims=True)
    position = settings - settings.mean()
    total = (moved**2).sum(1)
    explained = (moved @ position) ** 2 / ((position**2).sum() or 1)
    still = np.full_like(total, float(quirks == "official"))
    linearity = np.divide(explained, total, out=still, where=total > 1e-12)
    return FaderScores(
        consistency=float(1 - target.std(0).mean()),
        restrictiveness=float(1 - other.std(1).mean()),
        linearity=tuple(float(value) for value in linearity),
    )


def fader_settings(low: float, high: float, count: int = 8) -> np.ndarray:
    """Settings from `low` upwards in steps of (high − low)/count; `high` itself is not among them, as published."""
    return low + np.arange(count) * (high - low) / count
