"""How alike a piece is to itself: self-similarity matrices of chroma, as for fitness scape plots (Müller, Jiang &
Grohganz 2014; Müller, Fundamentals of Music Processing, chapter 4)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

TEMPI = tuple(2.0 ** ((i - 3) / 3) for i in range(7))  # 0.5 to 2, evenly spaced in the logarithm


def self_similarity(
    features: Float[np.ndarray, "dimensions frames"],
    *,
    smooth: int = 1,
    tempi: Sequence[float] = (1.0,),
    transpositions: Sequence[int] = (0,),
) -> Float[np.ndarray, "frames frames"]:
    """Inner products of all pairs of frames, smoothed along the diagonals.

    Args:
        features: columns of unit length (chroma, if transposed).
        smooth: frames over which values are averaged along paths, forward and backward; the greater of both counts.
        tempi: relative tempi of the paths, of which the best counts.
        transpositions: cyclic shifts of the rows, of which the best counts; `range(12)` ignores the key.
    """
    best = np.zeros((features.shape[1], features.shape[1]))
    for shift in transpositions:
        matrix = features.T @ np.roll(features, shift, axis=0)
        for tempo in tempi:
            stretched, back = _stretch(matrix.shape[1], tempo)
            sampled = matrix[:, stretched]
            forward = _path_sum(sampled, smooth)
            backward = _path_sum(sampled[::-1, ::-1], smooth)[::-1, ::-1]
            best = np.maximum(best, np.maximum(forward, backward)[:, back] / smooth)
    return best


def keep_strongest(
    matrix: Float[np.ndarray, "frames frames"], *, share: float = 0.25, penalty: float = -2.0
) -> Float[np.ndarray, "frames frames"]:
    """The strongest cells scaled to 0 … 1, all others set to `penalty`, and the diagonal to 1."""
    below = round(matrix.size * (1 - share))
    least = np.sort(matrix, axis=None)[below] if below < matrix.size else np.inf
    kept = (matrix >= least) & (matrix > 0)
    result = np.full(matrix.shape, penalty)
    if kept.any():
        low, high = matrix[kept].min(), matrix[kept].max()
        result[kept] = (matrix[kept] - low) / (high - low) if high > low else 1.0
    np.fill_diagonal(result, 1.0)
    return result


def novelty(matrix: Float[np.ndarray, "frames frames"], *, width: int) -> Float[np.ndarray, " frames"]:
    """How much the music changes at each frame: a checkerboard of ± `width` frames with a Gaussian taper, slid along
    the diagonal (Foote 2000); before the first and after the last frame the matrix is taken as zero. 1 is a change
    between two halves that are alike inside and share nothing."""
    offset = np.arange(-width, width) + 0.5
    taper = np.exp(-2 * (offset / width) ** 2)  # standard deviation: half the width
    kernel = np.outer(np.sign(offset) * taper, np.sign(offset) * taper)
    kernel /= kernel[kernel > 0].sum()
    padded = np.pad(matrix, width)
    return np.array([(padded[i : i + 2 * width, i : i + 2 * width] * kernel).sum() for i in range(len(matrix))])


def _stretch(count: int, tempo: float) -> tuple[np.ndarray, np.ndarray]:
    """Indices that read `count` columns at another tempo, and those that lead back."""
    other = int(np.ceil(count / tempo))
    there = np.maximum(np.round(np.arange(1, other + 1) / other * count) - 1, 0).astype(int)
    back = np.maximum(np.round(np.arange(1, count + 1) / count * other) - 1, 0).astype(int)
    return there, back


def _path_sum(matrix: np.ndarray, length: int) -> np.ndarray:
    """Sum of the `length` cells that follow each cell on its diagonal, itself included; outside is zero."""
    if length == 1:
        return matrix
    if length % 2:
        return _path_sum(matrix, length - 1) + _moved(matrix, length - 1)
    half = _path_sum(matrix, length // 2)
    return half + _moved(half, length // 2)


def _moved(matrix: np.ndarray, by: int) -> np.ndarray:
    moved = np.zeros_like(matrix)
    moved[: max(len(matrix) - by, 0), : max(matrix.shape[1] - by, 0)] = matrix[by:, by:]
    return moved
