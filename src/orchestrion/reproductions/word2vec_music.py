"""Word2vec for music in small: harmony from neighbours alone (Chuan, Agres & Herremans 2018, sections 4 and 5).

Vectors are learned from the slices of the compact corpus, without transposition, and once more from the same slices
shuffled over the whole corpus.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from orchestrion.data.corpus import load_corpus
from orchestrion.evaluation.conditional import control_correlation
from orchestrion.evaluation.slice_space import (
    FUNCTIONS,
    SliceSpace,
    by_fifths,
    chord_distances,
    function_margin,
    in_key,
    key_distances,
    substitute,
)
from orchestrion.paradigms.skip_gram import context_counts, unigram
from orchestrion.representations.slices import SILENCE
from orchestrion.reproductions.paper_table import PaperRow, PaperTable
from orchestrion.reproductions.report import Claim, Plot, Reproduction
from orchestrion.systems.registry import load
from orchestrion.systems.word2vec_music import Word2VecMusic
from orchestrion.theory.keys import Key

SUBSPACES = (5, 10, 20, 50, 100, 200, 400)
MARGIN = 0.1  # of distances, between related and foreign chords


def run(
    seeds: Sequence[int] = (0, 1, 2),
    folder: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    *,
    pieces: int = 3000,
    key_pieces: int = 40,
    swap_pieces: int = 60,
) -> Reproduction:
    """Measures the claims and writes the report into `folder`.

    Args:
        pieces: of the training split that are learned from.
        key_pieces, swap_pieces: held-out pieces whose keys are compared; whose slices are replaced.
    """
    began = time.monotonic()
    words = Word2VecMusic.from_preset("mini")
    texts = words.texts(_spread(load_corpus("compact", split="train"), pieces))
    held_out = [piece for piece in _spread(load_corpus("compact", split="test"), 4 * swap_pieces) if piece.key]
    tests = [(text, piece.key) for piece, text in zip(held_out, words.texts(held_out), strict=True)]
    figures: dict[str, list[float]] = {}
    for number, seed in enumerate(seeds):
        space = learned(texts, seed)
        distances = chord_distances(space)
        for name in FUNCTIONS:
            figures.setdefault(f"distance of {name} from I", []).append(distances[name])
        figures.setdefault("margin of functions", []).append(function_margin(distances))
        control = learned(shuffled(texts, seed), seed)
        figures.setdefault("margin of functions, shuffled", []).append(function_margin(chord_distances(control)))
        keys = by_fifths(key_distances(space, [text for text, _ in tests[:key_pieces]]))
        rising = control_correlation(range(len(keys)), keys.tolist())
        figures.setdefault("rank correlation of key distance", []).append(rising)
        for gap, value in enumerate(keys, 1):
            figures.setdefault(f"distance of keys {gap} fifths apart", []).append(float(value))
        for size in SUBSPACES:
            chosen, drawn = in_key_rates(space, tests[:swap_pieces], size, seed)
            figures.setdefault(f"in the key, of {size} neighbours, by profile", []).append(chosen)
            figures.setdefault(f"in the key, of {size} neighbours, at random", []).append(drawn)
        if progress is not None:
            progress(number + 1, len(seeds))
    rate = {
        kind: {size: figures[f"in the key, of {size} neighbours, {kind}"] for size in SUBSPACES}
        for kind in ("by profile", "at random")
    }
    gains = [
        min(rate["by profile"][size][n] - rate["at random"][size][n] for size in SUBSPACES if size >= 20)
        for n in range(len(seeds))
    ]
    claims = (
        Claim.at_least(
            "Nearest of ♭III, ♭II, v minus farthest of V, IV, vi from the tonic", MARGIN, figures["margin of functions"]
        ),
        Claim.at_least(
            "0.1 minus the same after shuffling (no such margin)", 0.0,
            [MARGIN - value for value in figures["margin of functions, shuffled"]],
        ),
        Claim.at_least(
            "Rank correlation of the distance of keys with fifths", 0.95, figures["rank correlation of key distance"]
        ),
        Claim.at_least(
            "In-key rate of a random pick from 10 neighbours minus from 400", 0.25,
            [a - b for a, b in zip(rate["at random"][10], rate["at random"][400], strict=True)],
        ),
        Claim.at_least("Least gain of in-key rate by the profile, 20 neighbours and more", 0.1, gains),
    )  # fmt: skip
    result = Reproduction(
        name="word2vec_music",
        title="Word2vec for music, in small",
        claims=claims,
        figures=figures,
        plots=(
            Plot(
                "chords",
                "Distance of chords from the tonic triad",
                {f"seed {seed}": [figures[f"distance of {name} from I"][n] for name in FUNCTIONS]
                 for n, seed in enumerate(seeds)},
                list(FUNCTIONS),
                y_label="1 − cosine",
            ),
            Plot(
                "in-key",
                "Substitutes in the key, by number of neighbours",
                {kind: [float(np.mean(rate[kind][size])) for size in SUBSPACES] for kind in rate},
                list(SUBSPACES),
                x_label="neighbours",
                kind="lines",
            ),
        ),
        method=(
            f"{len(texts)} pieces of the training split of the compact corpus, {sum(map(len, texts))} slices of a "
            "quarter note, not transposed; 500 words; 64 dimensions; a window of four; negative sampling with five "
            "negatives, in expectation over all pairs, 100 steps of Adam. The control learns from the same slices in "
            "a random order over the whole corpus.",
            f"Chords: mean over the tonics C, F and G. Keys: {key_pieces} held-out pieces, each in twelve keys. "
            f"Substitutes: slices of {swap_pieces} held-out pieces that are in the key of their piece themselves.",
        ),
        seeds=tuple(seeds),
        seconds=time.monotonic() - began,
    )  # fmt: skip
    if folder is not None:
        result.write(folder)
    return result


def paper_table(*, n: int = 40, seed: int = 0, progress: Callable[[int, int], None] | None = None) -> PaperTable:
    """Distances of chords and keys for the vectors that ship; the paper shows its own as plots, without figures."""
    model = load("word2vec_music")
    assert isinstance(model, Word2VecMusic)
    space = model.space()
    held = model.texts(_spread(load_corpus("compact", split="test"), n))
    distances, keys = chord_distances(space), by_fifths(key_distances(space, held))
    if progress is not None:
        progress(1, 1)
    rows = [PaperRow(f"distance of {name} from I", "lower", distances[name]) for name in ("V", "IV", "vi")]
    rows += [PaperRow(f"distance of {name} from I", "higher", distances[name]) for name in ("♭III", "♭II", "v")]
    rows.append(PaperRow("distance of keys one fifth apart", "lower", float(keys[0])))
    rows.append(PaperRow("distance of keys a tritone apart", "higher", float(keys[5])))
    return PaperTable(
        system="word2vec_music",
        title="distances of chords and keys (sections 4.1 and 4.3)",
        miniature_on=f"the compact corpus; keys of {len(held)} held-out pieces",
        paper_on="23,178 MIDI files of eight genres; the figures are not printed",
        rows=tuple(rows),
    )


def learned(texts: Sequence[Sequence[int]], seed: int) -> SliceSpace:
    """Vectors of the miniature's recipe."""
    torch.manual_seed(seed)
    model = Word2VecMusic.from_preset("mini", words=Word2VecMusic.find_words(texts, 500))
    counts = context_counts([model.ids(text) for text in texts], words=len(model.bias), window=model.window)
    batch = torch.from_numpy(counts).float(), torch.from_numpy(unigram(counts.sum(1))).float()
    optimiser = torch.optim.Adam(model.parameters(), lr=model.learning_rate)
    for step in range(model.training_steps):
        for group in optimiser.param_groups:
            group["lr"] = model.learning_rate * (1 - 0.9 * step / model.training_steps)
        loss = model.expected_loss(batch).value
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.space()


