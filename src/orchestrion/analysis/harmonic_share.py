"""How much of a sound is tones that last, not strokes and noise: librosa's median filters (FitzGerald, DAFx 2010)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from orchestrion.media.audio import Audio

RATE, N_FFT, HOP = 22050, 2048, 1024
KERNEL = (15, 31)  # frames, 0.7 s; bins, 330 Hz
STRETCHES, STRETCH_SECONDS = 3, 8.0  # spread over the sound, so that long sound takes no longer
UNPITCHED = 0.3  # rendered drums alone: below 0.15 (one kit of twelve 0.4); metal: above 0.4; other music: above 0.55


def harmonic_share(audio: Audio) -> float:
    """Share of the energy in ridges along time rather than across frequencies, from 0 to 1; 0 for silence."""
    import librosa

    tones = total = 0.0
    for stretch in _stretches(audio.mono().resample(RATE).samples[0]):
        padded = np.pad(stretch, (0, max(N_FFT - len(stretch), 0)))
        spectrum = np.abs(librosa.stft(padded, n_fft=N_FFT, hop_length=HOP))
        lasting, _ = librosa.decompose.hpss(spectrum, kernel_size=KERNEL)
        tones += float(np.square(lasting, dtype=np.float64).sum())
        total += float(np.square(spectrum, dtype=np.float64).sum())
    return tones / total if total > 0 else 0.0


def _stretches(samples: Float[np.ndarray, " samples"]) -> list[Float[np.ndarray, " stretch"]]:
    """A long sound's beginning, middle and end, each without its edge; a short sound as it is."""
    size = round(STRETCH_SECONDS * RATE)
    if len(samples) <= STRETCHES * size:
        return [samples]
    middles = (np.arange(STRETCHES) + 0.5) / STRETCHES * len(samples)
    return [samples[start : start + size] for start in (middles - size / 2).astype(int)]
