"""ImprovNet in small: does a piece move to another genre with passes and rate, what does that cost of its structure,
which corruptions do it, and does the constraint on onsets make harmony? (Bhandari et al. 2025, arXiv 2502.04522)

A classifier learns to tell two genres of performances, and for each seed a network to restore them. Held-out pieces of
the one are then rewritten in the other.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import torch

from orchestrion.analysis.self_similarity import agreement, score_similarity
from orchestrion.analysis.skyline import find_melody_track
from orchestrion.data.corpus import load_corpus, one_of_each_tune
from orchestrion.evaluation.conditional import class_probability, control_correlation
from orchestrion.evaluation.notes import Notes
from orchestrion.evaluation.texture import polyphony_rate
from orchestrion.media.timeline import Timeline
from orchestrion.nn.bert import BertClassifier
from orchestrion.representations.performance_score import PerformedScore
from orchestrion.reproductions.paper_table import PaperRow, PaperTable
from orchestrion.reproductions.report import Claim, Plot, Reproduction
from orchestrion.reproductions.two_genres import two_genres
from orchestrion.systems.improvnet import ImprovNet
from orchestrion.systems.registry import load
from orchestrion.training.genre_windows import genre_probabilities, train_genre_classifier, window_accuracy
from orchestrion.training.performance_segments import genre_of
from orchestrion.training.trainer import Trainer

if TYPE_CHECKING:
    from symusic.core import ScoreTick

    from orchestrion.data.piece import Piece

SOURCE, TARGET = "classical", "jazz"
RATES, PASSES = (0.25, 0.5, 1.0), (1, 3, 5)
GENRES = (SOURCE, TARGET)
SMALL = {
    "width": 128, "num_heads": 4, "feed_forward": 384, "encoder_layers": 2, "decoder_layers": 2, "encoder_length": 256,
    "context": 1, "no_right_share": 0.1, "learning_rate": 2e-3, "warmup": 50,
}  # fmt: skip
STEPS, CLASSIFIER_STEPS = 3000, 150
TABLE_TUNES, TABLE_CLASSIFIER_STEPS = 1200, 800
SECONDS = (40.0, 60.0)  # of pieces that are rewritten: long enough for what stays to be a small part
CORRUPTIONS = ("whole_mask", "permute_pitches")
STEPS_A_QUARTER = 4  # in which polyphony is measured


def run(
    *,
    seeds: Sequence[int] = (0, 1, 2),
    folder: Path,
    progress: Callable[[int, int], None] | None = None,
    steps: int = STEPS,
    classifier_steps: int = CLASSIFIER_STEPS,
    learnt: int | None = None,
    pieces: int = 8,
) -> Reproduction:
    """Trains, rewrites, measures, and reports.

    Args:
        steps, classifier_steps: of the trainings.
        learnt: most pieces of a genre to read; all by default.
        pieces: that are rewritten.

    Raises:
        MissingDependencyError: music21, which ships the scores, is not installed.
    """
    began = time.monotonic()
    train, test = two_genres(most=learnt)
    chosen = _sources(test, pieces)
    figures: dict[str, list[float]] = {}
    plain = ImprovNet.from_preset("mini", genres=GENRES, **SMALL)
    classifier = train_genre_classifier(plain.segments(train), steps=classifier_steps)
    accuracy = window_accuracy(classifier, plain.segments(test))
    for done, seed in enumerate(seeds):
        model = _trained(train, seed, steps)
        row = _genre_and_structure(model, classifier, chosen, seed) | _harmony(model, chosen, seed)
        for name, value in row.items():
            figures.setdefault(name, []).append(value)
        if progress is not None:
            progress(done + 1, len(seeds))
    report = _report(
        seeds, figures, accuracy, len(train), steps, classifier_steps, len(chosen), time.monotonic() - began
    )
    report.write(folder)
    return report


def _pieces(split: str, most: int) -> list[Piece]:
    """One arrangement of each tune, of genres that the network knows."""
    found = []
    for piece in one_of_each_tune(load_corpus("compact", split=split, limit=4 * most)):
        if genre_of(piece, ("classical", "pop", "jazz")) is not None:
            found.append(piece)
        if len(found) == most:
            break
    return found


def _sources(pieces: Sequence[Piece], most: int) -> list[ScoreTick]:
    """Pieces of the source genre that are neither short nor long."""
    found = []
    for piece in pieces:
        if piece.score is None or genre_of(piece, (SOURCE,)) != SOURCE:
            continue
        seconds = float(Timeline.from_score(piece.score).tick_to_second(float(piece.score.end())))
        if SECONDS[0] <= seconds <= SECONDS[1]:
            found.append(piece.score)
        if len(found) == most:
            break
    return found


def _trained(train: Sequence[Piece], seed: int, steps: int) -> ImprovNet:
    torch.manual_seed(seed)
    model = ImprovNet.from_preset("mini", genres=GENRES, training_steps=steps, **SMALL)
    with tempfile.TemporaryDirectory() as place:
        Trainer(model, model.stages(train, train[:1]), folder=Path(place), seed=seed, tensorboard=False).run()
    return model.eval()


def genre_probability(model: ImprovNet, classifier: BertClassifier, score: ScoreTick, genre: str = TARGET) -> float:
    """Mean probability of a genre over the windows of a score."""
    segments = PerformedScore(score, model.vocabulary).segments
    found = genre_probabilities(classifier, segments, model.vocabulary)
    return class_probability(found, target=model.vocabulary.genres.index(genre))


def _genre_and_structure(
    model: ImprovNet, classifier: BertClassifier, scores: Sequence[ScoreTick], seed: int
) -> dict[str, float]:
    """Means over pieces: probability of the target genre, and correlation of the self-similarity with the original's,
    by rate and passes and for two corruptions."""
    found: dict[str, list[float]] = {}

    def measure(name: str, original: ScoreTick, made: ScoreTick) -> None:
        alike = agreement(score_similarity(original), score_similarity(made)).pearson
        found.setdefault(f"{name}: {TARGET}", []).append(genre_probability(model, classifier, made))
        found.setdefault(f"{name}: structure", []).append(alike)

    for number, score in enumerate(scores):
        own = 1000 * seed + number
        found.setdefault(f"original: {TARGET}", []).append(genre_probability(model, classifier, score))
        for rate in RATES:
            passes = model.restyle(
                score, genre=TARGET, strength=rate, passes=max(PASSES), keep_passes=True, corruption="random", seed=own
            )
            for count in PASSES:
                measure(f"rate {rate:g}, pass {count}", score, passes[count - 1].score)
        for corruption in CORRUPTIONS:
            (made,) = model.restyle(score, genre=TARGET, strength=1.0, passes=1, corruption=corruption, seed=own)
            measure(corruption, score, made.score)
    return {name: fmean(values) for name, values in found.items()}


def _harmony(model: ImprovNet, scores: Sequence[ScoreTick], seed: int) -> dict[str, float]:
    """Mean polyphony rate of melodies with what one pass puts to them, with the constraint on onsets and without."""
    found: dict[str, list[float]] = {}
    for number, score in enumerate(scores):
        for name, constrained in (("constrained", True), ("free", False)):
            made = model.harmonize(
                score, genre=SOURCE, passes=1, constrained=constrained, seed=1000 * seed + number
            ).score.copy()
            found.setdefault(f"polyphony, {name}", []).append(_polyphony(made))
    return {name: fmean(values) for name, values in found.items()}


def _polyphony(score: Any) -> float:
    """Polyphony rate of melody and harmony alone: the harmony is the last track, the melody the one it was made for."""
    melody = find_melody_track(score)
    score.tracks = [track for number, track in enumerate(score.tracks) if number in (melody, len(score.tracks) - 1)]
    return polyphony_rate(Notes.from_score(score, resolution=STEPS_A_QUARTER), threshold=2)


def _rank_correlation(figures: dict[str, list[float]], measure: str, number: int) -> float:
    values = [figures[f"rate {rate:g}, pass {count}: {measure}"][number] for rate in RATES for count in PASSES]
    return control_correlation([rate * count for rate in RATES for count in PASSES], values)


def _report(
    seeds: Sequence[int],
    figures: dict[str, list[float]],
    accuracy: float,
    pieces_learnt: int,
    steps: int,
    classifier_steps: int,
    pieces: int,
    seconds: float,
) -> Reproduction:
    strongest = f"rate {max(RATES):g}, pass {max(PASSES)}"

    def gap(one: str, other: str) -> list[float]:
        return [a - b for a, b in zip(figures[one], figures[other], strict=True)]

    def ranks(measure: str) -> list[float]:
        return [_rank_correlation(figures, measure, number) for number in range(len(seeds))]

    claims = (
        Claim.at_least(
            f"{TARGET.capitalize()} is more probable after five passes at rate 1 than in the original",
            0.2,
            gap(f"{strongest}: {TARGET}", f"original: {TARGET}"),
        ),
        Claim.at_least(f"Rank correlation of rate × passes with the probability of {TARGET}", 0.8, ranks(TARGET)),
        Claim.at_least(
            "Rank correlation of rate × passes with the loss of structure",
            0.8,
            [-value for value in ranks("structure")],
        ),
        Claim.at_least(
            f"Masking whole segments makes {TARGET} more probable than permuting pitches does",
            0.1,
            gap(f"whole_mask: {TARGET}", f"permute_pitches: {TARGET}"),
        ),
        Claim.at_least(
            "Permuting pitches keeps more structure than masking whole segments",
            0.0,
            gap("permute_pitches: structure", "whole_mask: structure"),
        ),
        Claim.at_least(
            "The constraint on onsets makes one pass of harmony more polyphonic",
            0.3,
            gap("polyphony, constrained", "polyphony, free"),
        ),
    )
    x = [f"{rate:g} × {count}" for rate in RATES for count in PASSES]
    plots = tuple(
        Plot(
            name,
            title,
            {
                f"seed {seed}": [
                    figures[f"rate {rate:g}, pass {count}: {measure}"][number] for rate in RATES for count in PASSES
                ]
                for number, seed in enumerate(seeds)
            },
            x,
            y_label=label,
        )
        for name, title, measure, label in (
            ("genre", f"Probability of {TARGET} by rate × passes", TARGET, "probability"),
            (
                "structure",
                "Self-similarity, correlation with the original by rate × passes",
                "structure",
                "correlation",
            ),
        )
    )
    method = (
        f"{pieces_learnt} pieces, half of them four-part chorales of Bach and half dance tunes of Ryan's Mammoth "
        f"Collection (1883) over a swung stride bass made by rule, called {SOURCE} and {TARGET} here; tempo and "
        "loudness follow one rule in both. Networks of two encoder and two decoder layers, 128 wide, that see one "
        f"segment to either side, for {steps} steps of each seed, and for all of them one classifier of two layers, 96 "
        f"wide, trained for {classifier_steps}. It finds the genre of {accuracy:.0%} of "
        "the held-out pieces; half would be chance.",
        f"{pieces} held-out chorales, {SECONDS[0]:g} to {SECONDS[1]:g} s long, are rewritten as {TARGET}, with another "
        "corruption for each segment. The first two segments, the last and the strongest border of sections stay. All "
        "measures are means over pieces.",
        "Harmony: one pass around the melody; polyphony is the share of sounding sixteenths in which two notes or more "
        "sound, of melody and harmony.",
    )
    return Reproduction(
        name="improvnet",
        title="ImprovNet in small",
        claims=claims,
        figures=figures,
        plots=plots,
        method=method,
        seeds=tuple(seeds),
        seconds=seconds,
    )


def paper_table(*, seed: int = 0, progress: Callable[[int, int], None] | None = None, pieces: int = 6) -> PaperTable:
    """Classical pieces as jazz, and harmonies: the miniature with a classifier that is trained for the table, beside
    the authors' notebook."""
    model = load("improvnet")
    assert isinstance(model, ImprovNet)
    train, test = _pieces("train", TABLE_TUNES), _pieces("test", TABLE_TUNES // 4)
    classifier = train_genre_classifier(model.segments(train), steps=TABLE_CLASSIFIER_STEPS, seed=seed)
    accuracy = window_accuracy(classifier, model.segments(test))
    chosen = _sources(test, pieces)
    row: dict[str, Any] = _genre_and_structure(model, classifier, chosen, seed)
    row |= _harmony(model, chosen, seed)
    if progress is not None:
        progress(1, 1)
    published = {
        f"original: {TARGET}": 0.205,
        **dict(zip([f"rate 0.25, pass {n}: {TARGET}" for n in (1, 5)], (0.242, 0.350), strict=True)),
        **dict(zip([f"rate 0.25, pass {n}: structure" for n in (1, 5)], (0.855, 0.568), strict=True)),
        **dict(zip([f"rate 1, pass {n}: {TARGET}" for n in (1, 5)], (0.397, 0.492), strict=True)),
        **dict(zip([f"rate 1, pass {n}: structure" for n in (1, 5)], (0.492, 0.349), strict=True)),
        f"whole_mask: {TARGET}": 0.673,
        "whole_mask: structure": 0.172,
        f"permute_pitches: {TARGET}": 0.227,
        "permute_pitches: structure": 0.471,
        "polyphony, constrained": 0.912,
        "polyphony, free": 0.246,
    }
    rows = tuple(PaperRow(name, "higher", row[name], value) for name, value in published.items())
    return PaperTable(
        "improvnet",
        "classical music as jazz by rate and passes; harmony in one pass",
        f"{len(chosen)} pieces of the compact corpus; accuracy of the classifier {accuracy:.2f}",
        "performances of its test set, and its own classifier; harmony after all passes",
        rows,
    )
