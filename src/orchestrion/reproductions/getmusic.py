"""GETMusic in small: does what is given help, whatever it is? (Lv et al. 2023, arXiv 2305.10841, tables 1 and 3)

The bundled miniature writes the accompaniment of held-out tunes from the lead with its chords, from the lead, and from
nothing; chords are heard in what it wrote and compared, bar by bar, with those of the reference. Two small networks,
one of which is not told which cells are given, are trained side by side.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from orchestrion.data.corpus import load_corpus
from orchestrion.representations.getscore import (
    CHORD_ROW,
    DURATIONS,
    GetVocabulary,
    legal_share,
    read_notes,
)  # fmt: skip
from orchestrion.representations.getscore_tracks import DRUMS, LEAD
from orchestrion.representations.getscore_windows import Window
from orchestrion.reproductions.paper_table import PaperRow, PaperTable
from orchestrion.reproductions.report import Claim, Plot, Reproduction
from orchestrion.systems.getmusic import GETMusic
from orchestrion.systems.registry import load
from orchestrion.theory.chord_hmm import best_path, pitch_vectors
from orchestrion.training.stage import Share

SMALL = {"embedding": 24, "width": 96, "num_layers": 2, "num_heads": 4, "feed_forward": 192, "batch_size": 16}
GIVEN = ("lead and chords", "lead", "nothing")
MARGIN = 0.99  # of the loss: a network without flags counts as better if it needs less than this share


def run(
    seeds: Sequence[int] = (0, 1, 2),
    folder: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    *,
    windows: int = 16,
    training_steps: int = 60,
    training_pieces: int = 150,
) -> Reproduction:
    """Measures the claims and writes the report into `folder`.

    Args:
        windows: held-out windows of eight bars that get an accompaniment, in each way.
        training_steps, training_pieces: of the two small networks.
    """
    began = time.monotonic()
    model = load("getmusic")
    assert isinstance(model, GETMusic)
    held_out = test_windows(model, windows)
    total, done = len(seeds) * (len(GIVEN) + 3), 0

    def told() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    figures: dict[str, list[float]] = {}
    for seed in seeds:
        for given in GIVEN:
            figures.setdefault(f"chord accuracy, from {given}", []).append(chord_accuracy(model, held_out, given, seed))
            told()
        figures.setdefault("legal cells, drawn one by one", []).append(legal_cells(model, held_out, seed))
        told()
        for flags in (True, False):
            name = f"validation loss, {'with' if flags else 'without'} flags"
            figures.setdefault(name, []).append(trained_loss(flags, seed, training_steps, training_pieces))
            told()
    both, lead, nothing = (figures[f"chord accuracy, from {given}"] for given in GIVEN)
    ratio = [b / a for a, b in zip(*(figures[f"validation loss, {w} flags"] for w in ("with", "without")), strict=True)]
    figures["loss without flags / with flags"] = ratio
    figures["chord accuracy of the reference's accompaniment"] = [reference_accuracy(model, held_out)] * len(seeds)
    claims = (
        Claim.at_least(
            "Points of chord accuracy that the lead and its chords add to an accompaniment", 20,
            [100 * (a - b) for a, b in zip(both, nothing, strict=True)],
        ),
        Claim.at_least(
            "Points of chord accuracy that the chords add to the lead alone", 0,
            [100 * (a - b) for a, b in zip(both, lead, strict=True)],
        ),
        Claim.at_least("Loss without condition flags over that with them (not better)", MARGIN, ratio),
        Claim.at_least("Share of legal cells", 0.9, figures["legal cells, drawn one by one"]),
    )  # fmt: skip
    result = Reproduction(
        name="getmusic",
        title="GETMusic: any track from any others, in small",
        claims=claims,
        figures=figures,
        plots=(
            Plot(
                "chord-accuracy",
                "Chord accuracy of the accompaniment",
                {given: [100 * value for value in figures[f"chord accuracy, from {given}"]] for given in GIVEN},
                [f"seed {seed}" for seed in seeds],
                y_label="per cent of bars",
            ),
        ),
        method=(
            f"{len(held_out)} windows of eight bars in 4/4 from the test split of the compact corpus, whose tunes "
            "occur in no training piece. The bundled miniature writes every pitched accompanying track that the "
            "reference has there, in 50 steps; drums are left out. Chords are heard in what it wrote, the lead not "
            "counted, by the hidden Markov model, one a bar; a bar is right if root and kind are those heard in the"
            " whole reference. The control is the same model with no source at all, and the reference's own "
            "accompaniment shows what the measure allows.",
            "Legal cells: of the cells that hold a pitch or a duration, those that hold both, where cells are drawn"
            " one by one as the published sampler does. The sampler of the tasks draws both together and is legal "
            "by construction.",
            f"Condition flags: two networks ({SMALL}) start from the same weights where they have the same, see the "
            f"same {training_steps} batches, and are compared by the loss on held-out pieces. This is far less "
            "training than the paper's, so that it shows the direction at best.",
        ),
        seeds=tuple(seeds),
        seconds=time.monotonic() - began,
    )
    if folder is not None:
        result.write(folder)
    return result


def paper_table(*, n: int = 16, seed: int = 0, progress: Callable[[int, int], None] | None = None) -> PaperTable:
    """Chord accuracy of accompaniment and lead (table 1) on `n` held-out windows."""
    model = load("getmusic")
    assert isinstance(model, GETMusic)
    windows = test_windows(model, n)
    found = []
    for done, given in enumerate(("lead", "accompaniment"), 1):
        found.append(track_accuracy(model, windows, write(model, windows, given, seed), lead=given != "lead"))
        if progress is not None:
            progress(done, 2)
    accompaniment, lead = found
    return PaperTable(
        system="getmusic",
        title="chord accuracy (table 1)",
        miniature_on=f"{len(windows)} windows of eight bars of held-out tunes of the compact corpus",
        paper_on="100 songs of crawled MIDI files; figures from memory",
        rows=(
            PaperRow("accompaniment from the lead", "higher", 100 * accompaniment, 65.48, "%"),
            PaperRow("lead from the accompaniment", "higher", 100 * lead, 81.88, "%"),
        ),
    )


def test_windows(model: GETMusic, count: int) -> list[Window]:
    """Held-out windows in 4/4 that are full and have a lead and something pitched beside it, one a piece at the
    most."""
    found: list[Window] = []
    for piece in load_corpus("compact", split="test"):
        if piece.metre != (4, 4) or len(found) >= count:
            continue
        for window in model.windows([piece]):
            tracks = present(window.grid, model.vocabulary)
            if window.bars[-1] == model.window and LEAD in tracks and set(tracks) - {LEAD, DRUMS}:
                found.append(window)
                break
    return found


def present(grid: np.ndarray, vocabulary: GetVocabulary) -> list[int]:
    """Tracks that play in a grid."""
    return [track for track in range(6) if (grid[2 * track] != vocabulary.empty).any()]


def heard(grid: np.ndarray, window: Window, vocabulary: GetVocabulary, tracks: Sequence[int]) -> np.ndarray:
    """The chord of each bar in some tracks of a grid; 0 in silent bars."""
    notes = [
        (note.column, note.column + DURATIONS[note.duration], pitch)
        for note in read_notes(grid, vocabulary)
        if note.track in tracks
        for pitch in note.pitches
    ]
    if not notes:
        return np.zeros(len(window.bars) - 1, int)
    starts, ends, pitches = zip(*notes, strict=True)
    vectors = pitch_vectors(starts, np.minimum(ends, window.bars[-1]), pitches, window.bars[1:-1])
    return np.where(vectors.any(1), best_path(vectors), 0)


def accuracy(model: GETMusic, windows: Sequence[Window], grids: Sequence[np.ndarray]) -> float:
    """Share of bars whose chord, heard in the accompaniment of `grids`, is that of the whole reference."""
    right = []
    for window, grid in zip(windows, grids, strict=True):
        tracks = [track for track in present(window.grid, model.vocabulary) if track != DRUMS]
        wanted = heard(window.grid, window, model.vocabulary, tracks)
        found = heard(grid, window, model.vocabulary, [track for track in tracks if track != LEAD])
        right += (wanted == found)[wanted > 0].tolist()
    return float(np.mean(right))


def track_accuracy(model: GETMusic, windows: Sequence[Window], grids: Sequence[np.ndarray], *, lead: bool) -> float:
    """CA as published: share of bars of written tracks (the lead, or the others) whose chord is that of the same track
    in the reference."""
    right = []
    for window, grid in zip(windows, grids, strict=True):
        for track in present(window.grid, model.vocabulary):
            if track != DRUMS and (track == LEAD) == lead:
                wanted, found = (heard(one, window, model.vocabulary, [track]) for one in (window.grid, grid))
                right += (wanted == found)[wanted > 0].tolist()
    return float(np.mean(right))


def write(model: GETMusic, windows: Sequence[Window], given: str, seed: int, *, joint: bool = True) -> list[np.ndarray]:
    """What is not given of each window, sampled: the accompaniment, or the lead for it. Drums are left out, and so is
    the lead where nothing is given."""
    vocabulary = model.vocabulary
    grids = np.stack([window.grid for window in windows]).astype(np.int64)
    for grid in grids:
        for track in present(grid, vocabulary):
            rows = slice(2 * track, 2 * track + 2)
            if track == DRUMS or (track == LEAD and given == "nothing"):
                grid[rows] = vocabulary.empty
            elif (track == LEAD) != given.startswith("lead"):
                grid[rows] = vocabulary.mask
        if given != "lead and chords":
            grid[CHORD_ROW:] = vocabulary.empty
    places = torch.from_numpy(np.stack([window.places for window in windows]).astype(np.int64))
    generator = torch.Generator().manual_seed(seed)
    return list(model.sample(torch.from_numpy(grids), places=places, joint=joint, generator=generator).numpy())


def chord_accuracy(model: GETMusic, windows: Sequence[Window], given: str, seed: int) -> float:
    """Of the accompaniment written from what is given."""
    return accuracy(model, windows, write(model, windows, given, seed))


def reference_accuracy(model: GETMusic, windows: Sequence[Window]) -> float:
    """Of the reference's own accompaniment: what the measure allows."""
    return accuracy(model, windows, [window.grid for window in windows])


