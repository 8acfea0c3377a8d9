"""The tagger that ships: a linear probe on the miniature of CLMR, for instruments, texture, register, tempo and mode.

Trained and tested on rendered music with perfect labels, so it hears rendered instruments best. `python -m
orchestrion.systems.clmr_tags FILE` takes the weights that `orchestrion train clmr --preset mini` left, measures them
beside a random encoder, and writes both files that ship.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from orchestrion.data.audio_factory import choose_pieces
from orchestrion.data.audio_tags import multi_hot, tag_names
from orchestrion.data.corpus import corpus_hash, load_corpus
from orchestrion.data.held_clips import HeldClips, to_float
from orchestrion.evaluation.probes import Probe, measure_probe, train_probe
from orchestrion.evaluation.tagging import TaggingScores
from orchestrion.hub.weights import BUNDLED, read_header
from orchestrion.media.audio_windows import split_windows
from orchestrion.systems.clmr import CLMR, factory

NAME = "clmr_tags"
KINDS = ("family", "texture", "register", "tempo", "mode")
COUNTS = {"train": 600, "validation": 80, "test": 160}  # pieces
FEWEST = 20  # of them that have a tag
SECONDS = 30.0
SEED = 1  # of the rendering; the encoder heard other renderings of pieces for training


@dataclass(frozen=True, slots=True)
class Part:
    """Pieces of one split: their windows, to which piece each belongs, and their tags."""

    windows: np.ndarray
    pieces: np.ndarray
    tags: list[Any]


def play(split: str, count: int, model: CLMR) -> Part:
    """Renders pieces of a split of the corpus."""
    chosen = choose_pieces(load_corpus("compact", split=split), count=count, seed=SEED)
    clips: HeldClips = factory(chosen, rate=model.rate, seconds=SECONDS, seed=SEED).held(range(count))
    windows = [split_windows(to_float(one[0]), model.window) for one in clips.samples]
    pieces = np.repeat(np.arange(count), [len(one) for one in windows])
    return Part(np.concatenate(windows), pieces, [label.tags for label in clips.labels])


def fit(model: CLMR, parts: dict[str, Part], names: list[str]) -> tuple[Probe, TaggingScores]:
    """A probe on the training pieces, and its scores on the test pieces."""
    labels = {split: multi_hot(part.tags, names) for split, part in parts.items()}
    vectors = {split: model.represent(part.windows) for split, part in parts.items()}
    held = (vectors["validation"], labels["validation"][parts["validation"].pieces])
    probe, _ = train_probe(
        vectors["train"], labels["train"][parts["train"].pieces], names, validation=held, space=model.space
    )
    return probe, measure_probe(probe, vectors["test"], parts["test"].pieces, labels["test"])[0]


def main() -> None:
    """Measures, and writes the weights and the probe."""
    trained = Path(sys.argv[1])
    header = read_header(trained)
    model = CLMR.from_file(trained)
    parts = {split: play(split, count, model) for split, count in COUNTS.items()}
    names = [name for name in tag_names(parts["train"].tags, kinds=KINDS, fewest=FEWEST) if name != "mode: major"]
    torch.manual_seed(0)
    scores = {}
    for name, network in (("trained", model), ("random", CLMR.from_preset("mini").eval())):
        found = fit(network, parts, names)[1]
        scores[name] = {"pr_auc": round(found.pr_auc, 4), "roc_auc": round(found.roc_auc, 4)}
    kept = {key: header[key] for key in ("command", "seed", "corpus", "figures") if key in header}
    model.save(
        BUNDLED / "clmr.safetensors", {**kept, "scores": scores, "scores_of": f"a linear probe, {COUNTS} pieces"}
    )
    shipped = CLMR.from_file(BUNDLED / "clmr.safetensors")
    probe, found = fit(shipped, parts, names)
    about = {
        "command": f"python -m orchestrion.systems.{NAME} clmr.safetensors",
        "seed": SEED,
        "corpus": corpus_hash("compact"),
        "pr_auc": dict(zip(names, np.round(found.pr_aucs, 3).tolist(), strict=True)),
        "roc_auc": dict(zip(names, np.round(found.roc_aucs, 3).tolist(), strict=True)),
        "licence": "Apache-2.0",
    }
    probe.save(BUNDLED / f"{NAME}.safetensors", about)
    print(json.dumps({"scores": scores, **about}, indent=1))


if __name__ == "__main__":
    main()
