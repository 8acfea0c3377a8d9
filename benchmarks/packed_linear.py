"""Products of a few rows with a large weight: torch's linear layer beside the one that packs weights.

    python benchmarks/packed_linear.py [--rows 1 3 8 1000] [--rounds 5]

One thread, wall-clock time, twelve layers of 512 to 2048 channels in turn, so that weights come from memory as in a
decoder; medians of the rounds. On processors of Intel both are the same.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from torch import nn

from orchestrion.nn.packed_linear import Linear, packs


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 3, 8, 1000])
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    layers = {"torch": [nn.Linear(512, 2048) for _ in range(12)], "packed": [Linear(512, 2048) for _ in range(12)]}
    print(f"weights are packed here: {packs()}\n\n| rows | torch, ms | packed, ms | ratio |\n|---|---|---|---|")
    for rows in args.rows:
        x, found = torch.randn(rows, 512), {name: [] for name in layers}
        with torch.inference_mode():
            for _ in range(args.rounds + 1):
                for name, stack in layers.items():
                    began = time.perf_counter()
                    for layer in stack:
                        layer(x)
                    found[name].append(1000 * (time.perf_counter() - began) / len(stack))
        plain, packed = (statistics.median(times[1:]) for times in found.values())
        print(f"| {rows} | {plain:.3f} | {packed:.3f} | {plain / packed:.2f} |")


if __name__ == "__main__":
    main()
