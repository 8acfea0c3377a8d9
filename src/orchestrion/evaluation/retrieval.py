"""How well things are found: ranks, R@k, median rank, mean reciprocal rank; and how well texts and sounds agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from orchestrion.errors import OptionError
from orchestrion.evaluation.neighbours import BLOCK, cosine_blocks, unit


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Results of a search.

    Attributes:
        recall: k → share of queries with what they look for among the first k.
        median_rank: 1 is best.
        mean_reciprocal_rank: 1 is best.
        queries, items: numbers of them.
    """

    recall: dict[int, float]
    median_rank: float
    mean_reciprocal_rank: float
    queries: int
    items: int


def ranks(
    similarity: Float[np.ndarray, "queries items"],
    targets: Int[np.ndarray, " queries"] | Bool[np.ndarray, "queries items"] | None = None,
) -> np.ndarray:
    """[queries] rank of the best relevant item of each query, 1 for the first.

    An item that is as similar as the relevant one counts as before it, so that equal scores for all gain nothing. Items
    whose similarity is no number come last.

    Args:
        targets: number of the relevant item, or a mask of all relevant ones; by default item i for query i.

    Raises:
        OptionError: a query has no relevant item.
    """
    similarity = np.where(np.isnan(similarity), -np.inf, similarity)
    queries, items = similarity.shape
    if targets is None or targets.ndim == 1:
        chosen = np.arange(queries) if targets is None else targets
        if len(chosen) != queries or not ((chosen >= 0) & (chosen < items)).all():
            raise OptionError(f"{queries} queries among {items} items do not each have an item of their own.")
        relevant = np.zeros((queries, items), bool)
        relevant[np.arange(queries), chosen] = True
    else:
        relevant = targets
    if relevant.shape != similarity.shape or not relevant.any(1).all():
        raise OptionError("A query has no relevant item; leave it out.")
    best = np.where(relevant, similarity, -np.inf).max(1, keepdims=True)
    return 1 + ((similarity >= best) & ~relevant).sum(1)


def retrieval(found: Sequence[int] | np.ndarray, *, items: int, ks: Sequence[int] = (1, 5, 10)) -> Retrieval:
    """The measures of ranks that `ranks` or `ranks_of_pairs` found among so many items.

    Raises:
        OptionError: there is no query.
    """
    found = np.asarray(found)
    if not len(found):
        raise OptionError("There is no query, so nothing can be measured.")
    return Retrieval(
        recall={k: float((found <= k).mean()) for k in ks},
        median_rank=float(np.median(found)),
        mean_reciprocal_rank=float((1 / found).mean()),
        queries=len(found),
        items=items,
    )


def ranks_of_pairs(
    queries: Float[np.ndarray, "n dim"], items: Float[np.ndarray, "m dim"], *, targets: np.ndarray | None = None
) -> np.ndarray:
    """`ranks` by cosine similarity, block by block: item i (or `targets[i]`) belongs to query i."""
    targets = np.arange(len(queries)) if targets is None else targets
    blocks = cosine_blocks(queries, items)
    return np.concatenate([ranks(block, targets[start : start + BLOCK]) for start, block in blocks])


def pair_similarity(first: Float[np.ndarray, "n dim"], second: Float[np.ndarray, "n dim"]) -> np.ndarray:
    """[n] cosine similarity of paired vectors; its mean over (text, sound) pairs is the CLAP score.

    Raises:
        OptionError: the sets do not pair up.
    """
    if first.shape != second.shape:
        raise OptionError(
            f"Vectors of shapes {first.shape} and {second.shape} do not pair up; embed both in one space."
        )
    return (unit(first) * unit(second)).sum(1)
