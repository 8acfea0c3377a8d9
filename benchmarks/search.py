"""The index on disk: how fast vectors are added, and how long a search takes among many.

    python benchmarks/search.py [--add 10000] [--among 100000] [--dim 512] [--queries 200]

Vectors lie around 200 centres, as embeddings of music do around styles. Adding goes through `VectorIndex.put` in parts
of 1,000, with what `index` does at its end. The time of a search is that of `VectorIndex.search` for the ten nearest,
of queries that are not in the index; recall is the share of the ten truly nearest that is found.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from process import peak_memory

from orchestrion.data.vector_index import Row, Space, VectorIndex

NEAREST = 10


def vectors(n: int, dim: int, seed: int) -> np.ndarray:
    """[n, dim] of unit length."""
    centres = np.random.default_rng(0).normal(size=(200, dim))
    rng = np.random.default_rng(seed)
    found = (centres[rng.integers(200, size=n)] + rng.normal(size=(n, dim))).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def fill(index: VectorIndex, rows: np.ndarray, first: int, part: int = 1000) -> float:
    """Adds vectors; returns the seconds."""
    start = time.perf_counter()
    for begin in range(0, len(rows), part):
        numbers = range(begin, min(begin + part, len(rows)))
        index.put("bench", [Row(f"{first + i:09d}.wav", 0, 0, "0" * 64, 180.0, rows[i]) for i in numbers])
    return time.perf_counter() - start


def peak() -> float:
    """MiB that this process has held at most."""
    return peak_memory()


def main() -> None:
    """Prints the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--add", type=int, default=10_000)
    options.add_argument("--among", type=int, default=100_000)
    options.add_argument("--dim", type=int, default=512)
    options.add_argument("--queries", type=int, default=200)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        index = VectorIndex(Path(folder) / "index", root=Path(folder))
        index.begin(Space("bench", "bench:0", given.dim, text=False))
        rows = vectors(given.among, given.dim, 1)
        before = peak()
        added = fill(index, rows[: given.add], 0)
        start = time.perf_counter()
        index.settle("bench")
        settled = time.perf_counter() - start
        rest = fill(index, rows[given.add :], given.add)
        start = time.perf_counter()
        index.settle("bench")
        grouped = time.perf_counter() - start
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 2**20
        filled = peak()
        queries = vectors(given.queries, given.dim, 2)
        index.search("bench", queries[0])
        times, right = [], 0
        for query in queries:
            start = time.perf_counter()
            hits = index.search("bench", query, n=NEAREST)
            times.append(1000 * (time.perf_counter() - start))
            truth = np.argsort(-(rows @ query))[:NEAREST]
            right += len({int(hit.path.stem) for hit in hits} & set(truth.tolist()))
        searched = peak()
    ordered = sorted(times)
    print("| work | |\n|---|---|")
    print(f"| add {given.add:,} vectors | {added + settled:.1f} s ({given.add / (added + settled):,.0f} a second) |")
    print(f"| add {given.among - given.add:,} more | {rest:.1f} s, and {grouped:.1f} s to group all |")
    print(f"| search among {given.among:,}, p50 | {statistics.median(times):.1f} ms |")
    print(f"| p95 | {ordered[int(0.95 * len(ordered))]:.1f} ms |")
    print(f"| recall of the nearest {NEAREST} | {right / NEAREST / given.queries:.3f} |")
    print(f"| on disk | {size:.0f} MiB for {rows.nbytes / 2**20:.0f} MiB of vectors |")
    print(f"| peak memory | {before:.0f} MiB before, {filled:.0f} after filling, {searched:.0f} after searching |")


if __name__ == "__main__":
    main()
