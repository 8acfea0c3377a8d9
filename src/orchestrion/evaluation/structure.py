"""Metrics of structure: what comes again, on what scale, and where the music changes."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from orchestrion.evaluation.notes import Notes
from orchestrion.theory.chord_inference import sounding_time
from orchestrion.theory.fitness import most_fitness
from orchestrion.theory.self_similarity import TEMPI, keep_strongest, novelty, self_similarity

RATE = 2  # frames a second of the structure indicators
SMOOTH_PATHS = 16  # frames
RANGES = {"3_8": (3.0, 8.0), "8_15": (8.0, 15.0), "15": (15.0, 128.0)}
"""Segment lengths in seconds of the indicators SI_3^8, SI_8^15 and SI_15 (Wu & Yang 2020)."""


def chroma(notes: Notes, *, seconds: float | None = None) -> Float[np.ndarray, "12 frames"]:
    """How long each pitch class sounds, at 10 frames a second, averaged over 21 frames, then every fifth: 2 a second.

    Columns have unit length; a silent one is even. In place of the STFT of the published code.

    Args:
        seconds: how much of the piece; by default all.
    """
    pitched = notes.pitched
    end = float(notes.stop_second.max()) if len(notes) else 0.0
    end = end if seconds is None else min(end, seconds)
    edges = np.arange(int(np.ceil(end * 5 * RATE - 1e-9)) + 1) / (5 * RATE)
    if len(edges) < 2:
        return np.zeros((12, 0))
    fine = sounding_time(pitched.start_second, pitched.stop_second, pitched.pitch % 12, edges)
    total = np.concatenate([np.zeros((1, 12)), np.cumsum(fine, axis=0)])
    centres = np.arange(0, len(fine), 5)
    smooth = total[np.minimum(centres + 11, len(fine))] - total[np.maximum(centres - 10, 0)]
    smooth = np.where(smooth > 1e-9, smooth, 0.0)
    smooth[smooth.sum(1) == 0] = 1.0
    return (smooth / np.linalg.norm(smooth, axis=1, keepdims=True)).T


def structure_indicators(notes: Notes, *, seconds: float = 90.0) -> dict[str, float]:
    """SI_3^8, SI_8^15 and SI_15: how well the best segment of a length in each of `RANGES` explains the piece, 0 to 1.

    The maximum of the fitness scape plot over these lengths (Wu & Yang 2020 after Müller): chroma at 2 frames a second,
    self-similarity smoothed over 16 frames for seven tempi and twelve transpositions, the strongest quarter kept. Zero
    for a scale that the piece is too short for; NaN without pitches.

    Args:
        seconds: how much of the piece from its beginning; the work grows with the fourth power.
    """
    if not len(notes.pitched):
        return {name: float("nan") for name in RANGES}
    return indicators_of_chroma(chroma(notes, seconds=seconds))


def indicators_of_chroma(
    frames: Float[np.ndarray, "12 frames"],
    *,
    smooth: int = SMOOTH_PATHS,
    ranges: dict[str, tuple[float, float]] | None = None,
) -> dict[str, float]:
    """The structure indicators of a chroma sequence at 2 frames a second, for `ranges` of lengths in seconds."""
    matrix = keep_strongest(self_similarity(frames, smooth=smooth, tempi=TEMPI, transpositions=range(12)))
    return {
        name: most_fitness(matrix, shortest=int(RATE * low), longest=int(RATE * high))
        for name, (low, high) in (RANGES if ranges is None else ranges).items()
    }


def similarity_matrix(notes: Notes, *, size: int = 128) -> Float[np.ndarray, "size size"]:
    """Cosine similarity of the pitch classes of all pairs of eighths, averaged over eight of them, scaled to 0 … 1 and
    to a common size, so that pieces can be compared."""
    pitched = notes.pitched
    if not len(pitched):
        return np.full((size, size), np.nan)
    step = notes.resolution / 2
    edges = np.arange(int(np.ceil(notes.end / step)) + 1) * step
    held = sounding_time(pitched.start, pitched.stop, pitched.pitch % 12, edges)
    total = np.concatenate([np.zeros((1, 12)), np.cumsum(held, axis=0)])
    index = np.arange(len(held))
    smooth = total[np.minimum(index + 4, len(held))] - total[np.maximum(index - 4, 0)]
    norm = np.linalg.norm(smooth, axis=1, keepdims=True)
    smooth = np.divide(smooth, norm, out=np.zeros_like(smooth), where=norm > 0)
    matrix = smooth @ smooth.T
    spread = np.ptp(matrix)
    matrix = (matrix - matrix.min()) / spread if spread > 0 else np.ones_like(matrix)
    place = (np.arange(size) + 0.5) * len(matrix) / size - 0.5
    across = np.stack([np.interp(place, index, row) for row in matrix])
    return np.stack([np.interp(place, index, column) for column in across.T], axis=1)


def similarity_correlation(first: Float[np.ndarray, "size size"], second: Float[np.ndarray, "size size"]) -> float:
    """Pearson's r over all cells of two self-similarity matrices of one size (ImprovNet); NaN where one is constant."""
    a, b = first - first.mean(), second - second.mean()
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum() / norm) if norm > 0 else float("nan")


