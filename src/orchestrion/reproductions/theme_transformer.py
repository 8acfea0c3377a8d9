"""Theme Transformer in small: does a given theme return, and because of the gate? (Shih et al. 2023, arXiv 2111.04093)

Three small networks learn the same windows of the same tunes: the gated one, the same without gate and theme-aligned
positions, and a decoder that has the theme as a prompt. Each writes pieces for held-out themes; how alike the theme and
what was written are is the cosine of the vectors of `systems.theme_finder`. The finder itself is measured on melodies
with planted variants.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from orchestrion.analysis.themes import Melody, Themes, cut_phrases, exact_themes, find_themes
from orchestrion.data.augment.phrases import shift_on_scale, stretch_last
from orchestrion.data.corpus import load_corpus, one_of_each_tune
from orchestrion.data.piece import Piece, Split
from orchestrion.evaluation.melody import (
    beat_f1,
    melody_inconsistency,
    theme_gap,
    theme_inconsistency,
    theme_uncontrollability,
)
from orchestrion.representations.theme_remi import MELODY
from orchestrion.representations.theme_song import song_of_score
from orchestrion.reproductions.paper_table import PaperRow, PaperTable
from orchestrion.reproductions.report import Claim, Plot, Reproduction
from orchestrion.systems.registry import load
from orchestrion.systems.theme_finder import ThemeFinder
from orchestrion.systems.theme_transformer import ThemeTransformer
from orchestrion.training.stage import Share, Stage, warmup_cosine

SMALL = {"width": 64, "num_heads": 4, "feed_forward": 128, "num_encoder_layers": 1, "gate_pattern": [0, 1],
         "dropout": 0.0, "precision": "float32", "batch_tokens": 2056, "warmup": 20}  # fmt: skip
VARIANTS: dict[str, dict[str, Any]] = {
    "theme": {},
    "ungated": {"gated": False, "theme_positions": False},
    "prompt": {"source": "prompt"},
}
C_MAJOR = frozenset((0, 2, 4, 5, 7, 9, 11))
BEST, PHRASE_STEPS = 3, 32
COLLECTION = "Ryan's Mammoth Collection"


def run(
    seeds: Sequence[int] = (0, 1, 2),
    folder: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    *,
    training_steps: int = 1200,
    training_tunes: int = 400,
    themes: int = 8,
    bars: int = 32,
    melodies: int = 40,
) -> Reproduction:
    """Measures the claims and writes the report into `folder`.

    Args:
        training_steps, training_tunes: of each network.
        themes, bars: held-out themes, and the length of what is written for each.
        melodies: with planted themes, for the finder.
    """
    began = time.monotonic()
    finder = ThemeFinder.load()
    tunes = dance_tunes("train", training_tunes)
    held_out = [piece.score for piece in dance_tunes("test", themes)]
    (stage,) = ThemeTransformer.from_preset("mini", **SMALL).stages(tunes, tunes[:1])
    figures: dict[str, list[float]] = {}
    done, total = 0, len(seeds) * (len(VARIANTS) + 1)
    for seed in seeds:
        for name, changes in VARIANTS.items():
            model = trained(changes, stage, seed, training_steps)
            for figure, value in measured(model, held_out, finder, seed, bars).items():
                figures.setdefault(f"{figure}, {name}", []).append(value)
            done += 1
            if progress is not None:
                progress(done, total)
        for figure, value in planted_f1(finder, seed, melodies).items():
            figures.setdefault(f"beat F1 of planted themes, {figure}", []).append(value)
        done += 1
        if progress is not None:
            progress(done, total)

    def gain(figure: str, other: str) -> list[float]:
        return [a - b for a, b in zip(figures[f"{figure}, theme"], figures[f"{figure}, {other}"], strict=True)]

    f1 = (figures[f"beat F1 of planted themes, {name}"] for name in ("contrastive", "exact"))
    claims = (
        Claim.at_least("Likeness of the theme to its best returns, over that with the theme as a prompt", 0.1,
                       gain("likeness", "prompt")),
        Claim.at_least("Likeness lost without gate and theme-aligned positions", 0, gain("likeness", "ungated")),
        Claim.at_least("Likeness in the second half, over that with the theme as a prompt", 0,
                       gain("likeness in the second half", "prompt")),
        Claim.at_least("Theme regions a piece", 1, figures["theme regions a piece, theme"]),
        Claim.at_least("Beat F1 of the finder over that of exact repetition", 0.2,
                       [a - b for a, b in zip(*f1, strict=True)]),
    )  # fmt: skip
    result = Reproduction(
        name="theme_transformer",
        title="Theme Transformer: a theme that returns, in small",
        claims=claims,
        figures=figures,
        plots=(
            Plot("likeness", "Likeness of the given theme to its best returns",
                 {name: figures[f"likeness, {name}"] for name in VARIANTS}, [f"seed {seed}" for seed in seeds],
                 y_label="cosine"),
        ),
        method=(
            f"{len(tunes)} dance tunes in 4/4 of {COLLECTION} over blocks of their chords, of the training split, "
            f"themes marked by the bundled finder; three networks ({SMALL}) see the same {training_steps} batches. For "
            f"{len(held_out)} tunes of the test split each writes {bars} bars, given the theme that returns most in "
            f"the tune. Likeness is the mean of the {BEST} best cosines between the theme and phrases of two bars of "
            "what was written, the first left out. All networks are far smaller and less trained than the paper's.",
            f"The finder: {melodies} random melodies of ten phrases, in four of which stand variants of one theme, "
            "moved along the scale and with another last length; F1 over beats, against the search for exact "
            "repetitions up to transposition.",
        ),
        seeds=tuple(seeds),
        seconds=time.monotonic() - began,
    )  # fmt: skip
    if folder is not None:
        result.write(folder)
    return result


def dance_tunes(split: Split, most: int) -> list[Piece]:
    """Tunes of Ryan's collection in 4/4, one arrangement each; their strains repeat much."""
    tunes = one_of_each_tune(load_corpus("compact", split=split))
    return [tune for tune in tunes if tune.metre == (4, 4) and COLLECTION in tune.source][:most]


