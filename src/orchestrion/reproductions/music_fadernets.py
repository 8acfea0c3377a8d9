"""Music FaderNets in small: do faders fade, and is arousal learned from a few labels? (Tan & Herremans 2020, section 4)

Small networks are trained side by side: the paper's, the same without the regulariser, and one with a single encoder
and no low-level losses. Arousal is the stand-in of `training.fader_segments`, known for one segment in a hundred.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from orchestrion.data.corpus import load_corpus
from orchestrion.evaluation.faders import FaderScores, fader_scores, fader_settings
from orchestrion.representations.segments import STEPS, Segment
from orchestrion.reproductions.paper_table import PaperRow, PaperTable
from orchestrion.reproductions.part_writing import part_writing
from orchestrion.reproductions.report import Claim, Plot, Reproduction
from orchestrion.systems.music_fadernets import MusicFaderNets
from orchestrion.systems.registry import load
from orchestrion.training.fader_measures import measured
from orchestrion.training.fader_segments import FaderBatch, FaderData
from orchestrion.training.stage import Share

SMALL = {
    "hidden": 64, "sub_hidden": 32, "latent": 12, "longest": 48, "batch_size": 32, "segments": 6000,
    "beta_offset": 100, "beta_rise": 300, "last_learning_rate": 4e-4,
}  # fmt: skip
VARIANTS = {
    "paper": {},
    "no regulariser": {"ordered": False},
    "one encoder": {"family": "single_gmvae", "ordered": False},
}
FADERS = ("rhythm", "notes")


def run(
    seeds: Sequence[int] = (0, 1, 2),
    folder: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    *,
    training_steps: int = 1200,
    learnt: int | None = None,
    tests: int = 60,
) -> Reproduction:
    """Measures the claims and writes the report into `folder`.

    Args:
        training_steps: of each small network.
        learnt: most pieces of a kind to read; all by default.
        tests: held-out segments whose faders are moved.

    Raises:
        MissingDependencyError: music21, which ships the scores, is not installed.
    """
    began = time.monotonic()
    train, test = part_writing(most=learnt)
    reader = MusicFaderNets.from_preset("mini", **SMALL)  # all variants read the same segments
    data, held_out = reader.data(train), reader.data(test, most=600)
    figures: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        figures.setdefault(name, []).append(value)

    for number, seed in enumerate(seeds):
        for variant, changes in VARIANTS.items():
            model = trained(data, seed, {**changes, "training_steps": training_steps})
            for name, value in measured(model.network, held_out).items():
                if name.startswith(("arousal", "events")):
                    note(f"{name}, {variant}", value)
            if variant != "one encoder":
                for fader in FADERS:
                    scores, span = fader_figures(model, held_out, fader, tests)
                    note(f"consistency, {fader}, {variant}", scores.consistency)
                    note(f"restrictiveness, {fader}, {variant}", scores.restrictiveness)
                    note(f"linearity, {fader}, {variant}", scores.mean_linearity)
                    note(f"range in deviations, {fader}, {variant}", span)
            if variant == "paper":
                note("segments whose rhythm density rises with arousal", transfer_rate(model, held_out, tests))
            if progress is not None:
                progress(number * len(VARIANTS) + list(VARIANTS).index(variant) + 1, len(seeds) * len(VARIANTS))

    def gain(name: str) -> list[float]:
        pairs = zip(figures[f"{name}, paper"], figures[f"{name}, no regulariser"], strict=True)
        return [a - b for a, b in pairs]

    arousal = figures["arousal right, paper"]
    claims = (
        *(Claim.at_least(f"Linearity that the regulariser adds, {f}", 0.3, gain(f"linearity, {f}")) for f in FADERS),
        *(
            Claim.at_least(f"Range of the fader in deviations, {f}", 1.5, figures[f"range in deviations, {f}, paper"])
            for f in FADERS
        ),
        *(Claim.at_least(f"Consistency that it adds, {f}", 0.0, gain(f"consistency, {f}")) for f in FADERS),
        Claim.at_least("Arousal told rightly on unseen segments, labels for 1 %", 0.75, arousal),
        Claim.at_least(
            "The same minus one encoder without low-level losses", 0.1,
            [a - b for a, b in zip(arousal, figures["arousal right, one encoder"], strict=True)],
        ),
        Claim.at_least(
            "Share of low segments whose rhythm density rises when moved to high", 0.8,
            figures["segments whose rhythm density rises with arousal"],
        ),
    )  # fmt: skip
    result = Reproduction(
        name="music_fadernets",
        title="Music FaderNets: sliders in small",
        claims=claims,
        figures=figures,
        plots=(
            Plot(
                "linearity",
                "Linearity of the faders",
                {v: [float(np.mean(figures[f"linearity, {f}, {v}"])) for f in FADERS] for v in list(VARIANTS)[:2]},
                list(FADERS),
                y_label="R²",
            ),
        ),
        method=(
            f"{len(data)} segments of four quarters on a grid of sixteenths from {len(train)} pieces of music21's "
            "corpus, chorales of Bach and movements of Beethoven, Haydn, Mozart and the Schumanns; networks of the "
            f"preset `mini` with {SMALL}, {training_steps} steps each, the same batches for all variants of a seed. "
            f"{tests} segments of {len(test)} held-out pieces, eight settings of a fader, greedy decoding.",
            "Arousal is a stand-in: rhythm density plus half the note density, both standardised, plus noise, above 0 "
            "or not. The noise alone keeps any reader below 100 %.",
        ),
        seeds=tuple(seeds),
        seconds=time.monotonic() - began,
    )
    if folder is not None:
        result.write(folder)
    return result


def paper_table(*, n: int = 60, seed: int = 0, progress: Callable[[int, int], None] | None = None) -> PaperTable:
    """Consistency, restrictiveness and linearity of the miniature that ships; the paper's figures are not known."""
    model = load("music_fadernets")
    assert isinstance(model, MusicFaderNets)
    held_out = model.data(load_corpus("compact", split="test"), most=max(n, 40))
    rows = []
    for done, fader in enumerate(FADERS, 1):
        scores, span = fader_figures(model, held_out, fader, n)
        rows += [
            PaperRow(f"consistency, {fader}", "higher", scores.consistency),
            PaperRow(f"restrictiveness, {fader}", "higher", scores.restrictiveness),
            PaperRow(f"linearity, {fader}", "higher", scores.mean_linearity),
            PaperRow(f"range in deviations, {fader}", "higher", span),
        ]
        if progress is not None:
            progress(done, len(FADERS))
    return PaperTable(
        system="music_fadernets",
        title="controllability of the faders (table 1)",
        miniature_on=f"{min(n, len(held_out))} segments of held-out tunes of the compact corpus",
        paper_on="100 segments of the Yamaha e-Piano competition; the figures are not at hand",
        rows=tuple(rows),
    )


