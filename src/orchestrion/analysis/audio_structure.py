"""The form of a sound: where it changes, and which of its parts are alike."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from string import ascii_uppercase

import numpy as np
from jaxtyping import Float

from orchestrion.media.audio import Audio
from orchestrion.theory.self_similarity import novelty, self_similarity

FRAME = 0.5  # seconds, doubled until the whole has at most `MOST_FRAMES`
MOST_FRAMES = 1800
SHORTEST = 8.0  # seconds of a section
KERNEL = 8.0  # seconds before and after a change that are compared
PROMINENCE = 0.12  # how far a peak of novelty stands out
ALIKE = 0.92  # cosine of sections that share a letter


@dataclass(frozen=True, slots=True)
class AudioSection:
    """A part of the form in seconds; parts that sound alike share a letter."""

    label: str
    start: float
    end: float


def find_sections(audio: Audio, *, edges: Float[np.ndarray, " edges"] | None = None) -> list[AudioSection]:
    """Sections from the first to the last second, by Foote's (2000) novelty over harmony and timbre.

    Args:
        edges: seconds, such as downbeats, that borders are moved to where one lies within half a section's least
            length.
    """
    from scipy.signal import find_peaks

    frame = FRAME
    while audio.seconds / frame > MOST_FRAMES:
        frame *= 2
    harmony, timbre = _features(audio, frame)
    frames = harmony.shape[1]
    width = round(KERNEL / frame)
    borders = [0.0]
    if frames >= 4 * width:
        both = 0.5 * (self_similarity(harmony) + self_similarity(timbre))
        curve = novelty(both, width=width)
        curve[: round(SHORTEST / frame)] = 0
        curve[-round(SHORTEST / frame) :] = 0
        peaks, _ = find_peaks(curve, prominence=PROMINENCE, distance=max(round(SHORTEST / frame), 1))
        borders += [_moved(peak * frame, edges) for peak in peaks]
    borders = sorted({*borders, audio.seconds})
    places = [round(border / frame) for border in borders]
    labels = _labels(np.concatenate([harmony, timbre]), places)
    return [AudioSection(*part) for part in zip(labels, borders[:-1], borders[1:], strict=True)]


def _features(audio: Audio, frame: float) -> tuple[np.ndarray, np.ndarray]:
    """Unit columns of pitch classes, and of twelve cepstral coefficients that were brought to mean 0, spread 1."""
    from scipy.fft import dct

    from orchestrion.analysis.audio_chroma import HOP, RATE, averaged, chroma_of
    from orchestrion.analysis.long_sound import in_windows
    from orchestrion.analysis.spectra import MelSpectrogram

    edges = np.arange(max(int(np.ceil(audio.seconds / frame)), 1) + 1) * frame
    harmony = averaged(chroma_of(audio), edges, frame_rate=RATE / HOP)
    mel = MelSpectrogram(sample_rate=RATE, n_fft=2048, hop_length=HOP, n_mels=40, compression="db", floor=1e-8)
    decibels = in_windows(mel, audio.mono().resample(RATE).samples[0], hop_length=HOP, margin=2048)
    cepstrum = np.asarray(dct(averaged(decibels, edges, frame_rate=RATE / HOP), axis=0, norm="ortho"))[1:13]
    spread = cepstrum.std(1, keepdims=True)
    cepstrum = (cepstrum - cepstrum.mean(1, keepdims=True)) / np.where(spread > 1e-6, spread, 1.0)
    return _unit(harmony), _unit(cepstrum)


def _unit(columns: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(columns, axis=0, keepdims=True)
    return np.divide(columns, norms, out=np.zeros_like(columns), where=norms > 1e-9)


def _moved(border: float, edges: np.ndarray | None) -> float:
    if edges is None or not len(edges):
        return float(border)
    nearest = float(edges[np.abs(edges - border).argmin()])
    return nearest if abs(nearest - border) <= SHORTEST / 2 else float(border)


def _labels(features: np.ndarray, places: list[int]) -> list[str]:
    """A letter for each section: that of the earlier section whose mean is most alike, or the next."""
    means: list[np.ndarray] = []
    owners: list[int] = []
    labels: list[int] = []
    for first, last in itertools.pairwise(places):
        mean = _unit(features[:, first : max(last, first + 1)].mean(1, keepdims=True))[:, 0]
        alike = [float(mean @ other) for other in means]
        best = int(np.argmax(alike)) if alike else -1
        label = owners[best] if alike and alike[best] >= ALIKE else (max(labels, default=-1) + 1)
        means.append(mean)
        owners.append(label)
        labels.append(label)
    return [ascii_uppercase[label % 26] + "'" * (label // 26) for label in labels]