def legal_cells(model: GETMusic, windows: Sequence[Window], seed: int) -> float:
    """Share of legal cells where each is drawn by itself."""
    grids = write(model, windows, "lead and chords", seed, joint=False)
    shares = []
    for window, grid in zip(windows, grids, strict=True):
        tracks = [track for track in present(window.grid, model.vocabulary) if track not in (LEAD, DRUMS)]
        shares.append(legal_share(grid, model.vocabulary, tracks))
    return float(np.nanmean(shares))


def trained_loss(flags: bool, seed: int, steps: int, pieces: int) -> float:
    """Loss on held-out pieces of a small network after a short training."""
    torch.manual_seed(seed)
    model = GETMusic.from_preset(
        "mini", **SMALL, condition_flags=flags, training_steps=steps, warmup=20, precision="float32"
    )
    train, validation = (load_corpus("compact", split=split, limit=pieces) for split in ("train", "validation"))
    (stage,) = model.stages(train, validation)
    (objective,) = stage.objectives
    optimiser = objective.optimiser(list(objective.parameters))
    model.train()
    for step in range(steps):
        torch.manual_seed(1000 * seed + step)
        for group in optimiser.param_groups:
            group["lr"] = model.learning_rate * objective.schedule(step)
        loss = objective.loss(stage.data(step, Share()))
        optimiser.zero_grad()
        loss.value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimiser.step()
    model.eval()
    torch.manual_seed(0)
    assert stage.validate is not None
    with torch.no_grad():
        return stage.validate()["loss"]
