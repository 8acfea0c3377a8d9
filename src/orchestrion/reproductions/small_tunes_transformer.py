"""Small Tunes Transformer in small: is the skeleton of the own phrase worth more than the whole skeleton, and that more
than none? Reconstructed networks on the Han Chinese tunes of the Essen collection, whose phrases are known."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from orchestrion.analysis.skeleton import Phrases, find_phrases, find_skeleton
from orchestrion.analysis.skyline import Line, melody_line
from orchestrion.data.datasets.dataset import Dataset, load_dataset
from orchestrion.data.factory.sources import music21_corpus
from orchestrion.evaluation.phrasing import (
    boundary_scores,
    pentatonic_consistency,
    phrase_final_lengthening,
    phrase_rhythm_similarity,
    skeleton_recall,
)
from orchestrion.representations.phrase_notes import PhraseNotes, in_plain_key, line_of, marked_phrases, tokens_of
from orchestrion.reproductions.paper_table import PaperRow, PaperTable
from orchestrion.reproductions.report import Claim, Plot, Reproduction
from orchestrion.systems.small_tunes_transformer import SmallTunesTransformer
from orchestrion.training.trainer import Trainer

if TYPE_CHECKING:
    from orchestrion.data.piece import Piece

KINDS = ("none", "full", "phrase")
GENRE = "xiaodiao"
STEPS, HELD_OUT, WRITTEN = 600, 90, 30
SHORTEST, LONGEST, MOST_PHRASES = 16, 160, 16


def run(
    *,
    seeds: Sequence[int] = (0, 1, 2),
    folder: Path,
    progress: Callable[[int, int], None] | None = None,
    steps: int = STEPS,
    written: int = WRITTEN,
    most: int = 1224,
) -> Reproduction:
    """Trains three kinds of attention, measures what they predict and write, and reports.

    Args:
        steps: of each training.
        written: tunes written by the network with attention by phrases, of each seed.
        most: tunes that are read.

    Raises:
        MissingDependencyError: music21, which ships the collection, is not installed.
    """
    began = time.monotonic()
    small, others = han_tunes(most)
    boundaries = {
        method: boundary_scores(
            [find_phrases(line, method=method) for line, _ in small], [truth for _, truth in small]
        )[2]
        for method in ("rule", "lbdm")
    }
    rows = []
    for done, seed in enumerate(seeds):
        order = np.random.default_rng(0).permutation(len(small))  # one split for all seeds
        held_lines = [small[index] for index in order[: min(HELD_OUT, len(small) // 4)]]
        held = [_tokens(*one) for one in held_lines]
        train = [_tokens(*small[index]) for index in order[len(held) :]] + [_tokens(*one) for one in others]
        row: dict[str, float] = {}
        for number, kind in enumerate(KINDS):
            model = _trained(train, held, kind, seed, steps)
            with torch.inference_mode():
                parts = model.loss(model.batch(held)).parts
            row |= {f"{kind}: {name}": value for name, value in parts.items()}
            row[kind] = sum(parts.values())
            if kind == "phrase":
                row |= _written(model, held[:written])
            if progress is not None:
                progress(done * len(KINDS) + number + 1, len(seeds) * len(KINDS))
        rows.append(row)
    real = _figures([(line_of(tune, metre=(2, 4)), _phrases(tune)) for tune in held[:written]])
    report = _report(seeds, rows, boundaries, real, len(small), len(train), steps, time.monotonic() - began)
    report.write(folder)
    return report


def han_tunes(most: int) -> tuple[list[tuple[Line, Phrases]], list[tuple[Line, Phrases]]]:
    """Han Chinese tunes in 2/4 and 4/4 with their known phrases, in C major or A minor: small tunes, and others."""
    essen = load_dataset("essen", music21_corpus())
    entries = [entry for entry in essen.entries if entry.path.stem.startswith("han")][:most]
    small, others = [], []
    for piece in Dataset(essen.reader, entries):
        found = _line(piece)
        if found is not None:
            (small if any(GENRE in genre for genre in piece.tags["genre"]) else others).append(found)
    return small, others


def _line(piece: Piece) -> tuple[Line, Phrases] | None:
    assert piece.score is not None
    if piece.metre not in ((2, 4), (4, 4)):
        return None
    line = melody_line(piece.score)
    phrases = marked_phrases(piece.score, line)
    if phrases is None or not SHORTEST <= len(line) <= LONGEST or len(phrases.starts) > MOST_PHRASES:
        return None
    assert piece.key is not None
    signature = piece.key if piece.key.mode == "major" else piece.key.relative
    pitch = line.pitch - (signature.tonic + 6) % 12 + 6
    return Line(line.start, line.stop, pitch, line.metre, line.shift), phrases


def _tokens(line: Line, phrases: Phrases) -> PhraseNotes:
    from orchestrion.theory.keys import Key

    return in_plain_key(tokens_of(line, phrases, find_skeleton(line, phrases)), Key(0, "major"))


def _phrases(tune: PhraseNotes) -> Phrases:
    sounding = tune.phrase[tune.pitch > 0]
    return Phrases.at(np.flatnonzero(np.diff(sounding, prepend=sounding[:1])).tolist(), len(sounding))


def _trained(
    train: list[PhraseNotes], held: list[PhraseNotes], kind: str, seed: int, steps: int
) -> SmallTunesTransformer:
    torch.manual_seed(seed)
    changes = {"cross": kind, "training_steps": steps, "plan_known": False, "bare_share": 0.0, "dropout": 0.2}
    changes |= {"transposition": 5, "learning_rate": 1e-3, "warmup": 100}
    model = SmallTunesTransformer.from_preset("mini", **changes)
    with tempfile.TemporaryDirectory() as place:
        Trainer(model, [model.stage(train, held)], folder=Path(place), seed=seed, tensorboard=False).run()
    return model.eval()


def _written(model: SmallTunesTransformer, tunes: list[PhraseNotes]) -> dict[str, float]:
    """How much of the skeleton tunes have that are written through it, and that only heed it; figures of the former."""
    recall: dict[str, list[float]] = {"hard": [], "soft": []}
    made = []
    for number, tune in enumerate(tunes):
        stops = tune.phrase_stop.tolist()
        kept = np.flatnonzero(tune.kept)
        bones = Line(tune.start[kept], tune.start[kept] + tune.length[kept], tune.pitch[kept] + 35)
        for name in recall:
            generator = torch.Generator().manual_seed(number)
            found = model.write(tune, stops, begin=int(tune.start[0]), generator=generator, hard=name == "hard")
            line = line_of(found, metre=(2, 4))
            recall[name].append(skeleton_recall(line, bones))
            if name == "hard":
                made.append((line, _phrases(found)))
    figures = _figures(made)
    return {**{f"recall, {name}": float(np.nanmean(values)) for name, values in recall.items()}, **figures}


def _figures(tunes: Sequence[tuple[Line, Phrases]]) -> dict[str, float]:
    return {
        "rhythm similarity of phrases": float(np.nanmean([phrase_rhythm_similarity(*one) for one in tunes])),
        "phrase-final lengthening": float(np.nanmean([phrase_final_lengthening(*one) for one in tunes])),
        "pentatonic consistency": float(np.nanmean([pentatonic_consistency(line) for line, _ in tunes])),
    }


def _report(
    seeds: Sequence[int],
    rows: list[dict[str, float]],
    boundaries: dict[str, float],
    real: dict[str, float],
    small: int,
    train: int,
    steps: int,
    seconds: float,
) -> Reproduction:
    def of(name: str) -> list[float]:
        return [row[name] for row in rows]

    def near(name: str) -> list[float]:
        return [0.05 - abs(row[name] - real[name]) for row in rows]

    gaps = {one: [row[one] - row[other] for row in rows] for one, other in (("none", "full"), ("full", "phrase"))}
    claims = (
        Claim.at_least("The whole skeleton saves nats a note against none", 0.15, gaps["none"]),
        Claim.at_least("The skeleton of the own phrase saves nats a note against the whole", 0.05, gaps["full"]),
        Claim.at_least("Written through it, a tune has every note of its skeleton", 1.0, of("recall, hard")),
        Claim.at_least(
            "Last notes of phrases are long as often as in real tunes, within 0.05",
            0.0,
            near("phrase-final lengthening"),
        ),
        Claim.at_least(
            "Five tones hold as much of the time as in real tunes, within 0.05", 0.0, near("pentatonic consistency")
        ),
        Claim.at_least("Phrases of small tunes are found by rule: F", 0.55, [boundaries["rule"]]),
    )
    names = [name for name in rows[0] if name not in KINDS]
    figures = {
        **{f"nats a note, {kind}": of(kind) for kind in KINDS},
        **{name: of(name) for name in names},
        **{f"real tunes: {name}": [value] * len(rows) for name, value in real.items()},
        **{f"boundaries by {name}: F": [value] * len(rows) for name, value in boundaries.items()},
    }
    plots = (
        Plot("nats", "What is known of the skeleton, and how well notes are predicted",
             {f"seed {seed}": [row[kind] for kind in KINDS] for seed, row in zip(seeds, rows, strict=True)},
             KINDS, x_label="attention to the skeleton", y_label="nats a note"),
    )  # fmt: skip
    method = (
        "Han Chinese tunes of the Essen collection in 2/4 and 4/4 with 16 to 160 notes, read where music21 is "
        f"installed: {small} small tunes (xiaodiao), {min(HELD_OUT, small // 4)} of them held out, {train} tunes to "
        "learn from. Phrases are the lines of the source; skeletons are found by the rule of the notes. "
        f"Each network: two encoder and three decoder layers of width 96, {steps} steps of 12 tunes; all are told the "
        "number of the current phrase. Nats are the sum over pitch, length and phrase end on held-out tunes.",
        "All of this is a reconstruction: of the paper only the abstract was at hand.",
    )
    return Reproduction(
        name="small_tunes_transformer",
        title="Small Tunes Transformer in small",
        claims=claims,
        figures=figures,
        plots=plots,
        method=method,
        seeds=tuple(seeds),
        seconds=seconds,
    )


def paper_table(*, seed: int = 0, progress: Callable[[int, int], None] | None = None, pieces: int = 24) -> PaperTable:
    """Measures in the spirit of the paper's three, on tunes that the miniature writes through the skeletons of held-out
    tunes; the paper's own could not be had."""
    from orchestrion.data.corpus import load_corpus
    from orchestrion.systems.registry import load
    from orchestrion.training.plain_melodies import tunes_of

    model = load("small_tunes_transformer")
    assert isinstance(model, SmallTunesTransformer)
    made = []
    tunes = tunes_of(load_corpus("compact", split="test", limit=6 * pieces), pieces)
    for number, tune in enumerate(tunes):
        generator = torch.Generator().manual_seed(1000 * seed + number)
        found = model.write(tune, tune.phrase_stop.tolist(), begin=int(tune.start[0]), generator=generator)
        made.append((line_of(found, metre=(4, 4)), _phrases(found)))
        if progress is not None:
            progress(number + 1, len(tunes))
    figures = _figures(made)
    rows = tuple(PaperRow(name, "higher", value) for name, value in figures.items())
    return PaperTable(
        "small_tunes_transformer",
        "rhythm and melody",
        f"{len(made)} tunes of the compact corpus",
        "10,088 Small Tunes",
        rows,
    )
