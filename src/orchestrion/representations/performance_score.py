"""A score seen as segments of a performance, and put together again from the segments that were written anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from symusic import Note, Track

from orchestrion.media.added_notes import add_notes
from orchestrion.media.timeline import Timeline
from orchestrion.representations.performance_reading import performance_notes
from orchestrion.representations.performance_tokens import (
    Item,
    PerformanceVocabulary,
    TimedNote,
    from_segment,
    to_segments,
)

if TYPE_CHECKING:
    from symusic.core import ScoreTick

NEW_TRACK = "improvisation"


class PerformedScore:
    """All pitched notes of a score in segments.

    Args:
        origin: ms at which a segment begins; the first note by default. Segments reach back to the first note and on
            to the last.
        until: ms up to which there are segments at least.
        tracks: only the notes of these; all pitched ones by default.

    Attributes:
        segments: what stands in each.
        start: ms at which the first begins.
        end: ms at which the last note ends.
    """

    def __init__(
        self,
        score: ScoreTick,
        vocabulary: PerformanceVocabulary,
        *,
        origin: float | None = None,
        until: float = 0.0,
        tracks: Sequence[int] | None = None,
    ) -> None:
        self.score, self.vocabulary, self.timeline = score, vocabulary, Timeline.from_score(score)
        self.notes = performance_notes(score, tracks=tracks)
        first = self.notes[0].onset if self.notes else 0
        size = vocabulary.segment
        begin = first if origin is None else round(origin)
        self.start = begin if begin <= first else begin - size * -(-(begin - first) // size)
        self.end = max((note.onset + note.duration for note in self.notes), default=0)
        last = max(until, self.notes[-1].onset + 1 if self.notes else 0)
        self.count = max(int(-(-(last - self.start) // size)), 1)
        moved = [note._replace(onset=note.onset - self.start) for note in self.notes]
        self.segments: list[list[Item]] = to_segments(moved, vocabulary, count=self.count)

    def place_of(self, ms: float) -> int:
        """The segment in which a time lies."""
        return int((ms - self.start) // self.vocabulary.segment)

    def begin_of(self, place: int) -> int:
        """Milliseconds at which a segment begins."""
        return self.start + place * self.vocabulary.segment

    def written(
        self,
        segments: Mapping[int, Sequence[Item]],
        *,
        span: tuple[float, float] | None = None,
        tracks: Sequence[int] | None = None,
        target: int | None = None,
        name: str = NEW_TRACK,
        keep: bool = False,
    ) -> ScoreTick:
        """A copy of the score with segments written anew; all else is kept note for note.

        Args:
            segments: by place.
            span: ms outside of which nothing is taken or removed.
            tracks: those whose notes give way; all pitched ones by default.
            target: track that gets the new notes; by default the only one that gives way, else a new one.
            name: of a new track.
            keep: nothing gives way.
        """
        low, high = span or (float("-inf"), float("inf"))
        new = [
            note
            for place, segment in sorted(segments.items())
            for note in from_segment(segment, self.begin_of(place))
            if low <= note.onset < high
        ]
        made = self.score.copy()
        pitched = [n for n, track in enumerate(made.tracks) if not track.is_drum and len(track.notes)]
        giving = [] if keep else [n for n in pitched if tracks is None or n in tracks]
        for number in giving:
            self._clear(made.tracks[number], set(segments), low, high)
        if target is None and len(giving) == 1:
            target = giving[0]
        if target is None:
            made.tracks.append(Track(name=name, program=0, is_drum=False))  # type: ignore[arg-type]
            target = len(made.tracks) - 1
        add_notes(made.tracks[target], map(self._note, new))
        return made

    def _clear(self, track: Any, places: set[int], low: float, high: float) -> None:
        """Takes out what begins in the segments, pedals as well."""

        def stays(event: Any) -> bool:
            ms = round(1000 * float(self.timeline.tick_to_second(float(event.time))))
            return not (low <= ms < high and self.place_of(ms) in places)

        track.notes = type(track.notes)([note for note in track.notes if stays(note)])
        track.pedals = type(track.pedals)([pedal for pedal in track.pedals if stays(pedal)])

    def _note(self, note: TimedNote) -> Any:
        start = round(float(self.timeline.second_to_tick(note.onset / 1000)))
        stop = round(float(self.timeline.second_to_tick((note.onset + note.duration) / 1000)))
        return Note(start, max(stop - start, 1), note.pitch, max(note.velocity, 1))
