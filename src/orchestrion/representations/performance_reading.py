"""Scores as piano performances: all pitched notes in milliseconds, the sustain pedal folded into their durations."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from orchestrion.media.timeline import Timeline
from orchestrion.representations.performance_tokens import TimedNote

if TYPE_CHECKING:
    from symusic.core import ScoreTick, TrackTick

PEDAL_DOWN = 64
GRID, SEGMENT = 10, 5000  # ms, of the published tokens


def performance_notes(score: ScoreTick, *, tracks: Sequence[int] | None = None) -> list[TimedNote]:
    """Pitched notes in the order of their onsets, which count from the beginning of the score.

    Args:
        tracks: only these.
    """
    timeline = Timeline.from_score(score)
    found: list[TimedNote] = []
    for number, track in enumerate(score.tracks):
        if track.is_drum or not len(track.notes) or (tracks is not None and number not in tracks):
            continue
        held = track.notes.numpy()
        start = np.asarray(held["time"], np.float64)
        stop = start + np.asarray(held["duration"], np.float64)
        for first, last in pedal_spans(track):
            stop = np.where((stop >= first) & (stop < last) & (start < last), last, stop)
        onset = np.rint(1000 * timeline.tick_to_second(start)).astype(int)
        length = np.maximum(np.rint(1000 * timeline.tick_to_second(stop)).astype(int) - onset, 1)
        rows = zip(held["pitch"].tolist(), held["velocity"].tolist(), onset.tolist(), length.tolist(), strict=True)
        found += [TimedNote(*row) for row in rows]
    return sorted(found, key=lambda note: (note.onset, note.pitch))


def pedal_spans(track: TrackTick) -> list[tuple[int, int]]:
    """Ticks [down, up) of the sustain pedal."""
    spans = [(pedal.time, pedal.time + pedal.duration) for pedal in track.pedals]
    return [(first, last) for first, last in spans if last > first]


def published_notes(
    notes: Sequence[Sequence[int]],
    pedal: Sequence[Sequence[int]],
    tempos: Sequence[Sequence[int]],
    ticks_per_beat: int,
) -> list[TimedNote]:
    """Notes as the published tokenizer reads a file, its slips included: a note-off ends all sounding notes of its
    pitch; notes stand in the order of their note-offs within one onset; of the pedal's spans the first that a note ends
    strictly within holds it, and a span without an end lasts to the end of the note that stands last; times are those
    of `_between`; only onsets that lie in a later segment than the one before move on to another segment.

    Args:
        notes: start, end (ticks), pitch, velocity; in the order of the file.
        pedal: tick and value.
        tempos: tick and microseconds a beat; 120 beats a minute if there are none.
    """
    tempos = tempos or [(0, 500000)]
    spans, down = [], None
    for tick, value in pedal:
        if value >= PEDAL_DOWN and down is None:
            down = tick
        elif value < PEDAL_DOWN and down is not None:
            spans.append((down, tick))
            down = None
    ends: list[tuple[int, int, int, int, int]] = []
    for start, _, pitch, velocity in notes:
        offs = ((last, place) for place, (_, last, other, _) in enumerate(notes) if other == pitch and last > start)
        ends.append((start, *min(offs), pitch, velocity))
    ends.sort(key=lambda note: note[:3])
    if down is not None and ends:
        spans.append((down, ends[-1][1]))
    origin = ends[0][0] if ends else 0
    found, segment, before = [], 0, 0
    for start, end, _, pitch, velocity in ends:
        end = next((last for first, last in spans if first < end < last), end)
        onset = _between(origin, start, tempos, ticks_per_beat)
        duration = _between(start, end, tempos, ticks_per_beat)
        segment += max(onset // SEGMENT - before // SEGMENT, 0)
        before = onset
        found.append(
            TimedNote(
                pitch,
                max(_on_grid(velocity, 120), GRID),
                SEGMENT * segment + _on_grid(onset % SEGMENT, SEGMENT - GRID),
                max(_on_grid(duration, SEGMENT), GRID),
            )
        )
    return found


def _on_grid(value: int, last: int) -> int:
    """The nearest of 0, `GRID` … `last`; of two equally near ones that which halving the range meets first."""
    low, high, best = 0, last // GRID, 0
    while low <= high:
        middle = (low + high) // 2
        if abs(GRID * middle - value) < abs(GRID * best - value) or best == middle:
            best = middle
        low, high = (middle + 1, high) if GRID * middle < value else (low, middle - 1)
    return GRID * best


def _between(start: int, end: int, tempos: Sequence[Sequence[int]], ticks_per_beat: int) -> int:
    """Milliseconds between two ticks, as published: a start after the last change of tempo counts back to the change
    at the tempo before; a tempo also holds before its tick where it is the first, but for an end up to an only one."""
    place = next((place for place, (tick, _) in enumerate(tempos) if start <= tick), len(tempos) - 1)
    held = tempos[max(place - 1, 0) :]
    seconds, reached = 0.0, start
    for (_, length), (change, _) in pairwise(held):
        seconds += _seconds(min(end, change) - reached, length, ticks_per_beat)
        reached = min(end, change)
    if end > held[-1][0]:
        seconds += _seconds(end - reached, held[-1][1], ticks_per_beat)
    return round(seconds * 1e3)


def _seconds(ticks: int, tempo: int, ticks_per_beat: int) -> float:
    return ticks * (tempo * 1e-6 / ticks_per_beat)
