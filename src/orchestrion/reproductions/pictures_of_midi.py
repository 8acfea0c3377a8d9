"""Pictures of MIDI in small: does painting each step again make more notes, does what is painted fit what is known, and
does it follow the shape of a mask?

For each seed a network learns from crops of the corpus; held-out crops are then painted on.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import torch

from orchestrion.data.corpus import load_corpus
from orchestrion.evaluation.conditional import control_correlation
from orchestrion.representations.paint_masks import KEPT, PITCHES, shape_mask
from orchestrion.representations.roll_picture import read_notes
from orchestrion.reproductions.paper_table import PaperRow, PaperTable
from orchestrion.reproductions.report import Claim, Plot, Reproduction
from orchestrion.systems.pictures_of_midi import PicturesOfMidi
from orchestrion.systems.registry import load
from orchestrion.training.trainer import Trainer

REPEATS = (1, 2, 4)
SMALL = {"columns": 64, "ema": 0.995}  # of so few steps
PERCENTS = (0, 25, 50, 75, 100)


@dataclass(frozen=True, slots=True)
class Budget:
    """Sizes of the experiment: pieces to learn from, steps, crops that are painted on, pictures of each shape,
    candidates, and steps of sampling."""

    pieces: int = 2000
    steps: int = 2000
    crops: int = 64
    shapes: int = 32
    candidates: int = 16
    sampling_steps: int = 20


def run(
    *,
    seeds: Sequence[int] = (0, 1, 2),
    folder: Path,
    progress: Callable[[int, int], None] | None = None,
    budget: Budget | None = None,
) -> Reproduction:
    """Trains and paints for each seed, and writes the report."""
    budget = budget or Budget()
    start = time.monotonic()
    rows = []
    for number, seed in enumerate(seeds):
        rows.append(experiment(seed, budget))
        if progress is not None:
            progress(number + 1, len(seeds))
    report = _report(seeds, rows, budget, time.monotonic() - start)
    report.write(folder)
    return report


def experiment(seed: int, budget: Budget) -> dict[str, float]:
    """Figures of a seed by name."""
    torch.manual_seed(seed)
    system = PicturesOfMidi.from_preset(
        "mini", training_steps=budget.steps, sampling_steps=budget.sampling_steps, **SMALL
    )
    train = load_corpus("compact", split="train", limit=budget.pieces)[:]
    with tempfile.TemporaryDirectory() as place:
        Trainer(
            system, system.stages(train, []), folder=place, seed=seed, checkpoint_seconds=1e9, tensorboard=False,
            progress=lambda done, total: None,
        ).run()  # fmt: skip
    system.eval()
    return {
        **densities_and_fit(system, held_out(system, budget.crops, seed), seed),
        **shapes(system, budget, seed),
        **percentiles(system, budget, seed),
    }


def held_out(system: PicturesOfMidi, count: int, seed: int) -> np.ndarray:
    """Crops of pieces of the test split."""
    crops = system.crops(load_corpus("compact", split="test", limit=4 * count)[:])
    rng = np.random.default_rng(seed)
    return np.stack([crops.draw(int(number), rng) for number in rng.permutation(len(crops))[:count]])


def densities_and_fit(system: PicturesOfMidi, known: np.ndarray, seed: int) -> dict[str, float]:
    """The right halves of crops painted anew: how many notes they have, and how their pitch classes overlap with those
    of the left halves; beside them the true right halves, those of other crops, and samples that know nothing."""
    half = system.columns // 2
    mask = np.full((system.pitches, system.columns), KEPT)
    mask[:, half:] = 0.0
    left = [_classes(system, picture, 0, half) for picture in known]

    def fit(pictures: np.ndarray, shift: int = 0) -> float:
        right = [_classes(system, picture, half, system.columns) for picture in pictures]
        pairs = [
            float(np.minimum(a, b).sum())
            for a, b in zip(left, right[shift:] + right[:shift], strict=True)
            if a.any() and b.any()
        ]
        return fmean(pairs) if pairs else float("nan")

    figures = {"overlap: true": fit(known), "overlap: another piece": fit(known, 1)}
    figures["notes: true"] = fmean(system.onsets(known, mask))
    for repeats in REPEATS:
        painted = system.sample(known, mask, n=len(known), repaint=repeats, generator=_generator(seed, 3))
        figures[f"notes: r = {repeats}"] = fmean(system.onsets(painted, mask))
        figures[f"overlap: r = {repeats}"] = fit(painted)
    alone = system.sample(n=len(known), repaint=REPEATS[-1], generator=_generator(seed, -1))
    figures["overlap: independent"] = fit(alone)
    figures["notes: independent"] = fmean(system.onsets(alone, mask))
    return figures


def shapes(system: PicturesOfMidi, budget: Budget, seed: int) -> dict[str, float]:
    """Notes in rising and falling bands on an empty canvas: Spearman's ρ of the column and the mean pitch of what
    begins there, over all pictures, and how many notes there are."""
    figures = {}
    rows = slice(PITCHES - system.lowest - system.pitches, PITCHES - system.lowest)
    empty = np.zeros((system.pitches, system.columns, 3), dtype=np.uint8)
    for name in ("rising", "falling"):
        drawn = shape_mask(name, system.columns, low=48, high=84, thickness=13)[rows]
        mask = np.where(drawn, 0.0, KEPT)
        for repeats in (REPEATS[0], REPEATS[-1]):
            pictures = system.sample(empty, mask, n=budget.shapes, repaint=repeats, generator=_generator(seed, 7))
            places = []
            for picture in pictures:
                notes = read_notes(picture, lowest=system.lowest)
                places += [(c, notes[notes[:, 0] == c, 2].mean()) for c in np.unique(notes[:, 0])]
            rho = control_correlation(*zip(*places, strict=True)) if len(places) > 2 else float("nan")
            figures[f"{name}: ρ, r = {repeats}"] = rho
            figures[f"{name}: notes, r = {repeats}"] = fmean(system.onsets(pictures, mask))
    return figures


def percentiles(system: PicturesOfMidi, budget: Budget, seed: int) -> dict[str, float]:
    """How many notes the candidates at percentiles have."""
    pictures = system.sample(n=budget.candidates, repaint=1, generator=_generator(seed, 11))
    counts = sorted(system.onsets(pictures, np.zeros((system.pitches, system.columns))))
    chosen = [counts[round(percent / 100 * (len(counts) - 1))] for percent in PERCENTS]
    found = {f"notes: percentile {percent}": float(count) for percent, count in zip(PERCENTS, chosen, strict=True)}
    return {**found, "percentiles: steps up": float(np.diff(chosen).min() >= 0 and chosen[-1] > chosen[0])}


def _classes(system: PicturesOfMidi, picture: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Shares of the twelve pitch classes among the notes that begin in columns [start, stop)."""
    notes = read_notes(picture, lowest=system.lowest)
    notes = notes[(notes[:, 0] >= start) & (notes[:, 0] < stop)]
    counts = np.bincount(notes[:, 2] % 12, minlength=12).astype(float)
    return counts / max(counts.sum(), 1.0)


