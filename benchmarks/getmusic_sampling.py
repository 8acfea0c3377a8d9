"""Time of sampling with GETMusic at full size against the authors' code, with the same weights and the same grid.

    python benchmarks/getmusic_sampling.py CHECKOUT --columns 128 --rounds 3 --clock cpu

CHECKOUT is a clone of github.com/microsoft/muzic; its code needs `transformers` and `einops`. Every round runs both,
one after the other; the medians and their ratio are printed. The lead and the chords are given and five tracks are
written.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import torch

from orchestrion.hub.official import getmusic as official
from orchestrion.representations.getscore import CHORD_ROW, ROWS
from orchestrion.systems.getmusic import GETMusic

SIZES = {"vocab_size": 11880, "cond_weight": 0.5}


def published(checkout: Path, steps: int):
    """The authors' diffusion model with random weights."""
    folder = checkout / "getmusic" if (checkout / "getmusic" / "getmusic").is_dir() else checkout
    sys.path.insert(0, str(folder))
    from getmusic.modeling.roformer.diffusion_roformer import DiffusionRFM

    target = "getmusic.modeling.roformer.roformer_utils.DiffusionRoformerModel"
    return DiffusionRFM(
        roformer_config={"target": target, "params": dict(SIZES)}, diffusion_step=steps, alpha_init_type="alpha1"
    ).eval()


def make_grid(vocabulary, columns: int) -> torch.Tensor:
    """A lead with a note every fourth column, chords, and MASK in the other tracks."""
    grid = torch.full((1, ROWS, columns), vocabulary.mask)
    grid[:, :2] = vocabulary.pad
    first = vocabulary.track_range(0)[0]
    grid[0, 0, ::4] = first + 60 + torch.arange(len(range(0, columns, 4))) % 12
    grid[0, 1, ::4] = 3
    grid[:, CHORD_ROW], grid[:, CHORD_ROW + 1] = vocabulary.roots, vocabulary.kinds
    return grid


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--columns", type=int, default=128)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu: seconds of processor time")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    theirs = published(arguments.checkout, arguments.steps)
    ours = GETMusic.from_preset("paper", steps=arguments.steps).eval()
    missing, unexpected = ours.load_state_dict(official.convert(theirs.state_dict()), strict=False)
    assert not missing and not unexpected, (missing, unexpected)
    grid = make_grid(ours.vocabulary, arguments.columns)
    source = grid != ours.vocabulary.mask
    with torch.inference_mode():
        t, flat = torch.tensor([arguments.steps // 2]), grid.flatten(1)
        same = theirs.roformer(flat, t, source.long().flatten(1))
        ready = ours.network(grid, t, source).flatten(1, 2)
    logits = (same[0] if isinstance(same, tuple) else same).reshape(ready.shape[0], ready.shape[1], -1)
    print("largest difference of the logits:", float((logits[..., : ready.shape[-1]] - ready).abs().max()))
    clock = time.process_time if arguments.clock == "cpu" else time.perf_counter
    times: dict[str, list[float]] = {"published": [], "orchestrion": []}
    for number in range(arguments.rounds):
        start = clock()
        theirs.sample(grid.clone(), 0, torch.ones_like(grid), source.long())
        times["published"].append(clock() - start)
        start = clock()
        ours.sample(grid, joint=False, generator=torch.Generator().manual_seed(number))
        times["orchestrion"].append(clock() - start)
        print({name: round(values[-1], 1) for name, values in times.items()}, flush=True)
    medians = {name: statistics.median(values) for name, values in times.items()}
    ratio = medians["published"] / medians["orchestrion"]
    print(f"| {arguments.columns} columns, {arguments.steps} steps | {medians['published']:.1f} s | "
          f"{medians['orchestrion']:.1f} s | {ratio:.2f}× |")  # fmt: skip


if __name__ == "__main__":
    main()
