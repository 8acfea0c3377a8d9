"""Vectors that stand for windows of sound, or for a text: the record that embedders return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Vectors that stand for windows of audio.

    Attributes:
        vectors: float32 [windows, dim]; one window where they were pooled.
        starts: of the windows, in seconds.
        window: length in seconds.
        space: names the embedding and its weights; only vectors of one space can be compared.
    """

    vectors: np.ndarray
    starts: tuple[float, ...]
    window: float
    space: str
