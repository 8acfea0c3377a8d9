"""What can be read from notes: tempo, key, metre, instruments, chords, length and texture of a score.

The features of the MidiCaps pipeline (arXiv 2406.02255) with its faults mended: instruments are ranked by how long
their notes sound, tempo and metre are those that rule most of the piece, chords come from the notes.
`published_midi` keeps the faults.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orchestrion.analysis.chord_summary import chord_summary
from orchestrion.analysis.instruments import DRUMS, instrument_name
from orchestrion.analysis.wordings import duration_word
from orchestrion.media.timeline import Timeline
from orchestrion.theory.chord_inference import infer_chords
from orchestrion.theory.chords import ChordSpan
from orchestrion.theory.keys import Key, find_key

if TYPE_CHECKING:
    from symusic.core import ScoreTick

MOST_NAMES = 5  # instruments named in a caption
MIN_NOTES = 3  # fewer pitched notes carry neither key nor chords


@dataclass(frozen=True, slots=True)
class SymbolicFeatures:
    """Features of one score.

    Attributes:
        tempo: quarter notes a minute, of the tempo that holds longest.
        tempo_changes: tempo events after the first that change it.
        key: of the whole piece; None with fewer than three pitched notes.
        metre: the one that holds for most bars.
        bars, seconds: length up to the end of the last note.
        instruments: programs (128 = drums) by sounding time, the longest first.
        sounding: their note time in seconds.
        chords: in quarter notes, equal neighbours joined, silence left out.
        chord_times: starts of the chords in seconds.
        chord_sequence, chord_count: the commonest run of chords and how often it occurs.
        notes: number of notes, drums included.
        note_density: notes a second.
        polyphony: mean number of pitched notes that sound together, where any does.
        lowest, highest, mean_pitch: MIDI pitches; None without pitched notes.
        velocity: mean, 0–127.
    """

    tempo: float
    tempo_changes: int
    key: Key | None
    metre: tuple[int, int]
    bars: int
    seconds: float
    instruments: tuple[int, ...]
    sounding: tuple[float, ...]
    chords: tuple[ChordSpan, ...]
    chord_times: tuple[float, ...]
    chord_sequence: tuple[str, ...]
    chord_count: int
    notes: int
    note_density: float
    polyphony: float
    lowest: int | None
    highest: int | None
    mean_pitch: float | None
    velocity: float

    @property
    def instrument_summary(self) -> tuple[str, ...]:
        """At most five different names, the most prominent first."""
        return tuple(dict.fromkeys(instrument_name(program) for program in self.instruments))[:MOST_NAMES]

    @property
    def duration_word(self) -> str:
        """ "Short fragment", "Short song", "Song" or "Long piece"."""
        return duration_word(self.seconds)

    @property
    def chord_labels(self) -> tuple[str, ...]:
        """All chords in order, without inversions."""
        return tuple(label(span) for span in self.chords)


def label(span: ChordSpan) -> str:
    """The chord as on a lead sheet, bass left out: inversions differ between recognisers."""
    return span.chord.jazz().partition("/")[0]


def features(score: ScoreTick, *, chord_frame: str | None = "half") -> SymbolicFeatures:
    """Features of a score in ticks.

    Args:
        chord_frame: one chord a "bar", "half" bar or "beat"; None leaves the chords out.
    """
    timeline = Timeline.from_score(score)
    tracks = [(track, track.notes.numpy()) for track in score.tracks if len(track.notes)]
    spans = [(note["time"], note["time"] + note["duration"]) for _, note in tracks]
    end = max((int(stop.max()) for _, stop in spans), default=0)
    seconds = float(timeline.tick_to_second(end))
    instruments, sounding = _prominence(tracks, timeline)
    pitched = [note for track, note in tracks if not track.is_drum]
    pitches = np.concatenate([note["pitch"] for note in pitched]) if pitched else np.zeros(0, int)
    chords = _chords(score, chord_frame) if chord_frame and len(pitches) >= MIN_NOTES else ()
    sequence, count = chord_summary([label(span) for span in chords])
    count_notes = sum(len(note["time"]) for _, note in tracks)
    velocities = [note["velocity"] for _, note in tracks]
    tempo, changes = _tempo(score, timeline, end)
    return SymbolicFeatures(
        tempo=tempo,
        tempo_changes=changes,
        key=find_key(score) if len(pitches) >= MIN_NOTES else None,
        metre=_metre(score, end),
        bars=int(np.ceil(float(timeline.tick_to_bar(end)) - 1e-6)) if end else 0,
        seconds=seconds,
        instruments=instruments,
        sounding=sounding,
        chords=chords,
        chord_times=tuple(_seconds_at(timeline, [span.start for span in chords])),
        chord_sequence=sequence,
        chord_count=count,
        notes=count_notes,
        note_density=count_notes / seconds if seconds > 0 else 0.0,
        polyphony=_polyphony(pitched),
        lowest=int(pitches.min()) if len(pitches) else None,
        highest=int(pitches.max()) if len(pitches) else None,
        mean_pitch=float(pitches.mean()) if len(pitches) else None,
        velocity=float(np.concatenate(velocities).mean()) if velocities else 0.0,
    )


def _prominence(tracks: Sequence, timeline: Timeline) -> tuple[tuple[int, ...], tuple[float, ...]]:
    total: dict[int, float] = {}
    for track, note in tracks:
        program = DRUMS if track.is_drum else int(track.program)
        start = timeline.tick_to_second(note["time"])
        stop = timeline.tick_to_second(note["time"] + note["duration"])
        total[program] = total.get(program, 0.0) + float(np.sum(np.asarray(stop) - np.asarray(start)))
    ranked = sorted(total, key=lambda program: -total[program])
    return tuple(ranked), tuple(total[program] for program in ranked)


def _seconds_at(timeline: Timeline, quarters: list[float]) -> list[float]:
    if not quarters:
        return []
    return np.asarray(timeline.tick_to_second(timeline.quarter_to_tick(np.array(quarters)))).tolist()


def _tempo(score: ScoreTick, timeline: Timeline, end: int) -> tuple[float, int]:
    """The tempo that holds for most seconds (120, the MIDI default, where none is set) and the number of changes."""
    events = {int(event.time): float(event.qpm) for event in score.tempos if 0 < event.qpm < 1e5}
    times = sorted(events)
    if not times:
        return 120.0, 0
    values = [events[time] for time in times]
    changes = sum(a != b for a, b in itertools.pairwise(values))
    borders = np.array([*times, max(end, times[-1])])
    borders[0] = 0
    held: dict[float, float] = {}
    lengths = np.diff(np.asarray(timeline.tick_to_second(np.minimum(borders, max(end, 1)))))
    for value, length in zip(values, lengths, strict=True):
        held[value] = held.get(value, 0.0) + float(length)
    return max(held, key=lambda value: held[value]), changes


def _metre(score: ScoreTick, end: int) -> tuple[int, int]:
    """The metre of most bars; 4/4 where none is set."""
    events = [e for e in score.time_signatures if e.numerator > 0 and e.denominator > 0]
    events.sort(key=lambda event: event.time)
    if not events:
        return 4, 4
    held: dict[tuple[int, int], float] = {}
    for event, following in zip(events, [*events[1:], None], strict=True):
        stop = following.time if following is not None else max(end, event.time + 1)
        bar = event.numerator * 4 * score.tpq / event.denominator
        metre = (int(event.numerator), int(event.denominator))
        held[metre] = held.get(metre, 0.0) + (min(stop, max(end, 1)) - event.time) / bar
    return max(held, key=lambda metre: held[metre])


def _chords(score: ScoreTick, frame: str) -> tuple[ChordSpan, ...]:
    joined: list[ChordSpan] = []
    for span in infer_chords(score, frame=frame):
        if span.chord.root is None:
            continue
        if joined and joined[-1].chord == span.chord:
            joined[-1] = ChordSpan(joined[-1].start, span.end, span.chord)
        else:
            joined.append(span)
    return tuple(joined)


def _polyphony(notes: Sequence) -> float:
    """Sum of note lengths over the time in which any pitched note sounds."""
    if not notes:
        return 0.0
    start = np.concatenate([note["time"] for note in notes]).astype(np.int64)
    stop = start + np.concatenate([note["duration"] for note in notes])
    order = np.argsort(start, kind="stable")
    start, stop = start[order], stop[order]
    reached = np.maximum.accumulate(stop)
    covered = stop - start
    union = np.minimum(covered, np.maximum(stop - np.concatenate([[start[0]], reached[:-1]]), 0))
    total = float(union.sum())
    return float(covered.sum()) / total if total > 0 else 0.0
