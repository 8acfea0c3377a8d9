"""Skip-gram: words from the words around them, learned by telling true neighbours from drawn ones (Mikolov 2013).

Two ways to the same vectors. `nce_loss` takes a batch of pairs and draws negatives, shared by the batch. With a small
vocabulary, all pairs can be counted once, and `expected_negative_sampling` is the mean of the objective over all pairs
and all draws: an epoch at each step, whatever the size of the corpus, and nothing random in it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional


def context_counts(texts: Sequence[Sequence[int]], *, words: int, window: int) -> np.ndarray:
    """[words, words] how often the second word stands within `window` places of the first; texts stay apart."""
    counts = np.zeros(words * words, np.int64)
    for text in texts:
        ids = np.asarray(text, np.int64)
        for distance in range(1, window + 1):
            pairs = ids[:-distance] * words + ids[distance:]
            counts += np.bincount(pairs, minlength=words * words)
    forward = counts.reshape(words, words)
    return forward + forward.T


def log_uniform(words: int) -> np.ndarray:
    """[words] the probability of drawing each as a negative, of words sorted by frequency:
    (log(k + 2) − log(k + 1)) / log(V + 1), Zipf's law."""
    k = np.arange(words)
    return (np.log(k + 2) - np.log(k + 1)) / np.log(words + 1)


def unigram(frequencies: np.ndarray, power: float = 0.75) -> np.ndarray:
    """[words] frequencies to a power, summing to one: the negatives of word2vec."""
    raised = np.asarray(frequencies, float) ** power
    return raised / raised.sum()


def nce_loss(
    centres: Float[Tensor, "batch dim"],
    targets: Int[Tensor, " batch"],
    negatives: Int[Tensor, " drawn"],
    output: Float[Tensor, "words dim"],
    bias: Float[Tensor, " words"],
    draw_log_expected: Float[Tensor, " words"],
) -> Float[Tensor, ""]:
    """Noise-contrastive estimation with negatives that the batch shares (Gutmann & Hyvärinen 2010), mean over pairs.

    A negative that is the true word counts all the same, as in the published training.

    Args:
        draw_log_expected: log of how often each word is expected among the negatives; it is taken from the logits.
    """
    true = (centres * output[targets]).sum(1) + bias[targets] - draw_log_expected[targets]
    drawn = centres @ output[negatives].T + (bias - draw_log_expected)[negatives]
    return (functional.softplus(-true) + functional.softplus(drawn).sum(1)).mean()


def expected_negative_sampling(
    logits: Float[Tensor, "words words"],
    counts: Float[Tensor, "words words"],
    noise: Float[Tensor, " words"],
    negatives: int,
) -> Float[Tensor, ""]:
    """−log σ(s) of true pairs and −k·log σ(−s) of drawn ones, in expectation, mean over pairs (Levy & Goldberg 2014,
    equation 4).

    Args:
        logits: s of a centre (rows) and a neighbour (columns).
        counts: of pairs.
        noise: probability of each word to be drawn.
        negatives: k, drawn for each pair.
    """
    drawn = negatives * counts.sum(1, keepdim=True) * noise
    return (counts * functional.softplus(-logits) + drawn * functional.softplus(logits)).sum() / counts.sum()


def skip_gram_nll(logits: Float[Tensor, "words words"], counts: Float[Tensor, "words words"]) -> Float[Tensor, ""]:
    """Mean of −log p(neighbour | centre) over all pairs, with the whole softmax: the objective that the sampled ones
    stand for."""
    return -(counts * logits.log_softmax(1)).sum() / counts.sum()


def draw_negatives(probabilities: Float[Tensor, " words"], count: int) -> Int[Tensor, " drawn"]:
    """Different words, drawn without replacement by their probabilities."""
    return torch.multinomial(probabilities, count)