def held_out_scores(count: int) -> list[Any]:
    """Tunes in 4/4 of the test split."""
    tunes = one_of_each_tune(load_corpus("compact", split="test", limit=8 * count))
    return [piece.score for piece in tunes if piece.metre == (4, 4)][:count]


def trained(changes: dict[str, Any], stage: Stage, seed: int, steps: int) -> ThemeTransformer:
    """A small network after a short training on the batches of `stage`."""
    torch.manual_seed(seed)
    model = ThemeTransformer.from_preset("mini", **SMALL, training_steps=steps, **changes).train()
    optimiser = torch.optim.Adam(model.parameters(), lr=model.learning_rate)
    schedule = warmup_cosine(model.warmup, steps, floor=model.lowest_rate)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = model.learning_rate * schedule(step)
        optimiser.zero_grad()
        model.loss(stage.data(1000 * seed + step, Share())).value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 3.0)
        optimiser.step()
    return model.eval()


def measured(
    model: ThemeTransformer, scores: Sequence[Any], finder: ThemeFinder, seed: int, bars: int
) -> dict[str, float]:
    """Means over themes: likeness of the best returns, the same in the second half, and theme regions a piece."""
    best, late, regions = [], [], []
    for number, score in enumerate(scores):
        (music,) = model.develop(score, bars=bars, seed=1000 * seed + number)
        given = phrases_of(score)[(music.report["theme"]["bars"][0] - 1)]
        written = phrases_of(music.score)
        half = [one for place, one in enumerate(written) if place >= bars // 2]
        best.append(likeness(given, written[2:], finder))
        late.append(likeness(given, half, finder))
        regions.append(len(music.report["theme_regions"]))
    return {
        "likeness": float(np.mean(best)),
        "likeness in the second half": float(np.mean(late)),
        "theme regions a piece": float(np.mean(regions)),
    }


def phrases_of(score: Any) -> list[Melody]:
    """Two bars of the melody from each bar on."""
    from orchestrion.analysis.skyline import find_melody_track

    track = find_melody_track(score)
    song = song_of_score(score, melody=0 if track is None else track, chords=())
    melody = song.notes[song.notes[:, 4] == MELODY][:, :3]
    return [cut_phrases(melody, song.bars[bar:], offset=0)[0].notes for bar in range(len(song.bars) - 2)]


def likeness(given: Melody, written: Sequence[Melody], finder: ThemeFinder) -> float:
    """Mean of the best cosines between a theme and phrases; 0 where too few are written."""
    full = [phrase for phrase in written if len(phrase) >= 3]
    if len(given) < 3 or not full:
        return 0.0
    vectors = finder.embed([given, *full])
    found = np.sort(vectors[1:] @ vectors[0])[::-1][:BEST]
    return float(found.sum() / BEST)


def planted_f1(finder: ThemeFinder, seed: int, melodies: int) -> dict[str, float]:
    """Beat F1 of the finder and of exact repetition on melodies with planted variants of a theme."""
    rng = np.random.default_rng(seed)
    found: dict[str, list[float]] = {"contrastive": [], "exact": []}
    for _ in range(melodies):
        melody, bars, truth = planted(rng)
        for name, themes in (
            ("contrastive", find_themes(melody, bars, finder.embed)),
            ("exact", exact_themes(melody, bars)),
        ):
            found[name].append(beat_f1(beats(themes, len(bars) - 1), truth))
    return {name: float(np.mean(values)) for name, values in found.items()}


def planted(rng: np.random.Generator, *, phrases: int = 10, copies: int = 4) -> tuple[Melody, np.ndarray, list[bool]]:
    """A melody of random phrases of two bars with variants of one at some places, its bars, and which beats are
    theme."""
    scale = np.array([60 + 12 * octave + step for octave in range(2) for step in sorted(C_MAJOR)])

    def phrase() -> Melody:
        onsets = np.concatenate([[0], np.sort(rng.choice(np.arange(2, PHRASE_STEPS, 2), 7, replace=False))])
        return np.stack([onsets, np.minimum(np.diff(onsets, append=PHRASE_STEPS), 6), rng.choice(scale, 8)], 1)

    theme, places = phrase(), set(rng.choice(phrases, copies, replace=False).tolist())
    parts = []
    for number in range(phrases):
        part = phrase()
        if number in places:
            part = stretch_last(shift_on_scale(theme, C_MAJOR, int(rng.integers(-3, 4))), int(rng.choice([2, 4, 8])))
        parts.append(part + np.array([PHRASE_STEPS * number, 0, 0]))
    truth = [number in places for number in range(phrases) for _ in range(8)]
    return np.concatenate(parts), np.arange(2 * phrases + 1) * 16, truth


def beats(themes: Themes, bars: int) -> list[bool]:
    """Which beats of 4/4 bars are in the commonest theme."""
    inside = np.zeros(4 * bars, bool)
    for first, last in themes.regions:
        inside[4 * first : 4 * last] = True
    return inside.tolist()


def paper_table(*, seed: int = 0, progress: Callable[[int, int], None] | None = None, pieces: int = 8) -> PaperTable:
    """The measures of the paper on pieces that the weights that ship write for held-out themes, embedded by the bundled
    finder; of the paper's figures only those of the retrieval are known."""
    model, finder = load("theme_transformer"), ThemeFinder.load()
    assert isinstance(model, ThemeTransformer)
    scores = held_out_scores(pieces)
    found: dict[str, list[float]] = {}
    for number, score in enumerate(scores):
        (music,) = model.develop(score, bars=32, seed=1000 * seed + number)
        for name, value in theme_measures(score, music, finder).items():
            found.setdefault(name, []).append(value)
        if progress is not None:
            progress(number + 1, len(scores))
    f1 = planted_f1(finder, seed, 40)
    rows = [PaperRow(name, "lower", float(np.nanmean(values))) for name, values in found.items()]
    rows += [
        PaperRow("beat F1 of the retrieval, learned", "higher", f1["contrastive"], 0.378),
        PaperRow("beat F1 of the retrieval, repeated patterns", "higher", f1["exact"], 0.345),
    ]
    return PaperTable(
        "theme_transformer",
        "themes that return, and their retrieval",
        f"{len(scores)} themes of the compact corpus, 32 bars each; retrieval of themes planted in random melodies",
        "six songs of POP909, marked by three people; repeated patterns by the correlative matrix",
        tuple(rows),
    )  # fmt: skip


def theme_measures(score: Any, music: Any, finder: ThemeFinder) -> dict[str, float]:
    """Distances of the embeddings of a given theme, of the theme regions written for it, and of neighbouring melody
    segments; bars between regions."""
    given = phrases_of(score)[music.report["theme"]["bars"][0] - 1]
    written, regions = phrases_of(music.score), music.report["theme_regions"]
    segments = [phrase for phrase in written[::2] if len(phrase) >= 3]
    themes = [written[first - 1] for first, _ in regions if first <= len(written) and len(written[first - 1]) >= 3]
    vectors = finder.embed([given, *themes, *segments])
    of_themes, of_segments = vectors[1 : len(themes) + 1], vectors[len(themes) + 1 :]
    return {
        "theme uncontrollability": theme_uncontrollability(vectors[0], of_themes),
        "theme inconsistency": theme_inconsistency(of_themes),
        "melody inconsistency": melody_inconsistency(of_segments),
        "theme gap, bars": theme_gap([(first - 1, last) for first, last in regions]),
    }
