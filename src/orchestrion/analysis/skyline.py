"""The tune of a score as one line of notes on a grid of sixteenths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from orchestrion.media.timeline import Timeline

if TYPE_CHECKING:
    from symusic.core import ScoreTick, TrackTick

STEPS = 4  # of a quarter note
NAMES = ("melody", "vocal", "lead", "tune", "voice", "skeleton")


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """Notes one after another; times in sixteenths from a bar line, so that bars begin at multiples of `bar`.

    Attributes:
        start, stop: of each note; no note begins before the one before it ends.
        pitch: MIDI numbers.
        metre: numerator and denominator.
        shift: sixteenths that were put before the score's beginning, because it has a pick-up.
    """

    start: Int[np.ndarray, " notes"]
    stop: Int[np.ndarray, " notes"]
    pitch: Int[np.ndarray, " notes"]
    metre: tuple[int, int] = (4, 4)
    shift: int = 0

    def __len__(self) -> int:
        return len(self.start)

    @property
    def bar(self) -> int:
        """Sixteenths of a bar, at least one."""
        return max(round(16 * self.metre[0] / self.metre[1]), 1)

    def select(self, chosen: np.ndarray) -> Line:
        """Some of the notes, by a mask or indices."""
        return Line(self.start[chosen], self.stop[chosen], self.pitch[chosen], self.metre, self.shift)


def find_melody_track(score: ScoreTick) -> int | None:
    """Index of the track that carries the tune; None without pitched notes.

    The track named as one, else of those whose highest notes change their pitch at least half as often as in any other
    track the one that lies highest on average. Drones and repeated chords, of many notes, are no tunes.
    """
    tracks = [(index, track) for index, track in enumerate(score.tracks) if len(track.notes) and not track.is_drum]
    for name in NAMES:
        for index, track in tracks:
            if name in track.name.lower():
                return index
    if not tracks:
        return None
    moves = [int(np.count_nonzero(np.diff(skyline_of_track(track)[:, 2]))) for _, track in tracks]
    moving = [one for one, count in zip(tracks, moves, strict=True) if 2 * count >= max(moves)]
    return max(moving, key=lambda one: float(np.mean(one[1].notes.numpy()["pitch"])))[0]


def skyline_of_track(track: TrackTick) -> Int[np.ndarray, "notes 3"]:
    """Start, stop (ticks) and pitch: of notes that begin together the highest, each cut where the next begins
    (Uitdenbogerd & Zobel 1999)."""
    notes = track.notes.numpy()
    start, length, pitch = (np.asarray(notes[name], np.int64) for name in ("time", "duration", "pitch"))
    order = np.lexsort((-pitch, start))
    order = order[np.diff(start[order], prepend=-1) > 0]
    stop = (start + length)[order]
    stop[:-1] = np.minimum(stop[:-1], start[order][1:])
    return np.stack([start[order], stop, pitch[order]], 1)


def melody_line(score: ScoreTick, *, track: int | None = None) -> Line:
    """The tune of a score, rounded to sixteenths, in its first metre.

    A first bar that is shorter than the metre asks is a pick-up: all is moved on so that the next bar line lies on a
    multiple of a bar.

    Args:
        track: where it is; found by default.
    """
    timeline = Timeline.from_score(score)
    metre = timeline.metre_at(0)
    found = find_melody_track(score) if track is None else track
    if found is None:
        nothing = np.zeros(0, np.int64)
        return Line(nothing, nothing, nothing, metre)
    ticks = skyline_of_track(score.tracks[found])
    scale = STEPS / score.ticks_per_quarter
    start, stop = (np.rint(ticks[:, column] * scale).astype(np.int64) for column in (0, 1))
    keep = np.append(np.diff(start) > 0, True)  # of notes within one sixteenth the last
    start, stop, pitch = start[keep], stop[keep], ticks[keep, 2]
    stop = np.maximum(stop, start + 1)
    bar = max(round(16 * metre[0] / metre[1]), 1)
    second = round(float(timeline.bar_to_tick(1.0)) * scale) if timeline.n_bars > 1 else bar
    shift = (-second) % bar
    return Line(start + shift, stop + shift, pitch, metre, shift)
