"""From how beat-like every frame is to beats and bars: the most likely path of a bar pointer.

The model is that of Krebs, Böck & Widmer (ISMIR 2015): a bar has so many beats, a beat so many frames, and the length
of a beat changes little from one to the next. A path is a row of beats, so the search runs over beats rather than over
all positions between them, and gives the same best path.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

SLOWEST, FASTEST = 50.0, 230.0  # beats a minute
STEADINESS = 60.0  # how unlikely a change of tempo is: exp(-60 · |ratio − 1|)
RARITY = 0.05  # share of frames that begin a beat, in music at large
LEAST = 1e-4  # no frame is more certain than this
USUAL_PERIOD, PERIOD_SPREAD = 0.55, 0.45  # seconds of a beat that are likely from the start, as a log-normal


@dataclass(frozen=True, slots=True)
class BeatPath:
    """Beats as they were heard.

    Attributes:
        times: in seconds.
        counts: how each beat counts in its bar (0: downbeat).
        beats_per_bar: of all bars.
        score: log-likelihood of the path.
        triple: whether beats divide into three, as in 6/8.
    """

    times: Float[np.ndarray, " beats"]
    counts: np.ndarray
    beats_per_bar: int
    score: float
    triple: bool = False

    @property
    def downbeats(self) -> Float[np.ndarray, " bars"]:
        """The first beats of bars, in seconds."""
        return self.times[self.counts == 0]

    @property
    def tempo(self) -> float | None:
        """Beats a minute, by the median distance of beats; None for fewer than two."""
        return 60 / float(np.median(np.diff(self.times))) if len(self.times) > 1 else None

    @property
    def metre(self) -> tuple[int, int]:
        """As a time signature whose beats are quarters or, where they divide into three, dotted quarters."""
        return (3 * self.beats_per_bar, 8) if self.triple else (self.beats_per_bar, 4)


def best_beats(
    beat: Float[np.ndarray, " frames"],
    downbeat: Float[np.ndarray, " frames"],
    *,
    frame_rate: float,
    beats_per_bar: Sequence[int] = (2, 3, 4),
    slowest: float = SLOWEST,
    fastest: float = FASTEST,
    steadiness: float = STEADINESS,
) -> BeatPath:
    """The most likely beats of a sound.

    Args:
        beat, downbeat: probabilities that a beat, or a bar, begins at each frame; a downbeat is a beat too.
        frame_rate: frames a second.
        beats_per_bar: metres to choose from, one for the whole.
        slowest, fastest: beats a minute.

    Returns:
        Beats at the frames' times; none where there are fewer frames than one beat has.
    """
    beat = np.clip(np.asarray(beat, np.float64), LEAST, 1 - LEAST)
    downbeat = np.clip(np.minimum(downbeat, beat), LEAST, 1 - LEAST)
    periods = np.arange(max(round(60 * frame_rate / fastest), 1), round(60 * frame_rate / slowest) + 1)
    if len(beat) <= periods[0]:
        return BeatPath(np.zeros(0), np.zeros(0, int), beats_per_bar[0], 0.0)
    other = np.clip(beat - downbeat, LEAST, 1 - LEAST)
    idle = np.log(1 - beat) - np.log(1 - RARITY)
    found = []
    for count in beats_per_bar:
        # Among `count` beats of a bar one is a downbeat, so that no metre is likelier than another from the start.
        first = np.log(downbeat) - np.log(RARITY / count)
        rest = np.log(other) - np.log(RARITY * (count - 1) / count) if count > 1 else first
        found.append(_search(first - idle, rest - idle, idle, periods, count, frame_rate, steadiness))
    return max(found, key=lambda path: path.score)


def _search(
    first: np.ndarray, rest: np.ndarray, idle: np.ndarray, periods: np.ndarray, count: int, rate: float, steady: float
) -> BeatPath:
    """Viterbi over beats: `score[t, c, p]` is the best path whose beat number c of a bar begins at frame t and lasts
    periods[p]. What each frame gives as idle is common to all paths, so that only what beats add to it is counted."""
    frames, n, longest = len(first), len(periods), int(periods[-1])
    change = -steady * np.abs(periods[None, :] / periods[:, None] - 1)  # from row to column
    start = -0.5 * (np.log(periods / rate / USUAL_PERIOD) / PERIOD_SPREAD) ** 2
    heard = np.stack([first, *([rest] * (count - 1))])
    ring = longest + 1  # scores of older frames are never looked at again
    score = np.full((ring, count, n), -np.inf)
    came = np.full((frames, count, n), -1, np.int16)
    columns = np.arange(n)
    before = np.roll(np.arange(count), 1)
    for frame in range(frames):
        best = np.broadcast_to(start if frame < longest else -np.inf, (count, n))
        usable = int(np.searchsorted(periods, frame, side="right"))
        if usable:
            ended = score[(frame - periods[:usable]) % ring, :, columns[:usable]]  # [periods, count]
            arrived = ended.T[before][:, :, None] + change[None, :usable]  # [count, from, to]
            chosen = arrived.argmax(1)
            value = np.take_along_axis(arrived, chosen[:, None], 1)[:, 0]
            came[frame] = np.where(value > best, chosen, -1)
            best = np.maximum(best, value)
        score[frame % ring] = best + heard[:, frame, None]
    # The last beat is one whose successor would lie beyond the end.
    place = np.arange(max(frames - longest, 0), frames)
    tail = score[place % ring]
    if frames > longest:
        tail[np.broadcast_to(place[:, None, None] + periods < frames, tail.shape)] = -np.inf
    at, beat_count, period = np.unravel_index(int(tail.argmax()), tail.shape)
    total = float(tail[at, beat_count, period] + idle.sum())
    frame, times, counts = int(place[at]), [], []
    while True:
        times.append(frame)
        counts.append(int(beat_count))
        origin = int(came[frame, beat_count, period])
        if origin < 0:
            break
        frame, beat_count, period = frame - int(periods[origin]), before[beat_count], origin
    return BeatPath(np.array(times[::-1]) / rate, np.array(counts[::-1]), count, total)
