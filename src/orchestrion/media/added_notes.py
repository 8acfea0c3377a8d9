"""Notes that are added to a track and leave alone those that it has."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from itertools import accumulate
from typing import Any

Spans = list[tuple[int, int]]


def add_notes(track: Any, notes: Iterable[Any]) -> None:
    """Adds notes to a track, in order of time.

    A MIDI channel sounds a pitch once at a time, and a second note of it would change the length of the first. So in a
    pitched track a new note is left out where one of its pitch sounds already, and ends at the latest where the next
    begins. Strokes of drums have no length that is heard; all of them are added.
    """
    wanted = sorted(notes, key=lambda note: (note.time, note.pitch))
    if not track.is_drum:
        held: dict[int, Spans] = defaultdict(list)
        for note in track.notes:
            held[note.pitch].append((note.time, note.time + note.duration))
        free = {pitch: _Free(sorted(spans)) for pitch, spans in held.items()}
        wanted = [note for note in wanted if note.pitch not in free or free[note.pitch].fit(note)]
        _end_at_next(wanted)
    track.notes = type(track.notes)(sorted([*track.notes, *wanted], key=lambda note: (note.time, note.pitch)))


class _Free:
    """The time that the notes of a pitch leave."""

    def __init__(self, spans: Spans) -> None:
        self.starts = [start for start, _ in spans]
        self.ends = list(accumulate((end for _, end in spans), max))

    def fit(self, note: Any) -> bool:
        """Shortens a note that runs into the next; False where it cannot begin."""
        place = bisect_right(self.starts, note.time)
        if place and (self.starts[place - 1] == note.time or self.ends[place - 1] > note.time):
            return False
        if place < len(self.starts):
            note.duration = min(note.duration, self.starts[place] - note.time)
        return True


def _end_at_next(notes: list[Any]) -> None:
    """Of notes in order of time, each ends where the next of its pitch begins; of those that begin together the last
    stays."""
    following: dict[int, int] = {}
    for number in range(len(notes) - 1, -1, -1):
        note = notes[number]
        begins = following.get(note.pitch)
        if begins == note.time:
            del notes[number]
            continue
        if begins is not None:
            note.duration = min(note.duration, begins - note.time)
        following[note.pitch] = note.time
