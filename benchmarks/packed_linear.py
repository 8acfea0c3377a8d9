"""Products of a few rows with a large weight, and attention over long sequences: torch's way beside ours.

    python benchmarks/packed_linear.py [--rows 1 3 8 1000] [--lengths 256 512 1000] [--rounds 5] [--threads 1]

Wall-clock time; medians of the rounds. The products are those of twelve layers of 512 to 2048 channels in turn, so that
weights come from memory as in a decoder; attention is that of three items, eight heads and 64 channels a head. On
processors of Intel both are the same.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from orchestrion.nn.attention import attend
from orchestrion.nn.packed_linear import Linear, packs


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 3, 8, 1000])
    parser.add_argument("--lengths", type=int, nargs="+", default=[256, 512, 1000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    packed = [Linear(512, 2048) for _ in range(12)]
    layers: dict[str, list[Callable[[torch.Tensor], torch.Tensor]]] = {
        "torch": [nn.Linear(512, 2048) for _ in range(12)],
        "packed": [layer.projection(cold=True) for layer in packed],
    }
    print(f"weights are packed here: {packs()}\n\n| rows | torch, ms | packed, ms | ratio |\n|---|---|---|---|")
    for rows in args.rows:
        x = torch.randn(rows, 512)
        _row(
            rows,
            {name: partial(_through, stack, x) for name, stack in layers.items()},
            args.rounds,
            len(layers["torch"]),
        )
    print("\n| steps | fused, ms | by heads, ms | ratio |\n|---|---|---|---|")
    for length in args.lengths:
        parts = [part.unflatten(-1, (8, -1)).transpose(1, 2) for part in torch.randn(3, length, 3 * 512).chunk(3, -1)]
        _row(
            length,
            {"fused": partial(scaled_dot_product_attention, *parts), "ours": partial(attend, *parts)},
            args.rounds,
        )


def _through(stack: list[Callable[[torch.Tensor], torch.Tensor]], x: torch.Tensor) -> None:
    for layer in stack:
        layer(x)


def _row(size: int, runs: dict[str, Callable[[], object]], rounds: int, times: int = 1) -> None:
    found: dict[str, list[float]] = {name: [] for name in runs}
    with torch.inference_mode():
        for _ in range(rounds + 1):  # the first warms up
            for name, run in runs.items():
                began = time.perf_counter()
                run()
                found[name].append(1000 * (time.perf_counter() - began) / times)
    plain, ours = (statistics.median(measured[1:]) for measured in found.values())
    print(f"| {size} | {plain:.3f} | {ours:.3f} | {plain / ours:.2f} |")


if __name__ == "__main__":
    main()
