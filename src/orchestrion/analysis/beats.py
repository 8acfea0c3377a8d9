"""Beats, bars and tempo of a sound without a trained listener: librosa's beats, and bars by where accents fall."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from orchestrion.analysis.bar_tracking import BeatPath
from orchestrion.analysis.onsets import FRAME_RATE, HOP, RATE, onset_envelope
from orchestrion.media.audio import Audio

METRES = (3, 4)
LONGEST = round(600 * FRAME_RATE)  # frames whose tempo is measured; the whole would take gigabytes for hours
CHANGE_SECONDS = 0.6  # of harmony before and after a beat


def track_beats(audio: Audio, *, beats_per_bar: Sequence[int] = METRES) -> BeatPath:
    """Beats by dynamic programming over onsets (Ellis 2007, librosa), and the metre and first beats that agree best
    with loud onsets and changes of harmony; no beats in silence.

    Args:
        beats_per_bar: metres to choose from.
    """
    import librosa

    envelope = onset_envelope(audio)
    if envelope.max(initial=0.0) <= 1e-6:
        return BeatPath(np.zeros(0), np.zeros(0, int), beats_per_bar[0], 0.0)
    middle = slice(max((len(envelope) - LONGEST) // 2, 0), (len(envelope) + LONGEST) // 2)
    tempo = librosa.feature.tempo(onset_envelope=envelope[middle], sr=RATE, hop_length=HOP)[0]
    _, frames = librosa.beat.beat_track(onset_envelope=envelope, sr=RATE, hop_length=HOP, bpm=float(tempo))
    times = np.asarray(frames) / FRAME_RATE
    accents = _accents(audio, envelope, np.asarray(frames, int), times)
    count, phase = find_bars(accents, beats_per_bar=beats_per_bar)
    return BeatPath(times, (np.arange(len(times)) - phase) % count, count, float(accents.sum()))


def find_bars(accents: Float[np.ndarray, " beats"], *, beats_per_bar: Sequence[int] = METRES) -> tuple[int, int]:
    """Beats of a bar, and the first downbeat's index: those whose downbeats stand out most from the other beats."""
    best = (-np.inf, beats_per_bar[0], 0)
    for count in beats_per_bar:
        for phase in range(count):
            if len(accents) <= count:
                continue
            first = np.arange(len(accents)) % count == phase
            contrast = float(accents[first].mean() - accents[~first].mean()) if count > 1 else 0.0
            best = max(best, (contrast, count, phase))
    return best[1], best[2]


def _accents(audio: Audio, envelope: np.ndarray, frames: np.ndarray, times: np.ndarray) -> np.ndarray:
    """How strong each beat's onset is, and how much the pitch classes change with it, both from 0 to about 1."""
    from orchestrion.analysis.audio_chroma import HOP as CHROMA_HOP
    from orchestrion.analysis.audio_chroma import RATE as CHROMA_RATE
    from orchestrion.analysis.audio_chroma import averaged, chroma_of

    if not len(frames):
        return np.zeros(0)
    onset = envelope[np.minimum(frames, len(envelope) - 1)]
    chroma = chroma_of(audio)
    edges = np.stack([times - CHANGE_SECONDS, times, times + CHANGE_SECONDS]).T.reshape(-1)
    means = averaged(chroma, edges, frame_rate=CHROMA_RATE / CHROMA_HOP)
    before, after = means[:, 0::3], means[:, 1::3]
    norms = np.linalg.norm(before, axis=0) * np.linalg.norm(after, axis=0)
    alike = np.divide((before * after).sum(0), norms, out=np.ones_like(norms), where=norms > 0)
    return onset / max(float(onset.max()), 1e-9) + 2 * (1 - alike)
