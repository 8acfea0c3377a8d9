"""What listeners call calm or excited, told by Music FaderNets from their labels of few segments.

    python benchmarks/listener_arousal.py FOLDER [--steps 1500] [--seeds 0 1 2]

FOLDER holds VGMIDI with its raw annotations (the data set `vgmidi_curves`). Networks of the preset `mini` learn from
segments of the compact corpus without labels and of the training part of VGMIDI with labels; they are asked for the
arousal of segments of the held-out pieces. For comparison: the weights that ship, which know a stand-in made of
densities; a rule on that stand-in; the more frequent answer; and one encoder without low-level losses.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from orchestrion.data.corpus import load_corpus
from orchestrion.data.datasets import load_dataset
from orchestrion.data.piece import Piece
from orchestrion.reproductions.music_fadernets import fit
from orchestrion.systems.music_fadernets import MusicFaderNets
from orchestrion.systems.registry import load
from orchestrion.training.fader_measures import measured
from orchestrion.training.fader_segments import FaderData, stand_in_arousal, training_segments

UNLABELLED, LABELLED = 20_000, 1013  # the latter as the paper has them


def segments(model: MusicFaderNets, pieces: Sequence[Piece], most: int = UNLABELLED) -> list:
    """Segments that a network of this size can read."""
    return training_segments(
        pieces, share=model.full_share, top_notes=model.top_notes, most=most, longest=model.longest, ids=model.ids,
        timed=model.grid == "performance",
    )  # fmt: skip


def held(model: MusicFaderNets, found: Sequence) -> FaderData:
    """Segments as batches; one batch in `labelled_every` is labelled."""
    return FaderData(
        found, batch_size=model.batch_size, labelled_batch=model.labelled_batch, labels=model.labels,
        labelled_every=model.labelled_every, longest=model.longest, device=lambda: model.device,
    )  # fmt: skip


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()

    shipped = load("music_fadernets")
    assert isinstance(shipped, MusicFaderNets)
    told = {split: [] for split in ("train", "validation", "test")}
    for piece in load_dataset("vgmidi_curves", args.folder):
        told[piece.split].append(piece)
    print(f"phrases: {sum(map(len, told.values()))} of {len({p.title for ps in told.values() for p in ps})} titles")
    labelled = segments(shipped, told["train"], LABELLED)
    asked = segments(shipped, [*told["validation"], *told["test"]])
    held_out = held(shipped, asked)
    truth = held_out.truth
    unlabelled = [replace(one, arousal=None) for one in segments(shipped, load_corpus("compact", split="train"))]
    share = len(labelled) / (len(labelled) + len(unlabelled))
    print(f"labelled: {len(labelled)} segments, {share:.1%} of all; held out: {len(truth)} segments")
    print(f"the more frequent answer: {max(truth.mean(), 1 - truth.mean()):.3f}")
    rule = stand_in_arousal(held_out.arrays["densities"])
    print(f"densities above their mean: {(rule == truth).mean():.3f}")
    print(f"the weights that ship: {measured(shipped.network, held_out)['arousal right']:.3f}")
    variants = {"mini": {}, "one encoder": {"family": "single_gmvae", "ordered": False}}
    for name, changes in variants.items():
        rights = []
        for seed in args.seeds:
            torch.manual_seed(seed)
            model = MusicFaderNets.from_preset("mini", training_steps=args.steps, **changes)
            fit(model, held(model, [*unlabelled, *labelled]), seed)
            rights.append(measured(model.network, held(model, asked))["arousal right"])
        each = ", ".join(f"{right:.3f}" for right in rights)
        print(f"{name}, labels of listeners, {args.steps} steps: {np.mean(rights):.3f} ({each})")


if __name__ == "__main__":
    main()
