"""What the listeners share: where their weights lie, and at which rate and level they hear."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
from jaxtyping import Float

from orchestrion.media.audio import Audio
from orchestrion.systems.card import Card
from orchestrion.systems.listeners.front_ends import RATE, levelled
from orchestrion.systems.system import System

WEIGHTS = Path(__file__).parents[2] / "weights"


class Listener(System):
    """A network of ours that hears something in sound. Not a published system, so it stands in no list of them."""

    @classmethod
    def bundled(cls) -> Path:
        """Where the weights lie that come with the package, if they do: only listeners that were measured to be better
        than what needs no training."""
        return WEIGHTS / f"{cls.card.name}.safetensors"

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """The listener that comes with the package, or another file.

        Raises:
            WeightsError: the file is missing, damaged, or of another listener.
        """
        return cls.from_file(path or cls.bundled())


def own_card(name: str, title: str) -> Card:
    """The card of a listener, which no paper describes."""
    return Card(name=name, title=title, arxiv="", tasks=(), modalities=("audio",), licence="Apache-2.0")


def as_heard(audio: Audio) -> Float[np.ndarray, " samples"]:
    """One channel at the listeners' rate and level."""
    return levelled(audio.mono().resample(RATE).samples[0])
