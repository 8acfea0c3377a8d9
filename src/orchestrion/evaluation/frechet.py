"""Fréchet distance of embeddings (FAD, FD), and its extrapolation to infinitely many of them.

The distance of two Gaussians (Dowson & Landau 1982) fitted to embeddings: ‖μ₁ − μ₂‖² + tr Σ₁ + tr Σ₂ − 2 tr (Σ₁Σ₂)^½;
FAD after Kilgour et al. 2019 (arXiv 1812.08466), extrapolation after Gui et al. 2023 (arXiv 2311.01616).

No matrix root is taken here. With Σ = FᵀF for each set, the eigenvalues of Σ₁Σ₂ are the squared singular values of
F₁F₂ᵀ, so that tr (Σ₁Σ₂)^½ is the sum of the singular values of a matrix as large as the smaller of dimension and number
of embeddings. The centred embeddings are such a factor themselves; nothing is squared, so that singular covariances
need no mending and the rounding error stays at the size of machine precision instead of its root.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from orchestrion.errors import OptionError
from orchestrion.evaluation.embedding_sets import EmbeddingSet, EmbeddingSettings, check_alike

FEW = 0.1  # share by which numbers of embeddings may differ between results that are not extrapolated


@dataclass(frozen=True, slots=True)
class Gaussian:
    """The Gaussian of a set of embeddings: mean, covariance as FᵀF (divisor n − 1), and their number.

    Attributes:
        mean: [dim] float64.
        factor: F, at most `dim` rows, float64.
        n: number of embeddings.
    """

    mean: Float[np.ndarray, " dim"]
    factor: Float[np.ndarray, "rows dim"]
    n: int

    @classmethod
    def fit(cls, vectors: Float[np.ndarray, "n dim"]) -> Gaussian:
        """Of embeddings.

        Raises:
            OptionError: there are fewer than two, or some are no numbers.
        """
        vectors = np.asarray(vectors, np.float64)
        if vectors.ndim != 2 or len(vectors) < 2:
            raise OptionError(f"A Fréchet distance needs at least two embeddings a set, not {len(vectors)}.")
        if not np.isfinite(vectors).all():
            raise OptionError("A set of embeddings holds values that are no numbers; leave those sounds out.")
        mean = vectors.mean(0)
        return cls(mean, _reduced((vectors - mean) / np.sqrt(len(vectors) - 1)), len(vectors))

    def merge(self, other: Gaussian) -> Gaussian:
        """Of both sets together, as if fitted to all at once; a stream of batches takes constant memory."""
        n = self.n + other.n
        shift = other.mean - self.mean
        rows = np.concatenate(
            [
                self.factor * np.sqrt(self.n - 1),
                other.factor * np.sqrt(other.n - 1),
                shift[None] * np.sqrt(self.n * other.n / n),
            ]
        )
        return Gaussian(self.mean + shift * (other.n / n), _reduced(rows / np.sqrt(n - 1)), n)

    @property
    def covariance(self) -> Float[np.ndarray, "dim dim"]:
        """Σ."""
        return self.factor.T @ self.factor


def _reduced(factor: Float[np.ndarray, "rows dim"]) -> np.ndarray:
    """A factor of the same covariance with at most as many rows as columns (the R of a QR decomposition)."""
    return factor if len(factor) <= factor.shape[1] else np.asarray(np.linalg.qr(factor, mode="r"))


def gaussian_distance(first: Gaussian, second: Gaussian) -> float:
    """The squared Fréchet (Wasserstein-2) distance of two Gaussians.

    Raises:
        OptionError: they are of different dimension.
    """
    if len(first.mean) != len(second.mean):
        raise OptionError(
            f"Embeddings of {len(first.mean)} and of {len(second.mean)} dimensions cannot be compared; use one of them."
        )
    from scipy.linalg import svdvals

    shift = first.mean - second.mean
    spread = np.square(first.factor).sum() + np.square(second.factor).sum()
    cross = np.asarray(svdvals(first.factor @ second.factor.T, overwrite_a=True, check_finite=False)).sum()
    return max(float(shift @ shift + spread - 2 * cross), 0.0)


def frechet_distance(first: Float[np.ndarray, "n dim"], second: Float[np.ndarray, "m dim"]) -> float:
    """`gaussian_distance` of Gaussians fitted to two sets of embeddings.

    Its bias falls with the number of embeddings; ten times the dimension are advised.

    Raises:
        OptionError: a set has fewer than two embeddings, or the dimensions differ.
    """
    return gaussian_distance(Gaussian.fit(first), Gaussian.fit(second))


@dataclass(frozen=True, slots=True)
class Extrapolation:
    """The line distance = intercept + slope / n, and R², the share of the variance that it explains."""

    intercept: float
    slope: float
    r_squared: float


def extrapolate(sizes: Sequence[int], distances: Sequence[float]) -> Extrapolation:
    """Least-squares line through distances over 1/n.

    Raises:
        ValueError: fewer than two different sizes.
    """
    if len(set(sizes)) < 2 or len(sizes) != len(distances):
        raise ValueError(f"a line needs distances at two sizes or more, not {len(distances)} at {sorted(set(sizes))}")
    x, y = 1 / np.asarray(sizes, float), np.asarray(distances, float)
    slope, intercept = np.polyfit(x, y, 1)
    rest, spread = np.square(y - slope * x - intercept).sum(), np.square(y - y.mean()).sum()
    return Extrapolation(float(intercept), float(slope), float(1 - rest / spread) if spread > 0 else 1.0)


@dataclass(frozen=True, slots=True)
class FrechetScore:
    """A Fréchet distance and all that it depends on.

    Attributes:
        distance: lower is nearer.
        generated, reference: numbers of embeddings.
        dimension: of the embeddings.
        settings: how both sets were embedded.
        line: of the extrapolation to infinitely many embeddings; None where the distance is the plain one.
    """

    distance: float
    generated: int
    reference: int
    dimension: int
    settings: EmbeddingSettings
    line: Extrapolation | None = None

    @property
    def extrapolated(self) -> bool:
        return self.line is not None

    def __str__(self) -> str:
        how = f"extrapolated, R² {self.line.r_squared:.3f}" if self.line is not None else "not extrapolated"
        return (
            f"FAD {self.distance:.4g} (N = {self.generated} against {self.reference}, {self.dimension} dimensions, "
            f"{how}; {self.settings})"
        )

    def minus(self, other: FrechetScore) -> float:
        """By how much the distance is greater than another one that was measured in the same way.

        Raises:
            OptionError: they were measured in different ways.
        """
        check_alike(self.settings, other.settings)
        if self.extrapolated != other.extrapolated:
            raise OptionError(
                "An extrapolated Fréchet distance cannot be compared with a plain one; measure both alike."
            )
        if self.reference != other.reference:
            raise OptionError(
                f"Fréchet distances against {self.reference} and {other.reference} reference embeddings cannot be "
                "compared; use one reference set."
            )
        if not self.extrapolated and abs(self.generated - other.generated) > FEW * max(self.generated, other.generated):
            raise OptionError(
                f"Fréchet distances of {self.generated} and {other.generated} embeddings cannot be compared because "
                "the distance falls with their number; take as many of each, or extrapolate."
            )
        return self.distance - other.distance


def frechet_score(generated: EmbeddingSet, reference: EmbeddingSet) -> FrechetScore:
    """The plain distance of two sets that were embedded in the same way.

    Raises:
        OptionError: they were not, or one is too small.
    """
    check_alike(generated.settings, reference.settings)
    distance = frechet_distance(generated.vectors, reference.vectors)
    return FrechetScore(distance, len(generated), len(reference), generated.vectors.shape[1], generated.settings)


def frechet_infinity(
    generated: EmbeddingSet,
    reference: EmbeddingSet,
    *,
    smallest: int | None = None,
    steps: int = 15,
    seed: int = 0,
    quirks: str | None = None,
) -> FrechetScore:
    """The distance extrapolated to infinitely many generated embeddings: the intercept of its line over 1/n.

    Subsets of sizes evenly spaced from `smallest` to all are drawn without replacement (Chong & Forsyth 2020, arXiv
    1911.07023). The published toolkit draws with replacement, which estimates the plain distance of the set at hand
    again.

    Args:
        smallest: size of the smallest subset; by default 500, or a quarter of the set where it has under 2,000.
        quirks: "official" draws with replacement.

    Raises:
        OptionError: the sets were embedded in different ways, or are too small.
    """
    if quirks not in (None, "official"):
        raise OptionError(f"There are no quirks {quirks!r} of the extrapolation; leave them out or write 'official'.")
    check_alike(generated.settings, reference.settings)
    n = len(generated)
    smallest = min(500, n // 4) if smallest is None else smallest
    if not 2 <= smallest < n or steps < 2:
        raise OptionError(
            f"A Fréchet distance of {n} embeddings cannot be extrapolated from subsets of {smallest} in {steps} steps; "
            "give more sounds."
        )
    rng = np.random.default_rng(seed)
    target = Gaussian.fit(reference.vectors)
    sizes = np.unique(np.linspace(smallest, n, steps).astype(int)).tolist()
    distances = []
    for size in sizes:
        rows = rng.choice(n, size, replace=quirks == "official")
        distances.append(gaussian_distance(Gaussian.fit(generated.vectors[rows]), target))
    line = extrapolate(sizes, distances)
    return dataclasses.replace(
        FrechetScore(line.intercept, n, len(reference), generated.vectors.shape[1], generated.settings), line=line
    )
