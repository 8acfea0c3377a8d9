"""Scores as piano performances: all pitched notes in milliseconds, the sustain pedal folded into their durations."""

from __future__ import annotations

from collections.abc import Sequence
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
    pitch; notes stand in the order of their ends within one onset; the duration of a note that starts after the last
    change of tempo is counted as if the tempo before it had held from there back to the start of the note.

    Args:
        notes: start, end (ticks), pitch, velocity.
        pedal: tick and value.
        tempos: tick and microseconds a beat.
    """
    spans, down = [], None
    for tick, value in pedal:
        if value >= PEDAL_DOWN and down is None:
            down = tick
        elif value < PEDAL_DOWN and down is not None:
            spans.append((down, tick))
            down = None
    ends: list[tuple[int, int, int, int]] = []
    for start, _, pitch, velocity in notes:
        end = min(last for first, last, other, _ in notes if other == pitch and last > start)
        ends.append((start, end, pitch, velocity))
    ends.sort(key=lambda note: note[1])
    ends.sort(key=lambda note: note[0])
    origin = ends[0][0] if ends else 0
    found = []
    for start, end, pitch, velocity in ends:
        for first, last in spans:
            end = last if first <= end < last else end
        onset = round(_between(origin, start, tempos, ticks_per_beat))
        duration = round(_between(start, end, tempos, ticks_per_beat, slip=True))
        found.append(
            TimedNote(
                pitch,
                max(_on_grid(velocity, 120), GRID),
                SEGMENT * (onset // SEGMENT) + _on_grid(onset % SEGMENT, SEGMENT - GRID),
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


def _between(
    start: int, end: int, tempos: Sequence[Sequence[int]], ticks_per_beat: int, *, slip: bool = False
) -> float:
    """Milliseconds between two ticks."""
    if slip and len(tempos) > 1 and start > tempos[-1][0]:
        last = tempos[-1][0]
        return _ms(last - start, tempos[-2][1], ticks_per_beat) + _ms(end - last, tempos[-1][1], ticks_per_beat)
    total = 0.0
    for number, (tick, length) in enumerate(tempos):
        after = tempos[number + 1][0] if number + 1 < len(tempos) else end
        total += _ms(max(min(end, after) - max(start, tick), 0), length, ticks_per_beat)
    return total


def _ms(ticks: int, tempo: int, ticks_per_beat: int) -> float:
    return 1e3 * (ticks * (tempo * 1e-6 / ticks_per_beat))