def shuffled(texts: Sequence[Sequence[int]], seed: int) -> list[list[int]]:
    """The same words in texts of the same lengths, in a random order over all of them."""
    words = np.random.default_rng(seed).permutation([word for text in texts for word in text])
    ends = np.cumsum([len(text) for text in texts])[:-1]
    return [part.tolist() for part in np.split(words, ends)]


def in_key_rates(
    space: SliceSpace, tests: Sequence[tuple[list[int], Key | None]], size: int, seed: int
) -> tuple[float, float]:
    """Share of substitutes in the key: chosen by the profile, and drawn from the same neighbours."""
    rng = np.random.default_rng(seed)
    chosen, drawn = [], []
    best: dict[int, int | None] = {}
    for words, key in tests:
        assert key is not None
        for word in words[::4]:
            if word == SILENCE or not in_key(word, key):
                continue
            if word not in best:
                best[word] = substitute(space, word, size)
            found, near = best[word], space.nearest(word, size)
            if found is None:
                continue
            chosen.append(in_key(found, key))
            drawn.append(in_key(near[int(rng.integers(len(near)))][0], key))
    return float(np.mean(chosen)), float(np.mean(drawn))


def _spread(pieces: Sequence, count: int) -> list:
    """So many pieces, evenly over the corpus."""
    places = np.linspace(0, len(pieces) - 1, min(count, len(pieces))).astype(int)
    return [pieces[int(place)] for place in np.unique(places)]
