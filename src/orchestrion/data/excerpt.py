"""A span of a piece in seconds: its notes by part, beats, downbeats and chords, at any tempo and in any key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from orchestrion.media.stage import track_names
from orchestrion.media.timeline import Timeline
from orchestrion.theory.chords import ChordSpan

if TYPE_CHECKING:
    from orchestrion.data.piece import Piece

LOWEST, HIGHEST = 0, 127  # keys of MIDI


@dataclass(frozen=True, slots=True)
class Part:
    """What one player plays. Times are in seconds from the beginning of the excerpt; `program` counts from 0."""

    name: str
    program: int
    is_drum: bool
    is_melody: bool
    starts: Float[np.ndarray, " notes"]
    ends: Float[np.ndarray, " notes"]
    keys: Int[np.ndarray, " notes"]
    velocities: Int[np.ndarray, " notes"]

    @property
    def controls(self) -> tuple[Any, ...]:
        """None: a part stands where the stage puts it."""
        return ()


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Parts and labels of a span; chord spans are in seconds."""

    parts: tuple[Part, ...]
    beats: Float[np.ndarray, " beats"]
    downbeats: Float[np.ndarray, " bars"]
    chords: tuple[ChordSpan, ...]


class Form:
    """The course of a piece in seconds, for choosing where an excerpt begins.

    Attributes:
        bars: seconds at which the bars begin, and the end of the last.
        beats: seconds at which the beats begin, those of the last bar to its end.
    """

    def __init__(self, piece: Piece) -> None:
        assert piece.score is not None
        self.timeline = Timeline.from_score(piece.score)
        self.n_bars = max(self.timeline.n_bars, 1)
        edges = self.timeline.bar_to_tick(np.arange(self.n_bars + 1, dtype=np.float64))
        self.bars = np.asarray(self.timeline.tick_to_second(edges))
        n_beats = round(self.timeline.tick_to_beat(float(edges[-1])))
        self.beats = np.asarray(self.timeline.tick_to_second(self.timeline.beat_to_tick(np.arange(float(n_beats)))))

    @property
    def seconds(self) -> float:
        """Length up to the end of the last bar, at the written tempo."""
        return float(self.bars[-1])


def take_excerpt(
    piece: Piece,
    form: Form,
    *,
    bar: int,
    seconds: float,
    tracks: Sequence[int] | None = None,
    speed: float = 1.0,
    transpose: int = 0,
    repeat: bool = True,
) -> Excerpt:
    """The span that begins with a bar. Notes held over its beginning are struck there anew if more than half of them
    is left; drums are not.

    Args:
        bar: counted from 0.
        seconds: length of the result.
        tracks: indices of the tracks to take, all by default.
        speed: how many times faster than written.
        transpose: semitones; drums stay, and keys that leave the range of MIDI move back by octaves.
        repeat: the piece begins again when it has ended; otherwise the rest is silent.
    """
    assert piece.score is not None
    begin = float(form.bars[bar])
    end = begin + seconds * speed
    rounds = max(int(np.ceil(end / form.seconds)), 1) if repeat else 1
    shifts = np.arange(rounds) * form.seconds

    def placed(times: np.ndarray) -> np.ndarray:
        return ((times[None, :] + shifts[:, None]).ravel() - begin) / speed

    def inside(times: np.ndarray) -> np.ndarray:
        all_times = placed(times)
        return all_times[(all_times > -1e-6) & (all_times < seconds)].clip(min=0)

    chosen = range(len(piece.score.tracks)) if tracks is None else tracks
    names = track_names([piece.score.tracks[i] for i in chosen])
    parts = []
    for name, number in zip(names, chosen, strict=True):
        track = piece.score.tracks[number]
        columns = track.notes.numpy()
        onset = np.asarray(columns["time"], dtype=np.float64)
        starts = placed(np.asarray(form.timeline.tick_to_second(onset)))
        ends = placed(np.asarray(form.timeline.tick_to_second(onset + columns["duration"])))
        keys, velocities = np.tile(columns["pitch"], rounds), np.tile(columns["velocity"], rounds)
        held = (starts < -1e-6) & (ends > (ends - starts) / 2) & (not track.is_drum)
        kept = ((starts > -1e-6) | held) & (starts < seconds) & (velocities > 0)
        order = np.flatnonzero(kept)[np.lexsort((keys[kept], starts[kept]))]
        moved = keys[order].astype(np.int64)
        if transpose and not track.is_drum:
            moved = moved + transpose
            moved = np.where(moved > HIGHEST, moved - 12, np.where(moved < LOWEST, moved + 12, moved))
        parts.append(
            Part(
                name,
                int(track.program),
                bool(track.is_drum),
                number == piece.melody,
                np.maximum(starts[order], 0.0),
                ends[order],
                moved,
                velocities[order].astype(np.int64),
            )
        )
    return Excerpt(
        tuple(parts), inside(form.beats), inside(form.bars[:-1]), _chords(piece, form, placed, seconds, transpose)
    )


def _chords(piece: Piece, form: Form, placed: Any, seconds: float, transpose: int) -> tuple[ChordSpan, ...]:
    """The chords that sound, cut at both ends; equal neighbours are one."""
    if not piece.chords:
        return ()
    edges = np.array([(span.start, span.end) for span in piece.chords])
    times = np.asarray(form.timeline.tick_to_second(form.timeline.quarter_to_tick(edges)))
    starts, ends = placed(times[:, 0]), placed(np.minimum(times[:, 1], form.seconds))
    spans: list[ChordSpan] = []
    for number in np.flatnonzero((ends > 0) & (starts < seconds) & (ends > starts)):
        chord = piece.chords[int(number) % len(piece.chords)].chord.transpose(transpose)
        start, end = max(float(starts[number]), 0.0), min(float(ends[number]), seconds)
        if spans and spans[-1].chord == chord and start - spans[-1].end < 1e-6:
            spans[-1] = ChordSpan(spans[-1].start, end, chord)
        else:
            spans.append(ChordSpan(start, end, chord))
    return tuple(spans)
