"""CM-HRNN in small: does it help to know how much of the bar has passed, do tiers repeat more, are chords followed?

Three networks learn the same tunes: two tiers that are told the time that has passed, two that are not, and a flat one
of as many parameters. Each writes melodies over the chords of held-out tunes, with none of its bars set right.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from orchestrion.data.corpus import load_corpus
from orchestrion.evaluation.patterns import pattern_compression
from orchestrion.evaluation.statistics import paired_bootstrap
from orchestrion.representations.leads import lead_score
from orchestrion.representations.melody_events import (
    STEPS,
    Event,
    bar_lengths,
    chord_steps,
    class_chord,
    from_classes,
    join_events,
    success_bar_ratio,
)
from orchestrion.reproductions.paper_table import PaperRow, PaperTable
from orchestrion.reproductions.report import Claim, Plot, Reproduction
from orchestrion.systems.cm_hrnn import CMHRNN
from orchestrion.systems.registry import load
from orchestrion.training.plain_melodies import leads
from orchestrion.training.trainer import Trainer

if TYPE_CHECKING:
    from orchestrion.data.piece import Piece

STEPS_OF_TRAINING, WRITTEN, EVENTS = 700, 40, 96
TEMPERATURE = 1.0  # of durations: at lower ones all networks fill their bars
NETWORKS: dict[str, dict[str, Any]] = {
    "two tiers, told the time": {},
    "two tiers": {"elapsed": False},
    "flat": {
        "tiers": 1,
        "elapsed": False,
        "width": 184,
        "num_layers": 2,
    },  # three layers of as many parameters do not learn in time
}


def run(
    *,
    seeds: Sequence[int] = (0, 1, 2),
    folder: Path,
    progress: Callable[[int, int], None] | None = None,
    steps: int = STEPS_OF_TRAINING,
    written: int = WRITTEN,
    most: int = 3000,
) -> Reproduction:
    """Trains, writes, measures, and reports.

    Args:
        steps: of each training.
        written: melodies of each network and seed.
        most: tunes to learn from.
    """
    began = time.monotonic()
    train = _in_four(load_corpus("compact", split="train"), most)
    conditions = [
        chord_steps(lead.chords, round(lead.quarters * STEPS))
        for lead in leads(_in_four(load_corpus("compact", split="test"), 4 * written), written)
    ]
    rows: list[dict[str, dict[str, float]]] = []
    pooled: dict[str, list[float]] = {name: [] for name in NETWORKS}
    for done, seed in enumerate(seeds):
        row = {}
        for number, (name, changes) in enumerate(NETWORKS.items()):
            model = _trained(train, changes, seed, steps)
            melodies = _write(model, conditions, seed)
            row[name], ratios = _measures(melodies, conditions)
            pooled[name] += ratios
            if progress is not None:
                progress(done * len(NETWORKS) + number + 1, len(seeds) * len(NETWORKS))
        rows.append(row)
    report = _report(seeds, rows, pooled, steps, len(conditions), time.monotonic() - began)
    report.write(folder)
    return report


def _in_four(pieces: Sequence[Piece], most: int) -> list[Piece]:
    """The first pieces in 4/4; others need not be decoded."""
    metres = pieces.column("metre") if hasattr(pieces, "column") else ["4/4"] * len(pieces)  # type: ignore[attr-defined]
    chosen = [index for index, metre in enumerate(metres) if metre == "4/4"][:most]
    return [pieces[index] for index in chosen]


def _trained(train: Sequence[Piece], changes: dict[str, Any], seed: int, steps: int) -> CMHRNN:
    torch.manual_seed(seed)
    model = CMHRNN.from_preset("mini", **{"training_steps": steps, **changes})
    stages = model.stages(train, train[:1])
    with tempfile.TemporaryDirectory() as place:
        Trainer(model, stages, folder=Path(place), seed=seed, tensorboard=False).run()
    return model.eval()


def _write(model: CMHRNN, conditions: Sequence[np.ndarray], seed: int) -> list[list[Event]]:
    """A melody of at most `EVENTS` events over each condition, played twice; bars are free."""
    made = []
    for number, chords in enumerate(conditions):
        generator = torch.Generator().manual_seed(1000 * seed + number)
        classes = model.write(
            np.tile(chords, 2)[: EVENTS * 4],
            generator=generator,
            duration_temperature=TEMPERATURE,
            whole_bars=False,
        )
        made.append(from_classes(classes[:EVENTS]))
    return made


def chord_tone_time(events: Sequence[Event], chords: np.ndarray) -> float:
    """Share of the sounding time in which the melody sings a tone of the chord; NaN without notes."""
    inside = total = 0.0
    for note in join_events(events).melody:
        for step in range(round(note.onset * STEPS), round((note.onset + note.duration) * STEPS)):
            total += 1
            inside += note.pitch % 12 in class_chord(int(chords[step % len(chords)])).pitch_classes
    return inside / total if total else float("nan")


def _measures(
    melodies: Sequence[Sequence[Event]], conditions: Sequence[np.ndarray]
) -> tuple[dict[str, float], list[float]]:
    """Means over melodies, and the compression of each."""
    lengths = [length for events in melodies for length in bar_lengths(events)]
    ratios = []
    for events in melodies:
        notes = join_events(events).melody
        ratios.append(pattern_compression((round(note.onset * STEPS), note.pitch) for note in notes))
    others = [conditions[(number + 1) % len(conditions)] for number in range(len(conditions))]
    own, other = (
        [chord_tone_time(events, chords) for events, chords in zip(melodies, given, strict=True)]
        for given in (conditions, others)
    )
    found = {
        "success bars": success_bar_ratio(lengths),
        "compression": float(np.nanmean(ratios)),
        "chord tones, own chords": float(np.nanmean(own)),
        "chord tones, other chords": float(np.nanmean(other)),
    }
    return found, ratios


def _report(
    seeds: Sequence[int],
    rows: list[dict[str, dict[str, float]]],
    pooled: dict[str, list[float]],
    steps: int,
    pieces: int,
    seconds: float,
) -> Reproduction:
    told, tiers, flat = NETWORKS

    def gap(measure: str, one: str, other: str) -> list[float]:
        return [row[one][measure] - row[other][measure] for row in rows]

    low = paired_bootstrap(pooled[tiers], pooled[flat]).low
    claims = (
        Claim.at_least(
            "Told the time, two tiers fill more bars exactly than not told", 0.08, gap("success bars", told, tiers)
        ),
        Claim.at_least("Two tiers fill more bars exactly than the flat network", 0.0, gap("success bars", tiers, flat)),
        Claim.at_least(
            "Two tiers repeat more than the flat network: lower end of the 95 % interval over all melodies", 0.0, [low]
        ),
        Claim.at_least(
            "Melodies sing tones of their own chords for more of the time than tones of other chords",
            0.1,
            [row[told]["chord tones, own chords"] - row[told]["chord tones, other chords"] for row in rows],
        ),
    )
    figures = {
        f"{name}: {measure}": [row[name][measure] for row in rows] for name in NETWORKS for measure in rows[0][name]
    }
    plots = (
        Plot(
            "bars",
            "Bars that last exactly four quarters",
            {name: [row[name]["success bars"] for row in rows] for name in NETWORKS},
            [f"seed {seed}" for seed in seeds],
            y_label="share",
        ),
    )
    method = (
        f"Melodies and chords of tunes in 4/4 from the compact corpus, in C major or A minor; {steps} steps for each "
        "network (frames of 8 events, width 96; flat: two layers of 184, as many parameters; with the three of the "
        "paper's baseline it learns neither bars nor chords in so many steps). Each writes over the chords of "
        f"{pieces} held-out tunes, twice through, {EVENTS} events at most, with durations at temperature "
        f"{TEMPERATURE:g} and bar flags as the network sets them.",
        "Compression: points by the cost of the classes of patterns that COSIATEC finds in onsets and pitches. Other "
        "chords: those of the next tune.",
    )
    return Reproduction(
        name="cm_hrnn",
        title="CM-HRNN in small",
        claims=claims,
        figures=figures,
        plots=plots,
        method=method,
        seeds=tuple(seeds),
        seconds=seconds,
    )


def paper_table(*, seed: int = 0, progress: Callable[[int, int], None] | None = None, pieces: int = 24) -> PaperTable:
    """The measures of the paper on melodies of the miniature; the figures of its table could not be had."""
    from orchestrion.evaluation.notes import Notes
    from orchestrion.evaluation.tension import piece_tension

    model = load("cm_hrnn")
    assert isinstance(model, CMHRNN)
    conditions = [
        chord_steps(lead.chords, round(lead.quarters * STEPS))
        for lead in leads(_in_four(load_corpus("compact", split="test"), 4 * pieces), pieces)
    ]
    ratios, strains, lengths = [], [], []
    for number, chords in enumerate(conditions):
        generator = torch.Generator().manual_seed(1000 * seed + number)
        events = from_classes(model.write(chords, generator=generator, whole_bars=False))
        lead = join_events(events)
        lengths += bar_lengths(events)
        ratios.append(pattern_compression((round(note.onset * STEPS), note.pitch) for note in lead.melody))
        found = piece_tension(Notes.from_score(lead_score(lead, tempo=100), resolution=STEPS))
        if found is not None:
            strains.append(float(found.tensile_strain.mean()))
        if progress is not None:
            progress(number + 1, len(conditions))
    rows = (
        PaperRow("compression ratio (COSIATEC)", "higher", float(np.nanmean(ratios))),
        PaperRow("success-bar ratio", "higher", success_bar_ratio(lengths)),
        PaperRow("tensile strain, mean", "lower", fmean(strains) if strains else float("nan")),
    )
    return PaperTable(
        "cm_hrnn",
        "structure and tonality",
        f"{len(conditions)} tunes of the compact corpus",
        "TheoryTab lead sheets",
        rows,
    )
