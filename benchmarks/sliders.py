"""Do sliders move what they are named for, piece by piece?

    python benchmarks/sliders.py [--pieces 20] [--settings 7] [--only rhythm,density,arousal,strength]

Each slider is set to seven places on held-out pieces of the compact corpus, all else left alone, with the weights that
ship. The rank correlation (Spearman) of the setting with the attribute is printed as the mean over pieces, the
smallest, and that of the means over pieces.

Music FaderNets, −0.9 to 0.9: the attribute of a piece is the mean over its segments; for arousal it is the stand-in
that the miniature learned from: rhythm density + half the note density, both divided by their deviations over the
training segments. ImprovNet, strength 0.1 to 1 in one pass: the share of the piece's pitched notes that are gone.
"""

from __future__ import annotations

import argparse
from collections import Counter
from typing import Any

import numpy as np

from orchestrion.data.corpus import load_corpus
from orchestrion.evaluation.conditional import control_correlation
from orchestrion.representations.segment_edits import choose_tracks
from orchestrion.representations.segments import cut_segments
from orchestrion.systems.registry import load

FADERS = ("rhythm", "density", "arousal")


def faded(model: Any, score: Any, slider: str, setting: float) -> float:
    """The attribute of a piece whose fader was set."""
    made = model.fade(score, seed=0, **{slider: setting}).score
    found = np.array([one.densities for one in cut_segments(made, choose_tracks(score))]).mean(0)
    scale = model.attribute_scale.numpy()
    excited = found[0] / scale[0] + found[1] / scale[1] / 2
    return float({"rhythm": found[0], "density": found[1], "arousal": excited}[slider])


def gone(model: Any, score: Any, setting: float) -> float:
    """Share of the pitched notes that are not in the piece restyled with a strength."""
    before, after = (
        _notes(one) for one in (score, model.restyle(score, genre="jazz", strength=setting, passes=1)[0].score)
    )
    return sum((before - after).values()) / max(sum(before.values()), 1)


def _notes(score: Any) -> Counter[tuple[int, int]]:
    return Counter((n.time, n.pitch) for track in score.tracks if not track.is_drum for n in track.notes)


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pieces", type=int, default=20)
    parser.add_argument("--settings", type=int, default=7)
    parser.add_argument("--only", default="rhythm,density,arousal,strength")
    options = parser.parse_args()
    corpus = load_corpus("compact", split="test")
    scores = [corpus[int(n)].score for n in np.linspace(0, len(corpus) - 1, options.pieces)]
    print("| slider | mean Spearman | smallest | of the means | from | to |\n|---|---|---|---|---|---|")
    for slider in options.only.split(","):
        model = load("music_fadernets" if slider in FADERS else "improvnet")
        settings = np.linspace(-0.9 if slider in FADERS else 0.1, 0.9 if slider in FADERS else 1.0, options.settings)
        table = np.array(
            [
                [
                    faded(model, score, slider, float(setting))
                    if slider in FADERS
                    else gone(model, score, float(setting))
                    for setting in settings
                ]
                for score in scores
            ]
        )
        each = [control_correlation(settings.tolist(), row.tolist()) for row in table]
        means = table.mean(0)
        figures = (
            np.nanmean(each),
            np.nanmin(each),
            control_correlation(settings.tolist(), means.tolist()),
            *means[[0, -1]],
        )
        print(f"| {slider} | " + " | ".join(f"{value:.3f}" for value in figures) + " |", flush=True)


if __name__ == "__main__":
    main()
