"""Loads weights files and writes what their systems make of two pieces: a line `[FILE, FOLDER]` for each.

Beside the pieces of scores lie short recordings, in FOLDER: systems of sound take those, the others the scores. One
process serves many systems, so that torch is imported once.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch

from orchestrion.data.corpus import load_corpus
from orchestrion.media.audio import Audio, write_audio
from orchestrion.systems.registry import load
from orchestrion.training.stage import Share

PIECES = 2
LONGEST = 300  # notes of the pieces that are tried
RATE, SECONDS, TEMPO = 16000, 6.0, 120.0


def recording(number: int) -> Audio:
    """Two notes that swell on each beat."""
    time = np.arange(int(RATE * SECONDS)) / RATE
    swell = np.exp(-5 * (time % (60 / TEMPO)))
    tones = np.sin(2 * np.pi * 220 * (1 + number / 5) * time) + np.sin(2 * np.pi * 1500 * time)
    return Audio((0.3 * swell * tones).astype(np.float32)[None], RATE)


def small_pieces(folder: Path):
    """Two pieces with few notes, so that every system is quick on them, each with a recording and a caption."""
    pieces = load_corpus("compact", split="train")
    found = []
    for number in range(len(pieces)):
        piece = pieces[number]
        if piece.score is not None and piece.key is not None and piece.score.note_num() <= LONGEST:
            piece.audio = folder / f"{len(found)}.wav"
            if not piece.audio.exists():
                write_audio(recording(len(found)), piece.audio)
            piece.caption = piece.caption or "A slow tune for organ."
            piece.beats = np.arange(0, SECONDS, 60 / TEMPO).tolist()
            found.append(piece)
        if len(found) == PIECES:
            return found
    raise LookupError("the corpus has no short pieces")


def stage_losses(stage):
    """The loss of each objective of a stage on the batch of the first step in which it runs."""
    losses = []
    for objective in stage.objectives:
        step = next(step for step in range(stage.steps) if objective.due(step))
        torch.manual_seed(0)
        batch = stage.data(step, Share())
        torch.manual_seed(1)
        arguments = (batch,) if stage.shared is None else (batch, stage.shared(batch))
        losses.append(objective.loss(*arguments))
    return losses


def stages(system, folder: Path):
    """How the system trains on the two pieces, with what a stage sets at its start."""
    pieces = small_pieces(folder)
    for stage in system.stages(pieces, pieces):
        if stage.start is not None:
            with torch.no_grad():
                torch.manual_seed(2)
                stage.start()
        yield stage


def first_losses(system, folder: Path):
    """The losses of the first stage."""
    return stage_losses(next(iter(stages(system, folder))))


if __name__ == "__main__":
    for line in sys.stdin:
        file, folder = json.loads(line)
        system = load(file)
        with torch.no_grad():
            losses = first_losses(system, Path(folder))
        found = {"losses": [float(loss.value) for loss in losses], "hash": system.weights_hash}
        print(json.dumps(found), flush=True)
