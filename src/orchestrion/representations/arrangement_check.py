"""How well an arrangement meets the rules of its craft, for choosing the best of several candidates."""

from __future__ import annotations

import numpy as np
from symusic.core import ScoreTick

from orchestrion.representations.arrangement import Arrangement
from orchestrion.theory.keys import ALL_KEYS, key_scores, pitch_class_histogram


def craft(arrangement: Arrangement, score: ScoreTick) -> float:
    """A score, higher is better: 0 for a piece with nothing against it, less for each fault.

    Faults: the key is not heard (by the profile method) or only just; notes outside the scale; bars in which nothing or
    no tune sounds; a tune that hardly moves or leaps about.
    """
    fault = 0.0
    histogram = pitch_class_histogram(score)
    if histogram.any():
        scores = key_scores(histogram)
        wanted = scores[ALL_KEYS.index(arrangement.key)]
        others = max(value for key, value in zip(ALL_KEYS, scores, strict=True) if key != arrangement.key)
        fault += 0.0 if wanted > others + 0.02 else 1.0 + float(others - wanted)
        outside = 1 - histogram[list(arrangement.key.scale)].sum() / histogram.sum()
        fault += 4 * max(float(outside) - 0.06, 0.0)
    bars = arrangement.bars
    silent = sum(not any(bar.events.values()) for bar in bars)
    lead = next((part.role for part in arrangement.parts if part.role == "melody"), None)
    quiet = sum(not bar.events.get(lead) for bar in bars) if lead else 0
    fault += 2 * silent / len(bars) + max(quiet / len(bars) - 0.25, 0.0)
    return -(fault + (_tune_fault(arrangement, lead) if lead else 0.0))


def _tune_fault(arrangement: Arrangement, lead: str) -> float:
    tops = np.array([max(event.pitches) for bar in arrangement.bars for event in bar.events.get(lead, ())])
    if len(tops) < 4:
        return 1.0
    leaps = np.abs(np.diff(tops))
    return float(max((leaps > 12).mean() - 0.05, 0.0) + max((leaps == 0).mean() - 0.5, 0.0))