def _generator(seed: int, number: int) -> torch.Generator:
    return torch.Generator().manual_seed(1_000_003 * (seed + 1) + number)


def _report(seeds: Sequence[int], rows: list[dict[str, float]], budget: Budget, seconds: float) -> Reproduction:
    def of(name: str) -> list[float]:
        return [row[name] for row in rows]

    most = REPEATS[-1]

    def ratio(one: str, two: str) -> list[float]:
        return [a / b if b else float("nan") for a, b in zip(of(one), of(two), strict=True)]

    following = [min(row[f"rising: ρ, r = {most}"], -row[f"falling: ρ, r = {most}"]) for row in rows]
    growth = [
        min(row[f"{name}: notes, r = {most}"] - row[f"{name}: notes, r = 1"] for name in ("rising", "falling"))
        for row in rows
    ]
    claims = (
        Claim.at_least(
            "Each step done four times makes 1.3 times as many notes", 1.3, ratio(f"notes: r = {most}", "notes: r = 1")
        ),
        Claim.at_least(
            "What is painted shares its pitch classes with what is known, by 0.1 more than independent samples",
            0.1,
            [a - b for a, b in zip(of(f"overlap: r = {most}"), of("overlap: independent"), strict=True)],
        ),
        Claim.at_least("In rising and falling masks the mean pitch follows, ρ being 0.5 or more", 0.5, following),
        Claim.at_least("There are more notes in these masks with each step done four times", 0.0, growth),
        Claim.at_least("Candidates at higher percentiles have no fewer notes", 1.0, of("percentiles: steps up")),
    )
    plots = (
        Plot("notes", "Notes in the part that is painted", {
            "painted": [fmean(of(f"notes: r = {repeats}")) for repeats in REPEATS],
            "true": [fmean(of("notes: true"))] * len(REPEATS),
        }, REPEATS, x_label="how often each step is done", y_label="notes in two bars", kind="lines"),
        Plot("overlap", "Overlap of pitch classes with the known half", {
            "overlap": [fmean(of(f"overlap: {name}")) for name in ("true", "another piece", "independent")]
            + [fmean(of(f"overlap: r = {repeats}")) for repeats in REPEATS],
        }, ("true", "another piece", "independent", *(f"r = {repeats}" for repeats in REPEATS)), y_label="share"),
    )  # fmt: skip
    method = (
        f"Up to {budget.pieces} pieces of the compact corpus to learn from: the melody and the busiest other pitched "
        f"track, four bars of sixteenths, 64 pitches, moved by up to five semitones. The preset `mini`, with half of "
        f"its columns, for {budget.steps} steps of 16 crops, as many as let three seeds end in twenty minutes.",
        f"{budget.crops} held-out crops have their right half painted, {budget.sampling_steps} steps of the sampler "
        "of the preset (DPM-Solver++ 2M, of first order where a step is repeated), the same noise for each number of "
        "repeats. The overlap is the shared area of both histograms of pitch classes. For comparison: the true right "
        "half, that of another crop, and samples that know nothing.",
        f"Shapes: bands of 13 semitones from pitch 48 to 84 on an empty canvas, {budget.shapes} pictures each. A mask "
        "lets notes begin nowhere else, so that the sign of ρ follows from the mask once there are enough notes.",
    )
    return Reproduction(
        name="pictures_of_midi",
        title="Pictures of MIDI in small",
        claims=claims,
        figures={name: of(name) for name in rows[0]},
        plots=plots,
        method=method,
        seeds=tuple(seeds),
        seconds=seconds,
    )


