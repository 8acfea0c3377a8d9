"""Notes on a grid: what all symbolic metrics are computed from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int

from orchestrion.media.timeline import Timeline

if TYPE_CHECKING:
    from symusic.core import ScoreTick


@dataclass(frozen=True, slots=True, eq=False)
class Notes:
    """The notes of a piece in order of onset; notes of one onset keep the order of the score.

    Attributes:
        start, stop: grid steps; every note lasts at least one.
        pitch, velocity: MIDI numbers.
        track: index of the track in the score.
        program: General MIDI program, 128 for drums.
        drum: whether the track is drums.
        start_second, stop_second: the same times in seconds, not rounded to the grid.
        bars: borders of the bars in steps, the end of the last one included; one more than there are bars.
        resolution: steps a quarter note.
    """

    start: Int[np.ndarray, " notes"]
    stop: Int[np.ndarray, " notes"]
    pitch: Int[np.ndarray, " notes"]
    velocity: Int[np.ndarray, " notes"]
    track: Int[np.ndarray, " notes"]
    program: Int[np.ndarray, " notes"]
    drum: Bool[np.ndarray, " notes"]
    start_second: Float[np.ndarray, " notes"]
    stop_second: Float[np.ndarray, " notes"]
    bars: Int[np.ndarray, " borders"]
    resolution: int

    @classmethod
    def from_score(cls, score: ScoreTick, *, resolution: int | None = None) -> Notes:
        """The notes of a score in ticks.

        Args:
            resolution: steps a quarter, to which onsets and ends are rounded; by default the ticks of the score.
        """
        timeline = Timeline.from_score(score)
        resolution = resolution or timeline.tpq
        parts = [(i, track, track.notes.numpy()) for i, track in enumerate(score.tracks) if len(track.notes)]
        start, duration, pitch, velocity = (
            np.concatenate([np.asarray(part[name], np.int64) for _, _, part in parts] or [np.zeros(0, np.int64)])
            for name in ("time", "duration", "pitch", "velocity")
        )
        sizes = [len(part["time"]) for _, _, part in parts]
        track = np.repeat(np.array([i for i, _, _ in parts], np.int64), sizes)
        program = np.repeat(np.array([128 if t.is_drum else t.program for _, t, _ in parts], np.int64), sizes)
        order = np.argsort(start, kind="stable")
        start, duration, pitch, velocity, track, program = (
            array[order] for array in (start, duration, pitch, velocity, track, program)
        )
        scale = resolution / timeline.tpq
        steps = np.rint(start * scale).astype(np.int64)
        stops = np.maximum(np.rint((start + duration) * scale).astype(np.int64), steps + 1)
        borders = timeline.bar_to_tick(np.arange(timeline.n_bars + 1, dtype=np.float64))
        return cls(
            start=steps,
            stop=stops,
            pitch=pitch,
            velocity=velocity,
            track=track,
            program=program,
            drum=program == 128,
            start_second=np.asarray(timeline.tick_to_second(start.astype(np.float64))),
            stop_second=np.asarray(timeline.tick_to_second((start + duration).astype(np.float64))),
            bars=np.rint(borders * scale).astype(np.int64),
            resolution=resolution,
        )

    def __len__(self) -> int:
        return len(self.start)

    def select(self, chosen: np.ndarray) -> Notes:
        """Some of the notes, by a mask or indices, in the same bars."""
        names = ("start", "stop", "pitch", "velocity", "track", "program", "drum", "start_second", "stop_second")
        return Notes(
            **{name: getattr(self, name)[chosen] for name in names}, bars=self.bars, resolution=self.resolution
        )

    @property
    def pitched(self) -> Notes:
        """All but drums."""
        return self.select(~self.drum) if self.drum.any() else self

    @property
    def drums(self) -> Notes:
        """The drums."""
        return self.select(self.drum)

    @property
    def tracks(self) -> list[Notes]:
        """The notes of each track that has any."""
        return [self.select(self.track == index) for index in np.unique(self.track)]

    @property
    def n_bars(self) -> int:
        """Bars of the piece."""
        return max(len(self.bars) - 1, 0)

    @property
    def bar(self) -> Int[np.ndarray, " notes"]:
        """The bar in which each note begins."""
        return np.clip(np.searchsorted(self.bars, self.start, side="right") - 1, 0, max(self.n_bars - 1, 0))

    @property
    def without_empty_last_bar(self) -> Notes:
        """The same notes without the last bar, if none of them begins in it."""
        empty = self.n_bars > 0 and not np.any(self.start >= self.bars[-2])
        return replace(self, bars=self.bars[:-1]) if empty else self

    @property
    def end(self) -> int:
        """Step at which the last note ends; 0 without notes."""
        return int(self.stop.max()) if len(self) else 0

    def position(self, positions: int) -> Int[np.ndarray, " notes"]:
        """Where in its bar each note begins, the bar being divided into `positions` equal parts (0 … positions − 1)."""
        if not len(self):
            return np.zeros(0, np.int64)
        bar = self.bar
        length = np.maximum(np.diff(self.bars)[bar], 1)
        place = (self.start - self.bars[bar]) * positions // length
        return np.minimum(place, positions - 1)


def onset_grid(notes: Notes, *, positions: int) -> Bool[np.ndarray, "bars positions"]:
    """Whether any note begins at each position of each bar; positions are equal parts of the bar."""
    grid = np.zeros((notes.n_bars, positions), bool)
    if len(notes):
        grid[notes.bar, notes.position(positions)] = True
    return grid


def piano_roll(notes: Notes) -> Bool[np.ndarray, "steps 128"]:
    """Which pitches sound at each step; drums are not left out, choose `notes.pitched` first."""
    change = np.zeros((notes.end + 1, 128), np.int32)
    np.add.at(change, (notes.start, notes.pitch), 1)
    np.add.at(change, (notes.stop, notes.pitch), -1)
    return np.cumsum(change, axis=0)[:-1] > 0
