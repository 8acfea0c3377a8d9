"""What happens between beats: onsets folded over the beat, which tells halves from thirds."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

PHASES = 12  # of a beat: halves, thirds and quarters fall on whole ones
FEWEST = 4  # beats that a profile is made of


def band_flux(spectrum: Float[np.ndarray, "bands frames"], *, groups: int = 3) -> Float[np.ndarray, "1+groups frames"]:
    """How much a spectrum rises at each frame, mean over all bands and over each of so many groups of them."""
    rise = np.maximum(np.diff(spectrum, axis=1, prepend=spectrum[:, :1]), 0)
    return np.stack([part.mean(0) for part in (rise, *np.array_split(rise, groups))])


def beat_profile(
    flux: Float[np.ndarray, "groups frames"], beats: Float[np.ndarray, " beats"]
) -> Float[np.ndarray, "groups phases"]:
    """Mean strength of onsets at twelve phases of the beat, divided by the mean over phases; 0 for too few beats.

    Args:
        beats: in frames. An onset counts up to one frame early or late.
    """
    if len(beats) < FEWEST:
        return np.zeros((len(flux), PHASES))
    at = beats[:-1, None] + np.diff(beats)[:, None] * np.arange(PHASES) / PHASES
    near = np.round(at).astype(int)[..., None] + np.arange(-1, 2)
    folded = flux[:, np.clip(near, 0, flux.shape[1] - 1)].max(-1).mean(1)
    return folded / (folded.mean(1, keepdims=True) + 1e-9)