def novelty_peaks(
    curve: Float[np.ndarray, " frames"], *, distance: int, threshold: float = 0.2
) -> Int[np.ndarray, " peaks"]:
    """Frames at which `theory.self_similarity.novelty` is greatest within ± `distance` frames and above `threshold`."""
    from scipy.signal import find_peaks

    return find_peaks(curve, height=threshold, distance=max(distance, 1))[0].astype(np.int64)


def section_borders(notes: Notes, *, kernel: float = 10.0, distance: float = 7.0) -> list[float]:
    """Seconds at which the harmony changes most, by the novelty of the chroma (kernel and distance of SSM-Net)."""
    frames = chroma(notes)
    if not frames.shape[1]:
        return []
    curve = novelty(self_similarity(frames), width=max(int(kernel * RATE / 2), 1))
    inside = np.zeros_like(curve)
    edge = max(int(kernel * RATE / 2), 1)
    inside[edge:-edge] = curve[edge:-edge]  # the silence around the piece is no change
    return (novelty_peaks(inside, distance=int(distance * RATE)) / RATE).tolist()


def repetition_rate(notes: Notes, *, positions: int = 16) -> float:
    """Share of sounding bars whose onsets (on a grid of `positions`) and pitches above the bar's first note were heard
    in an earlier bar."""
    heard: set[bytes] = set()
    repeated = bars = 0
    place, bar = notes.position(positions), notes.bar
    for number in range(notes.n_bars):
        inside = np.flatnonzero(bar == number)
        if not len(inside):
            continue
        order = inside[np.lexsort((notes.pitch[inside], place[inside]))]
        signature = np.stack([place[order], notes.pitch[order] - notes.pitch[order[0]]]).tobytes()
        repeated += signature in heard
        heard.add(signature)
        bars += 1
    return repeated / bars if bars else float("nan")


def compression_ratio(notes: Notes, *, level: int = 9) -> float:
    """Raw by compressed size of the notes as text (zlib): the more repetition, the greater.

    An event is the time since the last onset in grid steps, the interval from the last pitch, and the length, so that a
    transposed repetition is a repetition too. NaN without notes.
    """
    if not len(notes):
        return float("nan")
    order = np.lexsort((notes.pitch, notes.start))
    start, pitch = notes.start[order], notes.pitch[order]
    steps, intervals = np.diff(start, prepend=start[0]), np.diff(pitch, prepend=pitch[0])
    events = zip(steps.tolist(), intervals.tolist(), (notes.stop - notes.start)[order].tolist(), strict=True)
    raw = ";".join(f"{step},{interval},{length}" for step, interval, length in events).encode()
    return len(raw) / len(zlib.compress(raw, level))


def pattern_compactness(pattern: Sequence[tuple[int, int]], points: Sequence[tuple[int, int]]) -> float:
    """Points of a pattern by points of the score in its bounding box (Meredith, COSIATEC); points are (time, pitch)."""
    box, all_points = np.array(pattern), np.array(sorted(set(points)))
    inside = ((all_points >= box.min(0)) & (all_points <= box.max(0))).all(1).sum()
    return len(set(pattern)) / int(inside)
