"""Do the sliders of Music FaderNets move what they are named for, piece by piece?

    python benchmarks/faders.py [--pieces 20] [--settings 7]

Each slider is set to seven places from −0.9 to 0.9 on held-out pieces of the compact corpus, all else left alone, with
the weights that ship. Of each piece the attribute is the mean over its segments; the rank correlation (Spearman) of the
setting with the attribute is printed as the mean over pieces, the smallest, and that of the means over pieces. For
arousal the attribute is the stand-in that the miniature learned from: rhythm density + half the note density, both
divided by their deviations over the training segments.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.stats import spearmanr

from orchestrion.data.corpus import load_corpus
from orchestrion.representations.segment_edits import choose_tracks
from orchestrion.representations.segments import cut_segments
from orchestrion.systems.registry import load


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pieces", type=int, default=20)
    parser.add_argument("--settings", type=int, default=7)
    options = parser.parse_args()
    model = load("music_fadernets")
    corpus = load_corpus("compact", split="test")
    scores = [corpus[int(n)].score for n in np.linspace(0, len(corpus) - 1, options.pieces)]
    settings = np.linspace(-0.9, 0.9, options.settings)
    scale = model.attribute_scale.numpy()
    print("| slider | mean Spearman | smallest | of the means | from | to |\n|---|---|---|---|---|---|")
    for slider in ("rhythm", "density", "arousal"):
        table = np.zeros((len(scores), len(settings)))
        for row, score in enumerate(scores):
            for column, setting in enumerate(settings):
                made = model.fade(score, seed=0, **{slider: float(setting)}).score
                found = np.array([one.densities for one in cut_segments(made, choose_tracks(score))]).mean(0)
                excited = found[0] / scale[0] + found[1] / scale[1] / 2
                value = {"rhythm": found[0], "density": found[1], "arousal": excited}
                table[row, column] = value[slider]
        each = [spearmanr(settings, row).statistic for row in table]
        whole = spearmanr(settings, table.mean(0)).statistic
        ends = table.mean(0)[[0, -1]]
        figures = (np.nanmean(each), np.nanmin(each), whole, *ends)
        print(f"| {slider} | " + " | ".join(f"{value:.3f}" for value in figures) + " |")


if __name__ == "__main__":
    main()
