"""The one line of notes that a listener would sing back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from orchestrion.evaluation.notes import Notes

if TYPE_CHECKING:
    from symusic.core import ScoreTick

NAMES = ("melody", "vocal", "lead", "tune", "voice")
GRID = 12  # steps a quarter: sixteenths and eighth triplets


def melody_line(score: ScoreTick, *, track: int | None = None) -> Notes:
    """The melody of a score on a grid of twelve steps a quarter, one note at a time.

    Args:
        track: where it is; by default the track named as one, else of those pitched tracks that play in at least half
            as many bars as the busiest the one whose highest notes lie highest.
    """
    notes = Notes.from_score(score, resolution=GRID)
    if track is None:
        track = melody_track(score, notes)
    return skyline(notes.select(notes.track == track)) if track is not None else notes.select(np.zeros(0, int))


def melody_track(score: ScoreTick, notes: Notes) -> int | None:
    """Index of the track that carries the tune; None without pitched notes. See `melody_line`."""
    parts = notes.pitched.tracks
    for name in NAMES:
        for part in parts:
            if name in score.tracks[int(part.track[0])].name.lower():
                return int(part.track[0])
    if not parts:
        return None
    lines = [skyline(part) for part in parts]
    bars = np.array([len(np.unique(line.bar)) for line in lines])
    heights = np.array([line.pitch.mean() for line in lines])
    return int(parts[int(np.where(2 * bars >= bars.max(), heights, -1).argmax())].track[0])


def skyline(notes: Notes) -> Notes:
    """Of notes that begin together the highest, each ending no later than the next begins (Uitdenbogerd & Zobel
    1999)."""
    order = np.lexsort((-notes.pitch, notes.start))
    keep = order[np.diff(notes.start[order], prepend=-1) > 0] if len(order) else order
    line = notes.select(keep)
    if len(line):
        line.stop[:-1] = np.minimum(line.stop[:-1], line.start[1:])
    return line
