"""A score whose segments are written anew one by one: which tracks, what is kept, and how it is put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrion.errors import InputError, OptionError
from orchestrion.media.timeline import Timeline
from orchestrion.representations.performance_events import EventVocabulary, StepNote
from orchestrion.representations.segments import STEPS, Segment, cut_segments

if TYPE_CHECKING:
    from symusic.core import ScoreTick

KEYBOARDS = 8  # General MIDI programs of pianos and their kin
SECOND_STEPS = 100  # steps of a performance in a second


def choose_tracks(score: ScoreTick, names: Sequence[str] = ()) -> list[int]:
    """Numbers of the tracks that are to be written anew.

    Args:
        names: names or numbers (from 1); by default all keyboard tracks, or else the pitched track with most notes.

    Raises:
        OptionError: there is no such track, or it is one of drums.
        InputError: the score has only drums.
    """
    pitched = [n for n, track in enumerate(score.tracks) if not track.is_drum and len(track.notes)]
    if not pitched:
        raise InputError("The score has no pitched notes, so there is nothing for a slider to move.")
    if names:
        chosen = set()
        for name in names:
            found = [n for n in pitched if score.tracks[n].name.strip().lower() == name.strip().lower()]
            if not found and name.strip().isdecimal() and int(name) - 1 in pitched:
                found = [int(name) - 1]
            if not found:
                there = ", ".join(score.tracks[n].name.strip() or str(n + 1) for n in pitched)
                raise OptionError(f"There is no pitched track {name!r}; there are {there}.")
            chosen.update(found)
        return sorted(chosen)
    keyboards = [n for n in pitched if score.tracks[n].program < KEYBOARDS]
    return keyboards or [max(pitched, key=lambda n: len(score.tracks[n].notes))]


@dataclass(slots=True)
class Faded:
    """A score under change.

    Attributes:
        source: as it was given; it is not touched.
        tracks: those that are written anew; new notes go to the one that held the nearest pitch before.
        segments: of these tracks.
        vocabulary, grid: of the events.
        written: new notes by number of the segment.
    """

    source: ScoreTick
    tracks: list[int]
    segments: list[Segment]
    vocabulary: EventVocabulary
    grid: str
    written: dict[int, list[StepNote]] = field(default_factory=dict)

    @classmethod
    def from_score(cls, score: ScoreTick, tracks: list[int], vocabulary: EventVocabulary, grid: str) -> Faded:
        """A score before any change."""
        timed = grid == "performance"
        segments = cut_segments(score, tracks, lowest=vocabulary.lowest, highest=vocabulary.highest, timed=timed)
        return cls(score, tracks, segments, vocabulary, grid)

    def replace(self, segment: Segment, ids: Sequence[int]) -> None:
        """Takes events for a segment; events without a note leave it as it is."""
        notes = self.vocabulary.decode(ids, steps=STEPS if self.grid == "sixteenths" else None)
        if notes:
            self.written[segment.number] = notes

    def score(self) -> ScoreTick:
        """A copy with the new notes; their velocity is that of the last source note that began before or with them,
        where the events have none."""
        made = self.source.copy()
        gone: dict[int, set[int]] = {track: set() for track in self.tracks}
        new: dict[int, list[Any]] = {track: [] for track in self.tracks}
        timeline = Timeline.from_score(self.source)
        for segment in self.segments:
            if segment.number not in self.written:
                continue
            for track, index in segment.indices:
                gone[track].add(index)
            homes = self._homes(segment)
            for note in self.written[segment.number]:
                track = min(homes, key=lambda home: (abs(home[0] - note.pitch), home[1]))[1]
                new[track].append(self._note(segment, note, timeline))
        for track in self.tracks:
            held = made.tracks[track].notes
            kept = [note for number, note in enumerate(held) if number not in gone[track]]
            made.tracks[track].notes = type(held)(sorted([*kept, *new[track]], key=lambda n: (n.time, n.pitch)))
        return made

    def _homes(self, segment: Segment) -> list[tuple[float, int]]:
        """(mean pitch, track) of the tracks that play in a segment."""
        pitches: dict[int, list[int]] = {}
        for track, index in segment.indices:
            pitches.setdefault(track, []).append(self.source.tracks[track].notes[index].pitch)
        return [(float(np.mean(held)), track) for track, held in sorted(pitches.items())]

    def _note(self, segment: Segment, note: StepNote, timeline: Timeline) -> Any:
        import symusic

        grid = self.source.ticks_per_quarter * 4 / STEPS
        begun = segment.number * STEPS * grid
        if self.grid == "sixteenths":
            start, end = (round(begun + step * grid) for step in (note.start, note.end))
            before = [one for one in segment.notes if one.start <= note.start] or segment.notes[:1]
            velocity = before[-1].velocity
        else:
            second = timeline.tick_to_second(begun)
            start, end = (
                round(timeline.second_to_tick(second + step / SECOND_STEPS)) for step in (note.start, note.end)
            )
            velocity = note.velocity
        return symusic.Note(start, max(end - start, 1), note.pitch, velocity)

    def report(self) -> dict[str, Any]:
        """What was changed, and the mean densities of the changed segments before and after (on the grid)."""
        changed = [segment for segment in self.segments if segment.number in self.written]
        made = {one.number: one for one in cut_segments(self.score(), self.tracks)}
        after = [made[one.number].densities for one in changed if one.number in made]
        before = [one.densities for one in changed]
        return {
            "tracks": [self.source.tracks[n].name.strip() or str(n + 1) for n in self.tracks],
            "segments written": len(changed),
            "segments kept": len(self.segments) - len(changed),
            "rhythm density": _before_after(before, after, 0),
            "note density": _before_after(before, after, 1),
        }


def _before_after(before: Sequence[tuple[float, float]], after: Sequence[tuple[float, float]], n: int) -> list[float]:
    return [round(float(np.mean([one[n] for one in held])), 4) if held else 0.0 for held in (before, after)]
