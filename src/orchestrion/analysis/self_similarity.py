"""How alike a score is to itself, compared with another version of it: chroma matrices of notes, agreement of two
matrices, and the borders of sections (ImprovNet, arXiv 2502.04522; Foote 2000)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from orchestrion.media.timeline import Timeline
from orchestrion.theory.self_similarity import novelty

if TYPE_CHECKING:
    from symusic.core import ScoreTick

SIZE = 512  # cells along each side of a matrix that is compared
NEAR = 10.0  # s to both sides over which a novelty is compared with its mean
APART = 7.0  # s between two borders
LEAST = 1.35  # times the mean that a border must stand out
FRAMES = 10  # a second, of the chroma in which borders are found
KERNEL = 10  # s to either side of a border
LONGEST = 1800  # s in which borders are looked for: the matrix grows with the square


@dataclass(frozen=True, slots=True)
class Agreement:
    """How alike two matrices are, over all cells: correlation, mean square of the difference, its Frobenius norm,
    cosine."""

    pearson: float
    mse: float
    frobenius: float
    cosine: float


def note_chroma(
    onset: Sequence[float],
    duration: Sequence[float],
    pitch: Sequence[int],
    velocity: Sequence[float],
    *,
    rate: float = 10.0,
    seconds: float | None = None,
) -> Float[np.ndarray, "12 frames"]:
    """Loudness of the twelve pitch classes, `rate` frames a second.

    Args:
        onset, duration: of each note, in seconds.
        seconds: length; up to the last note's end by default.
    """
    stops = np.asarray(onset, float) + np.asarray(duration, float)
    last = float(stops.max(initial=0.0)) if seconds is None else seconds
    chroma = np.zeros((12, max(int(np.ceil(last * rate)), 1)))
    for start, stop, one, loud in zip(onset, stops, pitch, velocity, strict=True):
        first = int(start * rate)
        chroma[one % 12, first : max(int(np.ceil(stop * rate)), first + 1)] += loud
    return chroma


def score_similarity(score: ScoreTick, *, size: int = SIZE) -> Float[np.ndarray, "{size} {size}"]:
    """`similarity_matrix` of the pitched notes of a score, from its beginning to its last note's end."""
    timeline = Timeline.from_score(score)
    onset, stop, pitch, velocity = (np.zeros(0) for _ in range(4))
    for track in score.tracks:
        if track.is_drum or not len(track.notes):
            continue
        held = track.notes.numpy()
        start = np.asarray(held["time"], float)
        onset = np.append(onset, timeline.tick_to_second(start))
        stop = np.append(stop, timeline.tick_to_second(start + held["duration"]))
        pitch, velocity = np.append(pitch, held["pitch"]), np.append(velocity, held["velocity"])
    chroma = note_chroma(onset.tolist(), (stop - onset).tolist(), pitch.astype(int).tolist(), velocity.tolist())
    return similarity_matrix(chroma, size=size)


def cosine_matrix(features: Float[np.ndarray, "dimensions frames"]) -> Float[np.ndarray, "frames frames"]:
    """Cosines of all pairs of frames; silent frames are like nothing."""
    length = np.linalg.norm(features, axis=0)
    unit = np.divide(features, length, out=np.zeros_like(features, float), where=length > 0)
    return unit.T @ unit


def similarity_matrix(
    chroma: Float[np.ndarray, "12 frames"], *, size: int = SIZE
) -> Float[np.ndarray, "{size} {size}"]:
    """Cosine self-similarity from 0 to 1, time upwards, resized to `size` cells a side, as pieces are compared."""
    matrix = cosine_matrix(chroma)
    low, high = matrix.min(), matrix.max()
    scaled = (matrix - low) / (high - low) if high > low else np.zeros_like(matrix)
    weights = _resizing(len(scaled), size)
    return weights @ scaled[::-1] @ weights.T


def _resizing(count: int, size: int) -> Float[np.ndarray, "size count"]:
    """Weights of linear interpolation between centres of cells."""
    place = np.clip((np.arange(size) + 0.5) * count / size - 0.5, 0, count - 1)
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, count - 1)
    weights = np.zeros((size, count))
    np.add.at(weights, (np.arange(size), low), 1 - (place - low))
    np.add.at(weights, (np.arange(size), high), place - low)
    return weights


def agreement(one: Float[np.ndarray, "rows columns"], other: Float[np.ndarray, "rows columns"]) -> Agreement:
    """Of two matrices of one shape. The correlation with a constant matrix is 0."""
    a, b = one.ravel(), other.ravel()
    spread = a.std() * b.std()
    pearson = float(((a - a.mean()) * (b - b.mean())).mean() / spread) if spread > 0 else 0.0
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    difference = a - b
    return Agreement(
        pearson,
        float((difference**2).mean()),
        float(np.linalg.norm(difference)),
        float(a @ b) / lengths if lengths > 0 else 0.0,
    )


def find_borders(
    novelty: Float[np.ndarray, " frames"],
    step: float,
    *,
    near: float = NEAR,
    apart: float = APART,
    least: float = LEAST,
) -> np.ndarray:
    """Frames at which a curve of novelty stands out from its surroundings. Of equal ones that lie too near to each
    other those count that the published code chooses.

    Args:
        step: seconds between frames.
        near: seconds to both sides whose mean it is compared with.
        apart: least seconds between two.
        least: times the mean.
    """
    from scipy.signal import find_peaks

    reach = round(near / step)
    # each mean is a sum of its own: running sums would tell equal surroundings apart by rounding
    near_by = (novelty[max(place - reach, 0) : place + reach + 1] for place in range(len(novelty)))
    mean = np.array([np.sum(part) / len(part) for part in near_by])
    ratio = np.divide(novelty, mean, out=np.zeros(len(novelty)), where=mean > 0)
    peaks = find_peaks(ratio, distance=max(round(apart / step), 1))[0]
    return peaks[ratio[peaks] >= least]


def strongest(peaks: Sequence[int] | np.ndarray, novelty: Float[np.ndarray, " frames"], count: int) -> list[int]:
    """The `count` peaks of the greatest novelty, of equal ones those that the published code chooses (the later, of
    few), in the order of time."""
    places = np.asarray(peaks, int)
    return sorted(places[np.argsort(novelty[places])[::-1][:count]].tolist())


def strongest_borders(
    onset: Sequence[float],
    duration: Sequence[float],
    pitch: Sequence[int],
    velocity: Sequence[float],
    *,
    count: int,
) -> list[float]:
    """Seconds at which the `count` clearest sections of a performance begin, in the order of time, by Foote's novelty
    of its chroma; none in what is shorter than four seconds or longer than half an hour.

    Args:
        onset, duration, pitch, velocity: of each note, as of `note_chroma`.
    """
    chroma = note_chroma(onset, duration, pitch, velocity, rate=FRAMES)
    if count < 1 or not 4 * FRAMES <= chroma.shape[1] <= LONGEST * FRAMES:
        return []
    curve = np.maximum(novelty(cosine_matrix(chroma), width=KERNEL * FRAMES), 0.0)
    return [frame / FRAMES for frame in strongest(find_borders(curve, 1 / FRAMES), curve, count)]
