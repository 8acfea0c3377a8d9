"""A small concert room: early echoes and a tail of noise that dies away, the same each time."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Float

DECAY = 1.3  # seconds until the tail has fallen by 60 dB
FIRST = 0.012  # seconds until the first echo
N_ECHOES = 9
DRUM_SHARE = 0.5  # drums are kept drier


def add_room(
    stem: Float[np.ndarray, "2 samples"], rate: int, amount: float, *, is_drum: bool = False
) -> Float[np.ndarray, "2 samples"]:
    """Adds the room's answer to a sound; linear, so that stems with their rooms sum to the mix with its room."""
    share = np.float32(amount * (DRUM_SHARE if is_drum else 1.0))
    if share == 0 or not stem.any():
        return stem
    from scipy.signal import oaconvolve

    response = _response(rate)
    wet = oaconvolve(stem, response, axes=1)[:, : stem.shape[1]].astype(np.float32)
    return stem + share * wet


@lru_cache(maxsize=4)
def _response(rate: int) -> Float[np.ndarray, "2 samples"]:
    """Left and right answers of unit energy: echoes, then noise, softer and duller with time."""
    rng = np.random.default_rng(1)
    n_samples = int(DECAY * rate)
    time = np.arange(n_samples) / rate
    noise = rng.standard_normal((2, n_samples))
    dull = np.cumsum(noise, axis=1)
    dull = (dull[:, 24:] - dull[:, :-24]) / np.sqrt(24)  # a moving mean takes the highs away
    dull = np.pad(dull, ((0, 0), (0, 24)))
    mixture = noise * np.exp(-time * 9) + dull
    tail = mixture * 10 ** (-3 * time / DECAY) * np.clip((time - FIRST) / 0.03, 0, 1)
    echoes = np.zeros_like(tail)
    for channel in range(2):
        places = (np.sort(rng.uniform(FIRST, 0.07, N_ECHOES)) * rate).astype(int)
        echoes[channel, places] += 6 * rng.choice([-1, 1], N_ECHOES) * np.linspace(1, 0.4, N_ECHOES)
    answer = tail + echoes
    answer -= answer.mean(axis=1, keepdims=True)
    return (answer / np.sqrt((answer**2).sum(axis=1, keepdims=True))).astype(np.float32)
