"""Copies of training music: long runs of notes that stand in a training piece, whatever the key and the rhythm."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from orchestrion.evaluation.melody_line import melody_line

if TYPE_CHECKING:
    from symusic.core import ScoreTick

RUN = 16  # notes
DISTINCT = 3  # different intervals that a run must have: scales, trills and repeated notes are nobody's


class MelodyIndex:
    """All runs of `run` notes of a set of melodies, as hashes of their intervals.

    A run is `run` − 1 successive intervals in semitones; one with fewer than `distinct` different intervals is common
    property and not counted (the corpus is split into training and test by the same rule). Eight bytes a run; two
    different runs are taken for one with probability about (number of runs) / 2⁶⁴.

    Args:
        melodies: MIDI pitches in order, one sequence a melody.
    """

    def __init__(self, melodies: Iterable[Sequence[int]], *, run: int = RUN, distinct: int = DISTINCT) -> None:
        if run < 2:
            raise ValueError(f"A run must have at least two notes, not {run}.")
        self.run, self.distinct = run, distinct
        found = [hashes[known] for hashes, known in map(self._runs, melodies)]
        self._known = np.unique(np.concatenate(found)) if found else np.zeros(0, np.uint64)

    @classmethod
    def from_scores(cls, scores: Iterable[ScoreTick], *, run: int = RUN, distinct: int = DISTINCT) -> MelodyIndex:
        """Of the melodies of scores, see `evaluation.melody_line`."""
        return cls((melody_line(score).pitch.tolist() for score in scores), run=run, distinct=distinct)

    def __len__(self) -> int:
        return len(self._known)

    def copied(self, pitches: Sequence[int]) -> np.ndarray:
        """[notes] whether each note of a melody is in a run that the index has."""
        hashes, counted = self._runs(pitches)
        if not len(self._known):
            return np.zeros(len(pitches), bool)
        places = np.minimum(np.searchsorted(self._known, hashes), len(self._known) - 1)
        hit = counted & (self._known[places] == hashes)
        change = np.zeros(len(pitches) + 1, np.int64)
        np.add.at(change, np.flatnonzero(hit), 1)
        np.add.at(change, np.flatnonzero(hit) + self.run, -1)
        return np.cumsum(change)[:-1] > 0

    def is_copy(self, pitches: Sequence[int]) -> bool:
        """Whether a melody has a run that the index has."""
        return bool(self.copied(pitches).any())

    def _runs(self, pitches: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Hash of every run of a melody, and whether it counts."""
        steps = np.diff(np.asarray(pitches, np.int64))
        if len(steps) < self.run - 1:
            return np.zeros(0, np.uint64), np.zeros(0, bool)
        windows = np.lib.stride_tricks.sliding_window_view(steps, self.run - 1)
        weights = np.random.default_rng(self.run).integers(1, 2**63, size=self.run - 1, dtype=np.uint64) * 2 + 1
        mixed = _mix((windows + 128).astype(np.uint64)) * weights
        distinct = 1 + (np.diff(np.sort(windows, axis=1), axis=1) > 0).sum(1)
        return _mix(mixed.sum(1, dtype=np.uint64)), distinct >= self.distinct


def copied_share(melodies: Sequence[Sequence[int]], index: MelodyIndex) -> float:
    """Share of melodies that have a run of the index; NaN without melodies."""
    return float(np.mean([index.is_copy(melody) for melody in melodies])) if melodies else float("nan")


def copied_share_of_scores(scores: Sequence[ScoreTick], index: MelodyIndex) -> float:
    """`copied_share` of the melodies of scores."""
    return copied_share([melody_line(score).pitch.tolist() for score in scores], index)


def _mix(x: np.ndarray) -> np.ndarray:
    """A permutation of 64-bit numbers that looks random (the finaliser of splitmix64; Steele, Lea & Flood 2014)."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
