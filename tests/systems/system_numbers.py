"""Loads a weights file and writes what its system makes of two pieces: `system_numbers.py NAME FILE`."""

from __future__ import annotations

import json
import sys

import torch

from orchestrion.data.corpus import load_corpus
from orchestrion.systems.registry import load
from orchestrion.training.stage import Share

PIECES = 2
LONGEST = 300  # notes of the pieces that are tried


def short_pieces():
    """Two pieces with few notes, so that every system is quick on them."""
    pieces = load_corpus("compact", split="train")
    found = []
    for number in range(len(pieces)):
        piece = pieces[number]
        if piece.score is not None and piece.key is not None and piece.score.note_num() <= LONGEST:
            found.append(piece)
        if len(found) == PIECES:
            return found
    raise LookupError("the corpus has no short pieces")


def first_losses(system):
    """The losses of the first stage on its first batch."""
    pieces = short_pieces()
    stage = system.stages(pieces, pieces)[0]
    torch.manual_seed(0)
    batch = stage.data(0, Share())
    losses = []
    for objective in stage.objectives:
        torch.manual_seed(1)
        losses.append(objective.loss(batch))
    return stage, losses


if __name__ == "__main__":
    system = load(sys.argv[2])
    with torch.no_grad():
        _, losses = first_losses(system)
    print(json.dumps({"losses": [float(loss.value) for loss in losses], "hash": system.weights_hash}))
