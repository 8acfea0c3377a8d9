"""Nearest neighbours among embeddings, block by block, so that memory does not grow with the product of both sets."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

BLOCK = 1024  # rows at a time


def unit(vectors: Float[np.ndarray, "n dim"]) -> np.ndarray:
    """Rows of length 1, float32; a row of zeros stays one."""
    vectors = np.asarray(vectors, np.float32)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)


def cosine_blocks(
    queries: Float[np.ndarray, "n dim"], items: Float[np.ndarray, "m dim"], *, block: int = BLOCK
) -> Iterator[tuple[int, np.ndarray]]:
    """(first row, cosine similarities [rows, m]) of the queries, block by block."""
    queries, items = unit(queries), unit(items)
    for start in range(0, len(queries), block):
        yield start, queries[start : start + block] @ items.T


def distance_blocks(
    queries: Float[np.ndarray, "n dim"], items: Float[np.ndarray, "m dim"], *, block: int = BLOCK
) -> Iterator[tuple[int, np.ndarray]]:
    """(first row, squared Euclidean distances [rows, m]) of the queries, block by block, in float64."""
    centre = np.asarray(items, np.float64).mean(0)  # so that little is lost in differences of squares
    queries, items = np.asarray(queries, np.float64) - centre, np.asarray(items, np.float64) - centre
    lengths = np.square(items).sum(1)
    for start in range(0, len(queries), block):
        rows = queries[start : start + block]
        yield start, np.maximum(np.square(rows).sum(1)[:, None] + lengths - 2 * (rows @ items.T), 0)


def radii(vectors: Float[np.ndarray, "n dim"], k: int) -> np.ndarray:
    """[n] squared distance of each vector to its k-th nearest other one."""
    found = np.empty(len(vectors))
    for start, block in distance_blocks(vectors, vectors):
        rows = np.arange(len(block))
        block[rows, start + rows] = np.inf  # not its own neighbour
        found[start : start + len(block)] = np.partition(block, k - 1, axis=1)[:, k - 1]
    return found
