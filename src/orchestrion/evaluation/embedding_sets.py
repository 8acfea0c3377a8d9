"""Sets of embeddings, and how they were made: what has to be equal before two sets may be compared."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from orchestrion.errors import OptionError


@dataclass(frozen=True, slots=True)
class EmbeddingSettings:
    """How embeddings were made. Distances between sets depend on all of it, so it goes with every result.

    Attributes:
        space: names the embedding network and its weights.
        sample_rate: Hz that the sounds had, or were brought to first; it sets the bandwidth that the embedder hears.
        embedder_rate: Hz that the embedder listens at.
        resampler: what brought the sounds from one to the other.
        window: seconds that one embedding stands for; None where it is the whole sound.
        hop: seconds between windows.
        pooling: "none", or "mean" where the windows of a sound were averaged.
    """

    space: str
    sample_rate: int
    embedder_rate: int
    resampler: str
    window: float | None = None
    hop: float | None = None
    pooling: str = "none"

    def __str__(self) -> str:
        window = "whole sounds" if self.window is None else f"windows of {self.window:g} s every {self.hop or 0:g} s"
        pooled = ", averaged for each sound" if self.pooling == "mean" else ""
        return (
            f"embedding {self.space}, sounds at {self.sample_rate} Hz heard at {self.embedder_rate} Hz "
            f"({self.resampler}), {window}{pooled}"
        )


def check_alike(first: EmbeddingSettings, second: EmbeddingSettings) -> None:
    """Refuses to compare what was made in different ways.

    Raises:
        OptionError: the settings differ; the sentence names the first difference.
    """
    for field in dataclasses.fields(EmbeddingSettings):
        one, other = getattr(first, field.name), getattr(second, field.name)
        if one != other:
            name = field.name.replace("_", " ")
            raise OptionError(
                f"The two sets of embeddings cannot be compared because their {name} differs ({one} and {other}); "
                "make both in the same way."
            )


@dataclass(frozen=True, slots=True)
class EmbeddingSet:
    """Embeddings of a set of sounds.

    Attributes:
        vectors: one row an embedding.
        settings: how they were made.
        owner: number of the sound that each embedding belongs to.
        names: of the sounds.
    """

    vectors: Float[np.ndarray, "n dim"]
    settings: EmbeddingSettings
    owner: Int[np.ndarray, " n"]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or len(self.owner) != len(self.vectors):
            raise ValueError(f"{len(self.owner)} owners do not fit embeddings of shape {self.vectors.shape}")
        if not np.isfinite(self.vectors).all():
            raise ValueError("embeddings hold values that are no numbers")

    def __len__(self) -> int:
        return len(self.vectors)

    def per_sound(self) -> EmbeddingSet:
        """The mean of the embeddings of each sound; sounds without any drop out."""
        found, place = np.unique(self.owner, return_inverse=True)
        total = np.zeros((len(found), self.vectors.shape[1]))
        np.add.at(total, place, self.vectors)
        mean = (total / np.bincount(place)[:, None]).astype(np.float32)
        settings = dataclasses.replace(self.settings, pooling="mean")
        return EmbeddingSet(mean, settings, np.arange(len(found)), tuple(self.names[i] for i in found))