def paper_table(*, seed: int = 0, progress: Callable[[int, int], None] | None = None, pieces: int = 16) -> PaperTable:
    """The measures of the paper on the weights that ship; the paper shows pictures and says tendencies, no figures."""
    system = load("pictures_of_midi")
    assert isinstance(system, PicturesOfMidi)
    found = densities_and_fit(system, held_out(system, pieces, seed), seed)
    found |= shapes(system, Budget(shapes=pieces), seed)
    if progress is not None:
        progress(1, 1)
    rows = [
        PaperRow(f"notes in the painted half, {name}", "higher", found[f"notes: {name}"])
        for name in ("true", *(f"r = {repeats}" for repeats in REPEATS))
    ]
    rows += [
        PaperRow(f"overlap of pitch classes with the known half, {name}", "higher", found[f"overlap: {name}"])
        for name in ("true", *(f"r = {repeats}" for repeats in REPEATS), "another piece")
    ]
    rows += [
        PaperRow("ρ of a rising mask and the mean pitch", "higher", found[f"rising: ρ, r = {REPEATS[0]}"]),
        PaperRow("ρ of a falling mask and the mean pitch", "lower", found[f"falling: ρ, r = {REPEATS[0]}"]),
    ]
    return PaperTable(
        "pictures_of_midi",
        "density, fit and shape by repeats of each step",
        f"{pieces} crops of the compact corpus",
        "POP909, without a table",
        tuple(rows),
    )  # fmt: skip
