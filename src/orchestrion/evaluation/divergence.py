"""What a classifier hears in generated sounds: paired Kullback–Leibler divergence and inception score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from orchestrion.errors import OptionError

EPSILON = 1e-6  # added to the generated probabilities, as the AudioLDM evaluation does


@dataclass(frozen=True, slots=True)
class InceptionScore:
    """Mean and standard deviation (divisor n − 1) over the splits, of how many sounds."""

    mean: float
    deviation: float
    splits: int
    n: int


def log_softmax(logits: Float[np.ndarray, "n classes"]) -> np.ndarray:
    """Natural logarithms of the probabilities of each row, float64."""
    shifted = np.asarray(logits, np.float64)
    shifted = shifted - shifted.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def paired_divergence(
    generated: Float[np.ndarray, "n classes"], target: Float[np.ndarray, "n classes"], *, epsilon: float = EPSILON
) -> float:
    """KL: mean over pairs of Σ p ln(p / (q + ε)), p of the target and q of the generated sound, in nats.

    p and q are the softmax of a tagger's logits, although a tagger is trained with sigmoids; so do MusicLDM, Tango and
    AudioLDM (arXiv 2301.12503).

    Raises:
        OptionError: the sets do not pair up.
    """
    if len(generated) != len(target) or not len(target):
        raise OptionError(f"A paired divergence needs a target for each sound, not {len(target)} for {len(generated)}.")
    log_p, log_q = log_softmax(target), log_softmax(generated)
    p = np.exp(log_p)
    return float((p * (log_p - np.log(np.exp(log_q) + epsilon))).sum(1).mean())


def inception_score(
    logits: Float[np.ndarray, "n classes"], *, splits: int = 10, seed: int | None = 0
) -> InceptionScore:
    """IS: exp of the mean divergence of each sound's class probabilities from their mean, over `splits` parts of the
    set (Salimans et al. 2016).

    Args:
        seed: of the order in which sounds are dealt into parts; None keeps the order they come in.

    Raises:
        OptionError: there are fewer sounds than splits.
    """
    n = len(logits)
    if not 1 <= splits <= n:
        raise OptionError(f"An inception score of {n} sounds cannot be taken in {splits} splits; give fewer splits.")
    log_p = log_softmax(logits)
    if seed is not None:
        log_p = log_p[np.random.default_rng(seed).permutation(n)]
    size = -(-n // splits)
    scores = []
    for start in range(0, n, size):
        part = log_p[start : start + size]
        p = np.exp(part)
        log_mean = np.log(np.maximum(p.mean(0), 1e-300))
        scores.append(np.exp((p * (part - log_mean)).sum(1).mean()))
    deviation = float(np.std(scores, ddof=1)) if len(scores) > 1 else 0.0
    return InceptionScore(float(np.mean(scores)), deviation, len(scores), n)
