"""Moving music to C major or A minor, where models that know no keys read and write it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from orchestrion.theory.keys import Key

REGISTER = 71  # MIDI; melodies are moved by octaves so that their mean lies within half an octave of it


def shift_to_c(key: Key) -> int:
    """Semitones that bring a key to C major or A minor."""
    return -(key.tonic if key.mode == "major" else key.relative.tonic) % 12


def shift_to_register(key: Key, pitches: Sequence[int] | Int[np.ndarray, " notes"], *, register: int = REGISTER) -> int:
    """The same, with the octaves that bring the mean of MIDI pitches nearest to `register`."""
    shift = shift_to_c(key)
    mean = float(np.mean(pitches)) if len(pitches) else float(register)
    return shift + 12 * round((register - mean - shift) / 12)
