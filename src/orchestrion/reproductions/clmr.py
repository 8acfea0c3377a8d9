"""CLMR in small: is what contrast teaches worth more than a random network, and does it save labels?

Pieces of the corpus are played by one to four of 24 instruments in eight families; a linear probe on frozen encoders
finds families, texture, register, tempo, mode and collection. All parts of one tune are in one split.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import fmean

import numpy as np
import torch

from orchestrion.data.audio_factory import choose_pieces
from orchestrion.data.audio_tags import multi_hot, tag_names
from orchestrion.data.augment.chain import Chain
from orchestrion.data.augment.filters import BandFilter
from orchestrion.data.corpus import load_corpus
from orchestrion.data.held_clips import HeldClips, to_float
from orchestrion.data.song_crops import HeldClip, SongCrops
from orchestrion.evaluation.probes import measure_probe, split_by_group, train_probe
from orchestrion.evaluation.tagging import pooled, tagging_scores
from orchestrion.media.audio_windows import split_windows
from orchestrion.reproductions.report import Claim, Plot, Reproduction
from orchestrion.systems.clmr import CLMR, factory
from orchestrion.training.stage import Stage
from orchestrion.training.trainer import Trainer

PIECES, SECONDS = 360, 30.0
PARTS = 3  # clips that each piece is cut into, for the arm whose views come from one clip
KINDS = ("family", "texture", "register", "tempo", "mode", "collection")
FEWEST = 20  # pieces that have a tag, and that lack it
SHARE = 0.05  # of labels
POSITIVES = 2  # of each tag in that share
STEPS, SHORT_STEPS, SUPERVISED_STEPS = 320, 200, 240
"""Of the main arm and of the one without grouping; of the two that compare views; of both supervised ones."""
LOOKS = 40  # steps between looks at the validation pieces, of the supervised arms


@dataclass(frozen=True, slots=True)
class Sounds:
    """All pieces: their sound, tags, names of tags, and tunes."""

    clips: HeldClips
    labels: np.ndarray
    names: list[str]
    tunes: list[str]


@dataclass(frozen=True, slots=True)
class Budget:
    """Sizes of the experiment: pieces, and steps of the arms."""

    pieces: int = PIECES
    steps: int = STEPS
    short_steps: int = SHORT_STEPS
    supervised_steps: int = SUPERVISED_STEPS


@lru_cache(maxsize=1)
def play(pieces: int, preset_rate: int) -> Sounds:
    """Renders the pieces, 30 seconds each, and finds their tags."""
    chosen = choose_pieces(load_corpus("compact"), count=pieces)
    clips = factory(chosen, rate=preset_rate, seconds=SECONDS).held(range(pieces), workers=2)
    tags = [label.tags for label in clips.labels]
    names = [name for name in tag_names(tags, kinds=KINDS, fewest=min(FEWEST, pieces // 8)) if name != "mode: major"]
    return Sounds(clips, multi_hot(tags, names), names, [label.piece.partition("#")[0] for label in clips.labels])


def run(
    *,
    seeds: Sequence[int] = (0, 1, 2),
    folder: Path,
    progress: Callable[[int, int], None] | None = None,
    budget: Budget | None = None,
) -> Reproduction:
    """Runs all arms for each seed and writes the report."""
    budget = budget or Budget()
    start = time.monotonic()
    sounds = play(budget.pieces, CLMR.presets["mini"]["rate"])
    rows = []
    for number, seed in enumerate(seeds):
        rows.append(Experiment(sounds, seed, budget, _inside(progress, number, len(seeds))).run())
    report = _report(seeds, rows, sounds, budget, time.monotonic() - start)
    report.write(folder)
    return report


class Experiment:
    """All arms of one seed.

    Args:
        progress: called with arms done and arms in all.
    """

    def __init__(
        self, sounds: Sounds, seed: int, budget: Budget, progress: Callable[[int, int], None] = lambda done, all: None
    ) -> None:
        self.sounds, self.seed, self.budget, self.progress = sounds, seed, budget, progress
        self.train, self.validation, self.test = split_by_group(sounds.tunes, seed=seed)
        self.few = few_labels(sounds.labels, self.train, seed)
        window = self.network().window
        self.windows = [split_windows(to_float(one[0]), window) for one in sounds.clips.samples]
        self.pieces = np.repeat(np.arange(len(self.windows)), [len(one) for one in self.windows])

    def run(self) -> dict[str, float]:
        """Figures by name; areas are in points, from 0 to 100."""
        figures: dict[str, float] = {}
        arms: list[tuple[str, Callable[[], dict[str, float]]]] = [
            ("random", lambda: self.probed(self.network())),
            ("contrastive", lambda: self.probed(self.contrast(self.budget.steps))),
            ("clips", lambda: self.probed(self.contrast(self.budget.steps, parts=PARTS), few=False)),
            ("crop", lambda: self.probed(self.contrast(self.budget.short_steps, chain=Chain([])), few=False)),
            ("filter", lambda: self.probed(self.contrast(self.budget.short_steps, chain=self.filters()), few=False)),
            ("supervised", lambda: {"pr": self.supervised(self.train)}),
            ("supervised, few", lambda: {"pr": self.supervised(self.few)}),
        ]
        for number, (name, arm) in enumerate(arms):
            self.progress(number, len(arms))
            torch.manual_seed(self.seed)
            figures |= {f"{name}: {figure}": value for figure, value in arm().items()}
        self.progress(len(arms), len(arms))
        return figures

    def network(self, **changes: float | None) -> CLMR:
        """An untrained miniature."""
        return CLMR.from_preset("mini", **changes)

    def filters(self) -> Chain:
        """High-pass and low-pass alone, as in the paper's study of single augmentations."""
        chain = self.network().chain()
        return Chain([step for step in chain.steps if isinstance(step[1], BandFilter)])

    def songs(self, chosen: np.ndarray, parts: int = 1) -> SongCrops:
        """What views are drawn from: whole pieces, or each cut into clips that are items of their own."""
        samples = [part for piece in chosen for part in np.array_split(self.sounds.clips.samples[piece, 0], parts)]
        return SongCrops([[HeldClip(part)] for part in samples], window=self.windows[0].shape[1])

    def contrast(self, steps: int, *, chain: Chain | None = None, parts: int = 1) -> CLMR:
        """An encoder that was trained by contrast, without labels, on the pieces for training."""
        model = self.network(training_steps=steps)
        self._fit(model, model.contrastive_stage(self.songs(self.train, parts), chain=chain, seed=self.seed))
        return model

    def supervised(self, labelled: np.ndarray) -> float:
        """PR-AUC on the test pieces of the same encoder, trained from scratch; of its states during the training the
        one that is best on the validation pieces counts, as early stopping would choose."""
        model = self.network(
            training_steps=self.budget.supervised_steps, projection=None, tags=len(self.sounds.names), dropout=0.5
        )
        best: list[tuple[float, dict[str, torch.Tensor]]] = []

        def look() -> dict[str, float]:
            value = self._tagged(model, self.validation)
            if not best or value > best[0][0]:
                best[:] = [(value, {name: tensor.clone() for name, tensor in model.state_dict().items()})]
            return {"pr": value}

        stage = model.supervised_stage(
            self.songs(labelled), self.sounds.labels[labelled], validate=look, validate_every=LOOKS, seed=self.seed
        )
        self._fit(model, stage)
        model.load_state_dict(best[0][1])
        return self._tagged(model, self.test)

    def probed(self, model: CLMR, *, few: bool = True) -> dict[str, float]:
        """PR-AUC and ROC-AUC of linear probes with all labels, and with few."""
        vectors = model.represent(np.concatenate(self.windows))
        pr, roc = self._probe(vectors, self.train)
        return {"pr": pr, "roc": roc, **({"pr, few labels": self._probe(vectors, self.few)[0]} if few else {})}

    def _probe(self, vectors: np.ndarray, labelled: np.ndarray) -> tuple[float, float]:
        train, validation = np.isin(self.pieces, labelled), np.isin(self.pieces, self.validation)
        labels = self.sounds.labels[self.pieces]
        probe, _ = train_probe(
            vectors[train],
            labels[train],
            self.sounds.names,
            validation=(vectors[validation], labels[validation]),
            seed=self.seed,
        )
        tested = np.isin(self.pieces, self.test)
        rows = np.searchsorted(self.test, self.pieces[tested])
        scores, _ = measure_probe(probe, vectors[tested], rows, self.sounds.labels[self.test])
        return 100 * scores.pr_auc, 100 * scores.roc_auc

    def _tagged(self, model: CLMR, chosen: np.ndarray) -> float:
        """PR-AUC of a supervised network over some pieces, the mean of the probabilities of their windows."""
        assert model.encoder.head is not None
        vectors = model.represent(np.concatenate([self.windows[piece] for piece in chosen]))
        with torch.inference_mode():
            scores = model.encoder.head(torch.from_numpy(vectors)).sigmoid().numpy()
        rows = np.repeat(np.arange(len(chosen)), [len(self.windows[piece]) for piece in chosen])
        return 100 * tagging_scores(self.sounds.labels[chosen], pooled(scores, rows, len(chosen))).pr_auc

    def _fit(self, model: CLMR, stage: Stage) -> None:
        with tempfile.TemporaryDirectory() as place:
            Trainer(
                model, [stage], folder=place, seed=self.seed, checkpoint_seconds=1e9, tensorboard=False,
                progress=lambda done, total: None,
            ).run()  # fmt: skip


