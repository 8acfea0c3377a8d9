"""The Fréchet distance of two sets of embeddings: ours against the formula with scipy's matrix root of the product.

    python benchmarks/frechet.py [--n 1000] [--dim 2048] [--rounds 3]

Both begin with the same float64 embeddings. The other is fadtk's: means, `numpy.cov`, ‖Δμ‖² + tr Σ₁ + tr Σ₂ −
2 tr √(Σ₁Σ₂) by `scipy.linalg.sqrtm`, with 10⁻⁶ on the diagonals where the root is not finite. Runs are interleaved and
the median counts. Memory is the most that arrays take beside the embeddings.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
import tracemalloc
from typing import Any

import numpy as np


def embeddings(n: int, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Two sets whose covariances have falling spectra, as those of embedding networks."""
    rng = np.random.default_rng(0)
    scale = 1 / np.sqrt(1 + np.arange(dim))
    turn = np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    first = rng.normal(size=(n, dim)) * scale
    second = 0.02 + 1.1 * rng.normal(size=(n, dim)) * scale
    return first @ turn, second @ turn


def ours(first: np.ndarray, second: np.ndarray) -> float:
    """By `evaluation.frechet`."""
    from orchestrion.evaluation.frechet import frechet_distance

    return frechet_distance(first, second)


def theirs(first: np.ndarray, second: np.ndarray) -> float:
    """By the root of the product."""
    from scipy.linalg import sqrtm

    shift = first.mean(0) - second.mean(0)
    a, b = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    root: Any = sqrtm(a @ b)
    if not np.isfinite(root).all():
        offset = 1e-6 * np.eye(len(a))
        root = sqrtm((a + offset) @ (b + offset))
    return float(shift @ shift + np.trace(a) + np.trace(b) - 2 * np.trace(np.real(root)))


METHODS = {"orchestrion": ours, "scipy sqrtm": theirs}


def once(name: str, n: int, dim: int, pipe: Any) -> None:
    """Sends distance, seconds, and the most MiB of arrays that were held beside the embeddings."""
    first, second = embeddings(n, dim)
    METHODS[name](first[:8, :4], second[:8, :4])  # imports
    tracemalloc.start()
    start = time.perf_counter()
    distance = METHODS[name](first, second)
    seconds = time.perf_counter() - start
    pipe.send((distance, seconds, tracemalloc.get_traced_memory()[1] / 2**20))


def main() -> None:
    """Prints the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--n", type=int, default=1000)
    options.add_argument("--dim", type=int, default=2048)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    context = multiprocessing.get_context("spawn")
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in METHODS}
    for _ in range(given.rounds):
        for name in METHODS:
            here, there = context.Pipe()
            process = context.Process(target=once, args=(name, given.n, given.dim, there))
            process.start()
            found[name].append(here.recv())
            process.join()
    medians = {name: statistics.median(seconds for _, seconds, _ in rows) for name, rows in found.items()}
    values = {name: rows[0][0] for name, rows in found.items()}
    apart = abs(values["orchestrion"] - values["scipy sqrtm"]) / abs(values["scipy sqrtm"])
    print("| method | s (median) | ratio | more memory, MiB | distance |\n|---|---|---|---|---|")
    for name in ("scipy sqrtm", "orchestrion"):
        memory = statistics.median(extra for _, _, extra in found[name])
        ratio = medians["scipy sqrtm"] / medians[name]
        print(f"| {name} | {medians[name]:.2f} | {ratio:.1f} | {memory:.0f} | {values[name]:.6f} |")
    print(f"\n{given.n} embeddings a set, {given.dim} dimensions; relative difference {apart:.1e}.")


if __name__ == "__main__":
    main()