def trained(data: FaderData, seed: int, changes: dict) -> MusicFaderNets:
    """A small network after a short training."""
    torch.manual_seed(seed)
    return fit(MusicFaderNets.from_preset("mini", **{**SMALL, **changes}), data, seed)


def fit(model: MusicFaderNets, data: FaderData, seed: int) -> MusicFaderNets:
    """The training stage of a network, without log and checkpoints."""
    steps, rate, floor = model.training_steps, model.learning_rate, model.last_learning_rate
    optimiser = torch.optim.Adam(model.parameters(), lr=rate)
    model.measure_scale(data)
    model.train()
    for step in range(steps):
        torch.manual_seed(1000 * seed + step)
        for group in optimiser.param_groups:
            group["lr"] = rate * (floor / rate) ** (step / steps)
        loss = model.loss(data.batch(step, Share()))
        optimiser.zero_grad()
        loss.value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    model.eval()
    model.finish(data)
    return model


@torch.inference_mode()
def fader_figures(model: MusicFaderNets, data: FaderData, fader: str, count: int) -> tuple[FaderScores, float]:
    """Scores of a fader on some segments, and how far its attribute goes from end to end, in deviations."""
    block = FADERS.index(fader)
    batch = next(data.all(count))
    z = [one.mean for one in model.network.encode(batch.events)]
    low, high = (float(end) for end in model.fader_range[block])
    settings = fader_settings(low, high)
    found = []
    for setting in settings:
        moved = [one.clone() for one in z]
        moved[block][:, 0] = float(setting)
        found.append(densities_of(model, moved, batch.key))
    table = np.stack(found, 1) / model.attribute_scale.cpu().numpy()
    target = table[..., block]
    return fader_scores(settings, target, table[..., 1 - block]), float(np.mean(target[:, -1] - target[:, 0]))


def densities_of(model: MusicFaderNets, z: Sequence[torch.Tensor], key: torch.Tensor) -> np.ndarray:
    """[segments, 2] rhythm and note density of what is written from latents; an empty segment has none."""
    rows = model.write(z, key).ids.tolist()
    decoded = [tuple(sorted(model.vocabulary.decode(row, steps=STEPS))) for row in rows]
    return np.array([Segment(0, notes, (), ()).densities for notes in decoded])


@torch.inference_mode()
def transfer_rate(model: MusicFaderNets, data: FaderData, count: int) -> float:
    """Share of segments of low arousal that gain onsets when their latents are moved from low to high."""
    batch: FaderBatch = next(data.all(4 * count))
    assert batch.truth is not None
    low = (batch.truth == 0).nonzero()[:count, 0]
    z = [one.mean[low] for one in model.network.encode(batch.events)]
    before = densities_of(model, z, batch.key[low])[:, 0]
    after = densities_of(model, model.move(z, arousal=1.0), batch.key[low])[:, 0]
    return float(np.mean(after > before))
