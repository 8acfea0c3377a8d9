"""Learning vectors of slices: negative sampling in expectation against gensim's Word2Vec.

    python benchmarks/word2vec.py [--packages FOLDER] [--pieces 600] [--epochs 30]

gensim is imported from the environment, or from FOLDER (site-packages of another one). It learns as the note on the
paper has it: skip-gram, window 4 without shrinking, no subsampling, 64 dimensions and 5 negatives, 30 epochs, one
worker. Ours counts pairs (in the time) and takes 100 steps. Both read the same slices of the compact corpus, with the
500 commonest words and UNK. Times are of the process; quality is the margin by which foreign chords lie farther from
the tonic than related ones.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
import torch

from orchestrion.data.corpus import load_corpus
from orchestrion.evaluation.slice_space import SliceSpace, chord_distances, function_margin
from orchestrion.paradigms.skip_gram import context_counts, unigram
from orchestrion.systems.word2vec_music import Word2VecMusic


def main() -> None:
    """Times both and prints a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--packages")
    parser.add_argument("--pieces", type=int, default=600)
    parser.add_argument("--epochs", type=int, default=30)
    options = parser.parse_args()
    if options.packages:
        sys.path.append(options.packages)
    from gensim.models import Word2Vec  # type: ignore[import-not-found]

    model = Word2VecMusic.from_preset("mini")
    texts = model.texts(load_corpus("compact", split="train", limit=options.pieces)[:])
    torch.manual_seed(0)
    model = Word2VecMusic.from_preset("mini", words=Word2VecMusic.find_words(texts, 500))
    print("| | process time, s | margin of functions |\n|---|---|---|")
    began = time.process_time()
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
    ours = time.process_time() - began
    print(f"| ours | {ours:.2f} | {function_margin(chord_distances(model.space())):.3f} |")
    began = time.process_time()
    known = set(model.words)
    sentences = [[str(word) if word in known else "UNK" for word in text] for text in texts]
    theirs = Word2Vec(
        sentences, sg=1, window=4, vector_size=64, negative=5, epochs=options.epochs, workers=1, min_count=1, sample=0,
        shrink_windows=False, seed=0,
    )  # fmt: skip
    took = time.process_time() - began
    words = [word for word in model.words if str(word) in theirs.wv]
    space = SliceSpace.from_vectors(words, np.stack([theirs.wv[str(word)] for word in words]))
    print(f"| gensim | {took:.2f} | {function_margin(chord_distances(space)):.3f} |")
    print(f"\n{sum(map(len, texts))} slices; gensim / ours: {took / ours:.2f}")


if __name__ == "__main__":
    main()
