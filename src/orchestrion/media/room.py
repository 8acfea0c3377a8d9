"""A small concert room: early echoes and a tail of noise that dies away, the same each time."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Float

DECAY = 1.3  # seconds until the tail has fallen by 60 dB
FIRST = 0.012  # seconds until the first echo
N_ECHOES = 9
DRUM_SHARE = 0.5  # drums are kept drier


def room_send(stem: Float[np.ndarray, "2 samples"], amount: float, *, is_drum: bool) -> Float[np.ndarray, " samples"]:
    """What a track sends into the room: both sides as one, drums less."""
    return (stem[0] + stem[1]) * np.float32(amount * (DRUM_SHARE if is_drum else 1.0) / 2)


def room_answer(
    sent: Float[np.ndarray, " samples"], rate: int, *, decay: float = DECAY
) -> Float[np.ndarray, "2 samples"]:
    """What the room gives back to the left and the right; linear, so that the answers to stems sum to that to the mix.

    It is computed at half the rate, since rooms swallow the highs.

    Args:
        decay: seconds until the tail has fallen by 60 dB.
    """
    if not sent.any():
        return np.zeros((2, len(sent)), np.float32)
    from scipy.signal import oaconvolve

    even = np.pad(sent, (0, len(sent) % 2))
    before = np.concatenate([[np.float32(0)], even[1:-1:2]])
    slow = 0.5 * even[::2] + 0.25 * (before + even[1::2])
    wet = np.asarray(oaconvolve(slow[None], _response(rate / 2, decay), axes=1), dtype=np.float32)[:, : len(slow)]
    answer = np.empty((2, len(even)), np.float32)
    answer[:, ::2] = wet
    answer[:, 1:-1:2] = 0.5 * (wet[:, :-1] + wet[:, 1:])
    answer[:, -1] = wet[:, -1]
    return answer[:, : len(sent)]


@lru_cache(maxsize=16)
def _response(rate: float, decay: float) -> Float[np.ndarray, "2 samples"]:
    """Left and right answers of unit energy: echoes, then noise, softer and duller with time."""
    rng = np.random.default_rng(1)
    n_samples = int(decay * rate)
    time = np.arange(n_samples) / rate
    noise = rng.standard_normal((2, n_samples))
    summed = np.cumsum(noise, axis=1)
    width = max(int(rate / 1800), 1)
    dull = np.pad((summed[:, width:] - summed[:, :-width]) / np.sqrt(width), ((0, 0), (0, width)))  # without highs
    mixture = noise * np.exp(-time * 9) + dull
    tail = mixture * 10 ** (-3 * time / decay) * np.clip((time - FIRST) / 0.03, 0, 1)
    echoes = np.zeros_like(tail)
    for channel in range(2):
        places = (np.sort(rng.uniform(FIRST, 0.07, N_ECHOES)) * rate).astype(int)
        echoes[channel, places] += 6 * rng.choice([-1, 1], N_ECHOES) * np.linspace(1, 0.4, N_ECHOES)
    answer = tail + echoes
    answer -= answer.mean(axis=1, keepdims=True)
    return (answer / np.sqrt((answer**2).sum(axis=1, keepdims=True))).astype(np.float32)
