"""From a tagger's activations to tags."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def top_tags(
    activations: np.ndarray, names: Sequence[str], *, max_num_tags: int, threshold: float
) -> tuple[list[str], list[float]]:
    """The best `max_num_tags` tags of the mean over frames that lie above `threshold` (strictly), best first.

    Args:
        activations: [frames, tags], or [tags] for a single frame.

    Returns:
        Names and mean activations rounded to four digits (MidiCaps: 4 genres above 0.05, 5 moods above 0.02).
    """
    mean = np.atleast_2d(np.asarray(activations, dtype=float)).mean(axis=0)
    if len(mean) != len(names):
        raise ValueError(f"{len(mean)} activations for {len(names)} tags")
    best = [int(i) for i in np.argsort(-mean, kind="stable")[:max_num_tags] if mean[i] > threshold]
    return [names[i] for i in best], [round(float(mean[i]), 4) for i in best]
