"""Scores cut into short segments on a grid of sixteenths, and what is read from each (Music FaderNets, section 3)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orchestrion.analysis.music21_keys import music21_best, music21_scores
from orchestrion.analysis.roll_attributes import HOLD, ONSET, REST, rhythm_density
from orchestrion.media.timeline import Timeline
from orchestrion.representations.performance_events import StepNote, seconds_to_steps

if TYPE_CHECKING:
    from symusic.core import ScoreTick

QUARTERS, STEPS = 4, 16  # of a segment, and its sixteenths
MOST_COUNT = 15  # of note counts
FULL_SHARE = 0.75  # of steps that sound in a segment of the paper


@dataclass(frozen=True, slots=True)
class Segment:
    """Four quarter notes of music.

    Attributes:
        number: which one of the piece, from 0.
        notes: in sixteenths from its start, cut at its end.
        timed: the same in hundredths of a second, with their whole length, where it was asked for.
        indices: (track, note) numbers of the notes in the score.
    """

    number: int
    notes: tuple[StepNote, ...]
    timed: tuple[StepNote, ...]
    indices: tuple[tuple[int, int], ...]

    @property
    def rhythm(self) -> np.ndarray:
        """[16] 0 rest, 1 onset, 2 hold. A pitch that is struck again is an onset, which the published roll misses."""
        found = np.full(STEPS, REST)
        found[self.note_counts > 0] = HOLD
        found[[note.start for note in self.notes]] = ONSET
        return found

    @property
    def note_counts(self) -> np.ndarray:
        """[16] sounding pitches, at most 15."""
        roll = np.zeros((STEPS, 128), bool)
        for note in self.notes:
            roll[note.start : note.end, note.pitch] = True
        return np.minimum(roll.sum(1), MOST_COUNT)

    @property
    def densities(self) -> tuple[float, float]:
        """Rhythm density and note density."""
        return rhythm_density(self.rhythm), float(self.note_counts.mean())

    @property
    def histogram(self) -> np.ndarray:
        """[12] sixteenths of each pitch class."""
        found = np.zeros(12)
        for note in self.notes:
            found[note.pitch % 12] += note.end - note.start
        return found

    def is_full(self, share: float = FULL_SHARE, *, top_notes: int = 2) -> bool:
        """Whether the paper would take it: it begins with an onset, `share` of it sounds, and its highest notes have
        more than `top_notes` values, silence among them."""
        counts = self.note_counts
        if not self.notes or self.rhythm[0] != ONSET or np.mean(counts > 0) < share:
            return False
        top = np.zeros(STEPS, int)
        for note in self.notes:
            top[note.start : note.end] = np.maximum(top[note.start : note.end], note.pitch)
        return len(set(top.tolist())) > top_notes


def key_vector(histogram: np.ndarray, *, form: str = "three") -> np.ndarray:
    """[24] how well each key fits pitch classes; twelve major keys, then twelve minor ones.

    Args:
        form: "all" correlations of at least 0.1; of these the "three" largest (what the network is trained with); or
            "best", a one in the place of the best.
    """
    scores = music21_scores(histogram)
    if form == "best":
        return np.eye(24)[music21_best(scores)] if histogram.any() else np.zeros(24)
    scores = np.where(scores < 0.1, 0.0, scores)
    return scores if form == "all" else keep_largest(scores)


def keep_largest(values: np.ndarray, count: int = 3) -> np.ndarray:
    """The values with all below the `count`-th largest set to 0."""
    return np.where(values < np.sort(values)[-count], 0.0, values)


def cut_segments(
    score: ScoreTick, tracks: Collection[int], *, lowest: int = 21, highest: int = 108, timed: bool = False
) -> list[Segment]:
    """Segments of some tracks, those without a note left out. A note belongs to the segment that it begins in; pitches
    outside of the range are left out."""
    grid = score.ticks_per_quarter * QUARTERS / STEPS
    timeline = Timeline.from_score(score) if timed else None
    held: dict[int, list[tuple[int, int]]] = {}
    arrays = {track: score.tracks[track].notes.numpy() for track in tracks}
    for track, notes in arrays.items():
        for number, (start, pitch) in enumerate(zip(notes["time"], notes["pitch"], strict=True)):
            if lowest <= pitch <= highest:
                held.setdefault(int(start / grid + 0.5) // STEPS, []).append((track, number))
    segments = []
    for number, indices in sorted(held.items()):
        steps: dict[tuple[int, int], StepNote] = {}
        seconds: list[StepNote] = []
        for track, index in indices:
            notes = arrays[track]
            time, duration = int(notes["time"][index]), int(notes["duration"][index])
            pitch, velocity = int(notes["pitch"][index]), max(int(notes["velocity"][index]), 1)
            start = int(time / grid + 0.5) - number * STEPS
            end = min(max(int((time + duration) / grid + 0.5) - number * STEPS, start + 1), STEPS)
            steps[start, pitch] = max(
                StepNote(start, end, pitch, velocity), steps.get((start, pitch), StepNote(0, 0, 0))
            )
            if timeline is not None:
                began = timeline.tick_to_second(number * STEPS * grid)
                first, last = (
                    seconds_to_steps(max(timeline.tick_to_second(tick) - began, 0.0))
                    for tick in (time, time + duration)
                )
                seconds.append(StepNote(first, max(last, first + 1), pitch, velocity))
        segments.append(Segment(number, _without_overlaps(steps.values()), tuple(sorted(seconds)), tuple(indices)))
    return segments


def _without_overlaps(notes: Iterable[StepNote]) -> tuple[StepNote, ...]:
    """Notes that end where their pitch is struck again."""
    kept: list[StepNote] = []
    next_start: dict[int, int] = {}
    for note in sorted(notes, reverse=True):
        end = min(note.end, next_start.get(note.pitch, note.end))
        next_start[note.pitch] = note.start
        kept.append(StepNote(note.start, end, note.pitch, note.velocity))
    return tuple(sorted(kept))


def standardised(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Values with mean 0 and deviation 1; zeros where all are the same."""
    array = np.asarray(values, float)
    spread = array.std()
    return (array - array.mean()) / spread if spread > 0 else np.zeros_like(array)
