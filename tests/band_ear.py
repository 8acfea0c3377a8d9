"""An embedder without weights, for tests: how much of a sound lies in each of three bands of pitch; it knows three
words."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from orchestrion.data.embeddings import Embeddings
from orchestrion.media.audio import Audio

EDGES = (0, 300, 2000, 8000)  # Hz
WORDS = ("low", "middle", "high")


class BandEar:
    """Windows of half a second at 16 kHz."""

    sample_rate = 16000

    def __init__(self, space: str = "bands:1") -> None:
        self.space = space

    def embed(self, audio: Audio, *, hop: float | None = None, pooling: str = "mean", progress=None) -> Embeddings:
        sound = audio.mono().resample(self.sample_rate).samples[0]
        window, step = self.sample_rate // 2, round((hop or 0.5) * self.sample_rate)
        sound = np.pad(sound, (0, max(window - len(sound), 0)))
        starts = range(0, len(sound) - window + 1, step)
        power = np.stack([np.abs(np.fft.rfft(sound[start : start + window])) ** 2 for start in starts])
        places = np.searchsorted(np.fft.rfftfreq(window, 1 / self.sample_rate), EDGES)
        bands = np.stack([power[:, a:b].sum(1) for a, b in pairwise(places)], axis=1)
        vectors = (np.sqrt(bands) / window).astype(np.float32)
        if pooling == "mean":
            vectors = vectors.mean(0, keepdims=True)
        return Embeddings(vectors, tuple(start / self.sample_rate for start in starts)[: len(vectors)], 0.5, self.space)

    def embed_text(self, text: str) -> Embeddings:
        vector = np.array([[1.0 if word in text.split() else 0.05 for word in WORDS]], np.float32)
        return Embeddings(vector / np.linalg.norm(vector), (0.0,), 0.0, self.space)

    def classify(self, audio: Audio) -> np.ndarray:
        return np.log(self.embed(audio).vectors[0] + 1e-4)
