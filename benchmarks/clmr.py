"""CLMR: vectors of ten minutes of sound, ours against the authors' loop over windows.

    python benchmarks/clmr.py [CHECKOUT] [--minutes 10] [--rounds 3] [--threads 2] [--clock wall]

Both have the same random weights of the published size, in single precision; the sound lies in memory as mono samples
at 22,050 Hz. The authors' code splits it into windows of 59,049 samples and gives them to the network at once; "window
by window" is the same network, one window at a time. Runs are interleaved and the median of the rounds counts. Peak
memory is that of a process which does nothing else. CHECKOUT is a copy of the authors' repository (branch master);
without it, the same layers are put together here.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import subprocess
import sys
import time
import types
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from process import peak_memory
from torch import nn

WINDOW, RATE = 59049, 22050
KINDS = ("official, all windows at once", "official, window by window", "orchestrion", "orchestrion, bfloat16")


def published(checkout: str | None) -> nn.Module:
    """The authors' encoder without its last layer."""
    if checkout is not None:
        package = types.ModuleType("clmr_models")  # its own imports need packages that this comparison does not
        package.__path__ = [str(Path(checkout) / "clmr" / "models")]  # type: ignore[attr-defined]
        sys.modules["clmr_models"] = package
        kind = importlib.import_module("clmr_models.sample_cnn").SampleCNN
        network = kind(strides=[3] * 9, supervised=False, out_dim=50)
        network.fc = nn.Identity()
        return network.eval()
    channels = (128, 128, 128, 256, 256, 256, 256, 256, 256, 512)
    layers: list[nn.Module] = [nn.Sequential(nn.Conv1d(1, 128, 3, 3), nn.BatchNorm1d(128), nn.ReLU())]
    for one, two in pairwise(channels):
        conv = nn.Conv1d(one, two, 3, padding=1)
        layers.append(nn.Sequential(conv, nn.BatchNorm1d(two), nn.ReLU(), nn.MaxPool1d(3, stride=3)))
    layers.append(nn.Sequential(nn.Conv1d(512, 512, 3, padding=1), nn.BatchNorm1d(512), nn.ReLU()))
    return nn.Sequential(nn.Sequential(*layers), nn.Flatten()).eval()


def loops(checkout: str | None) -> dict[str, Callable[[torch.Tensor], torch.Tensor]]:
    """Each way from samples [1, samples] to vectors [windows, 512]."""
    from orchestrion.hub.official.clmr import arguments, convert
    from orchestrion.media.audio import Audio
    from orchestrion.nn.sample_cnn_inference import FoldedSampleCnn
    from orchestrion.systems.clmr import CLMR

    torch.manual_seed(0)
    theirs = published(checkout)
    ours = CLMR(**arguments({"strides": [3] * 9, "projection_dim": 64}))
    names = {key: value for key, value in theirs.state_dict().items() if not key.startswith("fc")}
    state = {f"encoder.sequential.{key.partition('.')[2]}": value for key, value in names.items()}
    ours.load_state_dict(convert(state), strict=False)
    ours.eval()

    def at_once(samples: torch.Tensor) -> torch.Tensor:
        parts = torch.split(samples, WINDOW, dim=1)
        return theirs(torch.cat(parts[:-1]).unsqueeze(1))

    def one_by_one(samples: torch.Tensor) -> torch.Tensor:
        parts = torch.split(samples, WINDOW, dim=1)
        return torch.cat([theirs(part[None]) for part in parts[:-1]])

    def embed(samples: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(ours.embed(Audio(samples.numpy(), RATE), pooling="none").vectors)

    def half(samples: torch.Tensor) -> torch.Tensor:
        network = FoldedSampleCnn(ours.encoder, precision=torch.bfloat16)
        return network(samples[0, : samples.shape[1] // WINDOW * WINDOW].view(-1, WINDOW))

    return dict(zip(KINDS, (at_once, one_by_one, embed, half), strict=True))


def sound(minutes: float) -> torch.Tensor:
    """Noise whose last window is not whole."""
    samples = int(minutes * 60 * RATE) // WINDOW * WINDOW + 1000
    rng = np.random.default_rng(0)
    return torch.from_numpy(0.1 * rng.standard_normal((1, samples)).astype(np.float32))


def peak(options: argparse.Namespace, kind: str) -> float:
    """Largest memory in GB of a process that runs one loop once, less that of one that runs none."""
    command = [sys.executable, __file__, *([options.checkout] if options.checkout else [])]
    command += ["--minutes", str(options.minutes), "--threads", str(options.threads), "--only"]
    both = [float(subprocess.run([*command, one], check=True, capture_output=True, text=True).stdout)
            for one in (kind, "nothing")]  # fmt: skip
    return both[0] - both[1]


@torch.inference_mode()
def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkout", nargs="?")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    ways, samples = loops(options.checkout), sound(options.minutes)
    if options.only is not None:
        if options.only != "nothing":
            ways[options.only](samples)
        print(peak_memory() / 1024)
        return
    clock = time.perf_counter if options.clock == "wall" else time.process_time
    times: dict[str, list[float]] = {kind: [] for kind in ways}
    vectors: dict[str, torch.Tensor] = {}
    short = sound(0.2)
    for way in ways.values():
        way(short)
    for _ in range(options.rounds):
        for kind, way in ways.items():
            start = clock()
            vectors[kind] = way(samples)
            times[kind].append(clock() - start)
    base, first = statistics.median(times[KINDS[0]]), vectors[KINDS[0]]
    print(f"{options.minutes:g} minutes, {len(first)} windows, {options.threads} threads, {options.clock} time")
    print("| loop | seconds (median) | × real time | ratio | largest difference | memory, GB |")
    print("|---|---|---|---|---|---|")
    for kind, taken in times.items():
        seconds = statistics.median(taken)
        difference = float((vectors[kind] - first).abs().max() / first.abs().max())
        figures = (f"{seconds:.2f}", f"{options.minutes * 60 / seconds:.0f}", f"{base / seconds:.2f}")
        print("|", " | ".join([kind, *figures, f"{difference:.1e}", f"{peak(options, kind):.2f}"]), "|")


if __name__ == "__main__":
    main()