def few_labels(labels: np.ndarray, train: np.ndarray, seed: int) -> np.ndarray:
    """A twentieth of the training pieces, or as many more as give each tag two positives: drawn one by one among those
    that have the most tags that still lack them."""
    rng = np.random.default_rng((seed, 5))
    order = rng.permutation(train)
    wanted = np.minimum(POSITIVES, labels[train].sum(0))
    chosen: list[int] = []
    count = max(round(SHARE * len(train)), 1)
    while len(chosen) < count or (labels[chosen].sum(0) < wanted).any():
        lacking = labels[chosen].sum(0) < wanted if chosen else np.ones(labels.shape[1], bool)
        free = [int(piece) for piece in order if int(piece) not in chosen]
        chosen.append(max(free, key=lambda piece: labels[piece][lacking].sum()) if lacking.any() else free[0])
    return np.sort(np.array(chosen))


def _inside(progress: Callable[[int, int], None] | None, number: int, total: int) -> Callable[[int, int], None]:
    def tell(done: int, of: int) -> None:
        if progress is not None:
            progress(number * of + done, total * of)

    return tell


def _report(
    seeds: Sequence[int], rows: list[dict[str, float]], sounds: Sounds, budget: Budget, seconds: float
) -> Reproduction:
    def of(name: str) -> list[float]:
        return [row[name] for row in rows]

    def less(one: str, two: str) -> list[float]:
        return [a - b for a, b in zip(of(one), of(two), strict=True)]

    claims = (
        Claim.at_least(
            "Contrast beats a random encoder by 10 points of PR-AUC", 10, less("contrastive: pr", "random: pr")
        ),
        Claim.at_least(
            "With 5 % of the labels it beats training from scratch by 3 points",
            3,
            less("contrastive: pr, few labels", "supervised, few: pr"),
        ),
        Claim.at_least(
            "With all labels it is within 6 points of training from scratch",
            -6,
            less("contrastive: pr", "supervised: pr"),
        ),
        Claim.at_least("Cropping and filtering beat cropping alone", 0, less("filter: pr", "crop: pr")),
        Claim.at_least(
            "Views from the whole piece are no worse than views from one clip", 0, less("contrastive: pr", "clips: pr")
        ),
    )
    arms = ("random", "contrastive", "supervised", "crop", "filter", "clips")
    plots = (
        Plot("arms", "PR-AUC on test pieces, all labels", {"PR-AUC": [fmean(of(f"{arm}: pr")) for arm in arms]}, arms,
             y_label="points"),
        Plot("labels", "PR-AUC with few and with all labels", {
            "contrast and probe": [fmean(of("contrastive: pr, few labels")), fmean(of("contrastive: pr"))],
            "from scratch": [fmean(of("supervised, few: pr")), fmean(of("supervised: pr"))],
            "random and probe": [fmean(of("random: pr, few labels")), fmean(of("random: pr"))],
        }, ("5 %", "100 %"), y_label="points"),
    )  # fmt: skip
    chance = 100 * float(sounds.labels.mean())
    method = (
        f"{budget.pieces} pieces of the compact corpus, no two of one tune, 30 seconds each at 16 kHz, played by one "
        f"to four of 24 programs; {len(sounds.names)} tags ({', '.join(sounds.names)}), of which a piece has "
        f"{chance:.0f} % on average: the PR-AUC of guessing. Split 70 : 10 : 20 by tune, anew for each seed.",
        f"The encoder is the preset `mini` (0.69 M parameters, windows of 1.23 s), batch 48, Adam at 1e-3, bfloat16. "
        f"Contrast: {budget.steps} steps; {budget.short_steps} for the two arms that compare views, which have no "
        f"other augmentation; from scratch: {budget.supervised_steps} steps, of which the state that is best on the "
        "validation pieces counts. The steps are as many as let three seeds end in twenty minutes on two cores; longer "
        "trainings reach more in all arms.",
        f"Few labels: a twentieth of the training pieces, chosen so that each tag has {POSITIVES} positives. Probes: "
        "linear, on all windows, standardised inputs, Adam at 1e-3, stopped by the validation pieces; probabilities "
        f"averaged over a piece. In the arm of clips, each piece is cut in {PARTS}, and a clip is an item.",
    )
    return Reproduction(
        name="clmr",
        title="CLMR in small",
        claims=claims,
        figures={name: of(name) for name in rows[0]},
        plots=plots,
        method=method,
        seeds=tuple(seeds),
        seconds=seconds,
    )
