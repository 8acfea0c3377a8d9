"""Copies of training sound: how near each generated sound is to its nearest training sound (MusicLDM's SIM_AA)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from orchestrion.errors import OptionError
from orchestrion.evaluation.embedding_sets import EmbeddingSet, EmbeddingSettings, check_alike
from orchestrion.evaluation.neighbours import cosine_blocks

THRESHOLDS = (0.90, 0.95)  # of CLAP audio embeddings (MusicLDM, arXiv 2308.01546)


@dataclass(frozen=True, slots=True)
class Nearest:
    """The nearest item of each query: cosine similarity and number, [queries]."""

    similarity: np.ndarray
    item: np.ndarray


@dataclass(frozen=True, slots=True)
class Copy:
    """A generated sound, its nearest training sound, and their cosine similarity."""

    generated: str
    training: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Memorisation:
    """Report on copies.

    Attributes:
        shares: threshold → SIM_AA, the share of generated sounds whose nearest training sound is nearer than it.
        mean: of the similarities to the nearest training sound.
        closest: the pairs that are nearest to each other, nearest first.
        generated, training: numbers of sounds.
        settings: how both were embedded.
    """

    shares: dict[float, float]
    mean: float
    closest: tuple[Copy, ...]
    generated: int
    training: int
    settings: EmbeddingSettings


def nearest(queries: Float[np.ndarray, "n dim"], items: Float[np.ndarray, "m dim"], *, itself: bool = True) -> Nearest:
    """The nearest item of each query by cosine similarity.

    Args:
        itself: False where both are one set and no item may be its own neighbour.

    Raises:
        OptionError: there is nothing to compare with.
    """
    if not len(queries) or len(items) < 1 + (not itself):
        raise OptionError(f"{len(queries)} sounds have no neighbours among {len(items)}.")
    similarity, item = np.empty(len(queries)), np.empty(len(queries), int)
    for start, block in cosine_blocks(queries, items):
        rows = np.arange(len(block))
        if not itself:
            block[rows, start + rows] = -np.inf
        best = block.argmax(1)
        item[start : start + len(block)], similarity[start : start + len(block)] = best, block[rows, best]
    return Nearest(similarity, item)


def share_above(similarity: np.ndarray, threshold: float) -> float:
    """SIM_AA@threshold: share of similarities greater than the threshold."""
    return float((np.asarray(similarity) > threshold).mean())


def threshold_at(similarity: np.ndarray, share: float) -> float:
    """The greatest threshold at which at least this share of similarities is above: fixed on one system, it compares
    others with it where the embedding is not the paper's."""
    if not 0 < share <= 1 or not len(similarity):
        raise ValueError(f"a share between 0 and 1 of {len(similarity)} similarities is needed, not {share}")
    ordered = np.sort(np.asarray(similarity, float))[::-1]
    return float(np.nextafter(ordered[int(np.ceil(share * len(ordered))) - 1], -np.inf))


def memorisation(
    generated: EmbeddingSet, training: EmbeddingSet, *, thresholds: Sequence[float] = THRESHOLDS, closest: int = 10
) -> Memorisation:
    """The report on two sets of sounds that were embedded in the same way; the windows of a sound are averaged first.

    Raises:
        OptionError: they were not, or one is empty.
    """
    check_alike(generated.settings, training.settings)
    made, known = generated.per_sound(), training.per_sound()
    found = nearest(made.vectors, known.vectors)
    order = np.argsort(-found.similarity, kind="stable")[:closest]
    pairs = (Copy(made.names[i], known.names[found.item[i]], float(found.similarity[i])) for i in order)
    return Memorisation(
        shares={float(t): share_above(found.similarity, t) for t in thresholds},
        mean=float(found.similarity.mean()),
        closest=tuple(pairs),
        generated=len(made),
        training=len(known),
        settings=made.settings,
    )
