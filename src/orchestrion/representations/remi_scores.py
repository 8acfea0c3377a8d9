"""What REMI tokens need of a score, as arrays on their grid; and the way back to a score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from orchestrion.representations.remi import RemiVocabulary

COMMON = (4, 4)


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch under one time signature, in ticks of the grid.

    `rounding`: onsets are multiples of this many ticks.
    """

    start: int
    signature: tuple[int, int]
    tpq: int
    rounding: int

    @property
    def ticks_per_beat(self) -> int:
        """Ticks of the beat that the denominator names."""
        return self.tpq * 4 // self.signature[1]

    @property
    def ticks_per_bar(self) -> int:
        """Ticks of a bar."""
        return self.ticks_per_beat * self.signature[0]


def sections(score: Any, known: Sequence[tuple[int, int]], resolution: int) -> list[Section]:
    """The time signatures of a score on the grid, each at a bar line, no two neighbours alike; the first at 0.

    Signatures that are not `known` are passed over, one inside a bar waits for the next bar line. The grid has
    `resolution` ticks in the shortest beat of the piece.
    """
    marks = [(ts.time, (ts.numerator, ts.denominator)) for ts in score.time_signatures]
    marks = sorted((mark for mark in marks if mark[1] in known), key=lambda mark: mark[0])
    if not marks or marks[0][0] != 0:
        marks.insert(0, (0, COMMON))
    tpq = resolution * max(signature[1] for _, signature in marks) // 4
    kept: list[Section] = []
    for time, signature in marks:
        if kept and kept[-1].signature == signature:
            continue
        tick = int(rescale(np.array([time]), score.ticks_per_quarter, tpq)[0])
        if kept:
            before = kept[-1]
            bars = -(-max(tick - before.start, 0) // before.ticks_per_bar)
            tick = before.start + bars * before.ticks_per_bar
            if bars == 0:
                kept.pop()
                if kept and kept[-1].signature == signature:
                    continue
        kept.append(Section(tick, signature, tpq, tpq * 4 // (resolution * signature[1])))
    return kept


def rescale(ticks: np.ndarray, tpq: int, to: int) -> np.ndarray:
    """Ticks at another number a quarter note, halves upwards."""
    scaled = ticks if tpq == to else np.floor(ticks * (to / tpq) + 0.5)
    return scaled.clip(min=0).astype(np.int64)


def nearest(values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Index of the entry of ascending `values` nearest to each of `wanted`; in the middle, the higher one."""
    above = np.searchsorted(values, wanted).clip(max=len(values) - 1)
    below = (above - 1).clip(min=0)
    return np.where(np.abs(wanted - values[below]) < np.abs(wanted - values[above]), below, above)


def gather_notes(
    score: Any, parts: list[Section], pitches: range, drum_pitches: range, *, exact: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(onset, program, pitch, velocity, duration) of all notes in range, in ticks of the grid.

    In the order of time, then of tracks. Tracks of one program are one, their notes sorted; −1 is the program of drums.

    Args:
        exact: round each onset to the grid of its own section (see `rounded`).
    """
    groups: dict[int, list[dict[str, np.ndarray]]] = {}
    for track in score.tracks:
        groups.setdefault(-1 if track.is_drum else track.program, []).append(track.notes.numpy())
    tpq, grid = score.ticks_per_quarter, parts[0].tpq
    found: list[tuple[np.ndarray, ...]] = []
    for program, members in groups.items():
        time, duration, pitch, velocity = (
            np.concatenate([notes[name] for notes in members]) if len(members) > 1 else members[0][name]
            for name in ("time", "duration", "pitch", "velocity")
        )
        held = drum_pitches if program == -1 else pitches
        time, duration = rescale(time, tpq, grid), rescale(duration, tpq, grid)
        if tpq != grid:
            duration = duration.clip(min=1)
        order = np.lexsort((velocity, pitch, duration, time)) if len(members) > 1 else np.argsort(time, kind="stable")
        order = order[(pitch[order] >= held.start) & (pitch[order] < held.stop)]
        if len(order):
            time = rounded(time[order], parts, exact=exact)
            found.append((time, np.full(len(order), program), pitch[order], velocity[order], duration[order]))
    if not found:
        empty = np.zeros(0, dtype=np.int64)
        return empty, empty, empty, empty, empty
    time, program, pitch, velocity, duration = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.argsort(time, kind="stable")
    return time[order], program[order], pitch[order].astype(np.int64), velocity[order], duration[order]


def rounded(time: np.ndarray, parts: list[Section], *, exact: bool, by_index: bool = False) -> np.ndarray:
    """Ascending onsets on the grids of their sections. The grids differ only where denominators do.

    Args:
        exact: by the section in which an onset lies. Otherwise as the published tokenizer does, which compares with the
            ends of sections so that an instrument without a later note falls into the next section.
        by_index: as the published tokenizer does with tempos: it takes ends in ticks for indices.
    """
    if len({part.rounding for part in parts}) == 1:
        return time
    merged = [part for i, part in enumerate(parts) if i == 0 or part.rounding != parts[i - 1].rounding]
    ends = [part.start for part in merged[1:]]
    time = time.copy()
    if exact:
        bounds = np.searchsorted(time, ends).tolist()
    elif by_index:
        bounds = ends
    else:
        bounds, first = [], 0
        for end in ends:
            first = int(np.argmax(time[first:] >= end)) if first < len(time) else 0
            bounds.append(first)
    for part, start, stop in zip(merged, [0, *bounds], [*bounds, None], strict=True):
        time[start:stop] = np.rint(time[start:stop] / part.rounding) * part.rounding
    return time


def gather_tempos(
    score: Any, parts: list[Section], tempos: np.ndarray, default: int, *, exact: bool
) -> tuple[np.ndarray, np.ndarray]:
    """(tick, index into `tempos`) of the tempo changes, the last of each tick; `default` at 0 if none is there.

    The nearest tempo is the one whose beat lasts most nearly as long.
    """
    if not len(score.tempos):
        return np.zeros(1, dtype=np.int64), np.array([default])
    held = score.tempos.numpy()
    order = np.argsort(held["time"], kind="stable")
    time = rescale(held["time"][order], score.ticks_per_quarter, parts[0].tpq)
    time = rounded(time, parts, exact=exact, by_index=not exact)
    lengths = 60e6 / tempos[::-1]
    index = len(tempos) - 1 - nearest(lengths, held["mspq"][order])
    last = np.append(time[1:] != time[:-1], True)
    time, index = time[last], index[last]
    if time[0] != 0:
        time, index = np.append(0, time), np.append(default, index)
    return time, index


def write_score(vocabulary: RemiVocabulary, ids: Sequence[int]) -> tuple[Any, int, int]:
    """(score, notes, tokens left out) of `ids`; see `RemiVocabulary.read`."""
    import symusic
    from symusic import Note, Tempo, TimeSignature

    from orchestrion.analysis.instruments import DRUMS, instrument_name

    v, lenient = vocabulary, vocabulary.quirks == "official"
    tpq = v.decoding_tpq
    size, table = len(v), v.table
    stream = [table[i] if 0 <= i < size else ("", 0) for i in ids]
    beats = {denominator: tpq * 4 // denominator for _, denominator in v.time_signatures}
    lengths = {beat: v.duration_ticks(beat).tolist() for beat in beats.values()}
    signature = _first_signature(stream, v)
    beat = beats[signature[1]]
    per_bar, grid, ticks = beat * signature[0], beat // v.resolution, lengths[beat]
    tempos, signatures = [], [TimeSignature(0, *signature)]
    notes: dict[int, list[tuple[int, int, int, int]]] = {}
    bar, bar_start, now, program, skipped = -1, 0, 0, 0, 0
    at, end, before = 0, len(stream), ""
    while at < end:
        kind, value = stream[at]
        at += 1
        if kind == "Bar":
            bar += 1
            bar_start = now = bar_start + per_bar if bar else now
        elif kind == "Position":
            bar = max(bar, 0)
            if lenient or value * grid < per_bar:
                now = bar_start + value * grid
            else:
                skipped += 1
        elif kind == "Program":
            program = value - 1
        elif kind == "Pitch" or kind == "PitchDrum":
            whole = at + 1 < end and stream[at][0] == "Velocity" and stream[at + 1][0] == "Duration"
            if whole and (lenient or (kind == "PitchDrum") == (program == -1)):
                low = v.drum_pitches.start if kind == "PitchDrum" else v.pitches.start
                velocity, length = stream[at][1], ticks[stream[at + 1][1]]
                notes.setdefault(program, []).append((now, length, value + low, int(v.velocities[velocity])))
                at += 2
            else:
                skipped += 1
        elif kind == "Tempo":
            tempos.append(Tempo(now, float(v.tempos[value])))
        elif kind == "TimeSig":
            if not lenient and before != "Bar":
                skipped += 1
            elif v.time_signatures[value] != signature:
                signature = v.time_signatures[value]
                beat = beats[signature[1]]
                per_bar, grid, ticks = beat * signature[0], beat // v.resolution, lengths[beat]
                if not lenient and signatures[-1].time == now:
                    signatures.pop()
                signatures.append(TimeSignature(now, *signature))
        elif kind not in ("PAD", "BOS", "EOS", "MASK"):
            skipped += 1
        before = kind
    score: Any = symusic.Score(tpq)
    for program, held in notes.items():
        drum = program == -1
        track: Any = symusic.Track(
            name=instrument_name(DRUMS if drum else program), program=max(program, 0), is_drum=drum
        )
        time, duration, pitch, velocity = (np.array(column, dtype=np.int32) for column in zip(*held, strict=True))
        track.notes = Note.from_numpy(time, duration, pitch.astype(np.int8), velocity.astype(np.int8))
        score.tracks.append(track)
    if not tempos or tempos[0].time:
        tempos.insert(0, Tempo(0, float(v.tempos[v.default_tempo])))
    tempos.sort(key=lambda tempo: tempo.time)
    score.tempos, score.time_signatures = tempos, signatures
    return score, sum(map(len, notes.values())), skipped


def _first_signature(stream: list[tuple[str, int]], v: RemiVocabulary) -> tuple[int, int]:
    """The time signature from which a piece begins: the first one that is written before any note."""
    for kind, value in stream:
        if kind == "TimeSig":
            return v.time_signatures[value]
        if kind in ("Pitch", "PitchDrum", "Velocity", "Duration"):
            break
    return COMMON
