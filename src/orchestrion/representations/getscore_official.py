"""The published preprocessing of GETMusic, event by event, with what is odd about it.

Needed to train on the same grids as the authors, and to give an original checkpoint the input it was trained on. What
it does otherwise than `representations.getscore_windows`: chords stand one bar late, the last event of a window can be
lost, its tempo can be 0, and only 4/4 is served.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from orchestrion.errors import InputError
from orchestrion.representations.getscore import (
    CHORD_ROW,
    DRUM_OFFSET,
    DURATIONS,
    KINDS,
    LETTERS,
    PROGRAMS,
    ROOTS,
    ROWS,
    TRACKS,
    GetVocabulary,
    duration_code,
)  # fmt: skip
from orchestrion.theory.chord_hmm import best_path, pitch_vectors
from orchestrion.theory.keys import SCALES

BAR = 16  # columns
BARS = 32
MAX_POSITION = 2**16
CHORD_PROGRAM = 129
COMMON_TIME = 6  # id of 4/4
WINDOW, STRIDE = 1024, 683  # events
DEFAULT_TEMPO = 67  # of an inference grid whose lead is silent
DECODED_VELOCITY_CODES = (28, 24, 24, 20, 24, 12)
KEY_PROFILE = np.array(
    [[1 if (c - tonic) % 12 in scale else -1 for c in range(12)] for scale in SCALES.values() for tonic in range(12)]
)
"""[24, 12] whether a pitch class belongs to a scale: twelve major ones, then twelve minor ones."""


class Event(NamedTuple):
    """A note (program 128: drums, pitch + 128) or a chord (program 129: pitch is the root, duration the kind)."""

    bar: int
    position: int
    program: int
    pitch: int
    duration: int
    velocity: int
    time_signature: int
    tempo: int


class TickNote(NamedTuple):
    """A note in ticks; program 128 is the drum kit."""

    program: int
    start: int
    end: int
    pitch: int
    velocity: int


def tempo_bin(bpm: float) -> int:
    """12 · log2(bpm / 16), rounded, with bpm held within 16 and 256."""
    return round(math.log2(min(max(bpm, 16), 256) / 16) * 12)


def bin_tempo(number: int) -> float:
    """The bpm of a bin; the published inference script rounds it down."""
    return 2 ** (number / 12) * 16


def velocity_code(velocity: int) -> int:
    """Four velocities share a code."""
    return velocity // 4


def code_velocity(code: int) -> int:
    """The third of the four velocities of a code."""
    return code * 4 + 2


def reduce_time_signature(numerator: int, denominator: int) -> tuple[int, int]:
    """Halves both while the denominator is above 64, then divides the numerator until a bar is not longer than a whole
    note."""
    while denominator > 64 and denominator % 2 == 0 and numerator % 2 == 0:
        numerator, denominator = numerator // 2, denominator // 2
    while numerator > denominator:
        numerator //= next(n for n in range(2, numerator + 1) if numerator % n == 0)
    return numerator, denominator


def time_signature_id(numerator: int, denominator: int) -> int:
    """Place in the list 1/1, 1/2, 2/2, 1/4 … 64/64.

    Raises:
        ValueError: it is not in the list.
    """
    if denominator not in (1, 2, 4, 8, 16, 32, 64) or not 1 <= numerator <= denominator:
        raise ValueError(f"the time signature {numerator}/{denominator} has no id")
    return denominator - 1 + numerator - 1


def encode(notes: Iterable[TickNote], ticks_per_quarter: int, bpm: float) -> list[Event]:
    """Notes of a piece in 4/4 with one tempo as sorted events, not yet moved to another key."""
    events = []
    tempo = tempo_bin(bpm)
    for note in notes:
        start, end = (round(tick * 4 / ticks_per_quarter) for tick in (note.start, note.end))
        if start < MAX_POSITION:
            pitch = note.pitch + (DRUM_OFFSET if note.program == DRUM_OFFSET else 0)
            length, velocity = duration_code(end - start), velocity_code(note.velocity)
            events.append(Event(start // BAR, start % BAR, note.program, pitch, length, velocity, COMMON_TIME, tempo))
    return sorted(events)


class NormalisedKey(NamedTuple):
    """Events in C major or A minor, whether it is major, and the semitones added (drums are not moved)."""

    events: list[Event]
    major: bool
    shift: int


def normalise_key(events: Sequence[Event]) -> NormalisedKey:
    """Moves a piece to C major (down by up to 11 semitones) or A minor (up by 9 to down by 2).

    The histogram of pitch classes, weighted by duration code × velocity code, is compared with the scales of the twelve
    keys; a major scale and its relative minor tie, and the heavier tonic decides.
    """
    notes = [event for event in events if event.program < DRUM_OFFSET]
    if not notes:
        return NormalisedKey(list(events), True, 0)
    histogram = np.zeros(12)
    for note in notes:
        histogram[note.pitch % 12] += note.duration * note.velocity
    major, shift = key_shift(histogram)
    moved = [e._replace(pitch=e.pitch + shift) if e.program != DRUM_OFFSET else e for e in events]
    return NormalisedKey(moved, major, shift)


def key_shift(histogram: np.ndarray) -> tuple[bool, int]:
    """Whether a weighted histogram of pitch classes is taken for major, and the semitones added.

    Of the rows of `KEY_PROFILE` that fit best, only the first two are looked at: the second is chosen, and called
        minor, where its tonic
    is heavier. Where two major scales tie, the first two are no relatives.
    """
    total = histogram.sum()
    weights = histogram / total if total else histogram
    scores = KEY_PROFILE @ weights
    first, second = np.flatnonzero(scores == scores.max())[:2]
    key = int(second if weights[first] < weights[second % 12] else first)
    return key == first, -key if key < 12 else 21 - key


def late_chords(events: Sequence[Event], *, programs: Collection[int] | None = None) -> list[int]:
    """Chords a bar, by `theory.chord_hmm`'s index, one bar late: the first frame is the silence before the piece.

    Args:
        programs: whose notes count; all but the drums by default.
    """
    notes = [e for e in events if 0 <= e.pitch < 128 and (programs is None or (e.program in programs and e.pitch > 0))]
    if not notes:
        return []
    starts = np.array([e.bar * BAR + e.position for e in notes])
    ends = starts + [DURATIONS[e.duration] for e in notes]
    frames = round(int(ends.max()) // BAR + 0.5)  # Python rounds halves to even: every other piece ends a bar early
    if frames <= 0:
        return []
    return best_path(pitch_vectors(starts, ends, [e.pitch for e in notes], np.arange(frames) * BAR)).tolist()


def add_chords(events: Sequence[Event], chords: Sequence[int], *, skip_missing: bool) -> list[Event]:
    """Events with one chord event a bar.

    Raises:
        InputError: a bar has no chord and `skip_missing` is false, as preprocessing for training has it.
    """
    added = []
    for bar, chord in enumerate(chords):
        if chord == 0:
            if not skip_missing:
                raise InputError(
                    f"No chord was found in bar {bar + 1}; the published preprocessing refuses such a piece."
                )
            continue
        root, kind = divmod(chord - 1, len(KINDS))
        added.append(Event(bar, 0, CHORD_PROGRAM, root, kind, 0, COMMON_TIME, 0))
    return sorted([*events, *added])


def windows(events: Sequence[Event]) -> list[list[Event]]:
    """Windows of 1024 events, 683 apart, bars counted from their first, cut at 32 bars; those with a lead, chords and
    another track."""
    found = []
    for start in range(0, len(events), STRIDE):
        part = events[start : start + WINDOW]
        first = part[0].bar
        window = []
        for event in part:
            if event.bar - first >= BARS:
                break
            window.append(event._replace(bar=event.bar - first))
        if len(window) < 2:
            return []  # the published code then refuses the whole piece
        programs = {event.program for event in window}
        if {PROGRAMS[0], CHORD_PROGRAM} <= programs and programs & set(PROGRAMS[1:]):
            found.append(window)
    return found


def training_events(notes: Iterable[TickNote], ticks_per_quarter: int, bpm: float) -> list[Event]:
    """`encode`, key normalisation and chords as for training."""
    events = normalise_key(encode(notes, ticks_per_quarter, bpm)).events
    return add_chords(events, late_chords(events), skip_missing=False)


class _Group(NamedTuple):
    event: Event
    pitches: tuple[int, ...]


def _groups(events: Sequence[Event], *, skip_others: bool) -> Iterable[_Group]:
    """Chord events and groups of notes that begin together. The last event is lost where it is a group of its own."""
    index = 0
    while index < len(events) - 1:
        event = events[index]
        if event.program == CHORD_PROGRAM:
            yield _Group(event, ())
            index += 1
            continue
        pitches, after = [event.pitch], len(events) - 1
        for number in range(index + 1, len(events)):
            if events[number][:3] != event[:3]:
                after = number
                break
            if events[number].pitch != pitches[-1]:
                pitches.append(events[number].pitch)
        index = after
        if event.program in PROGRAMS or not skip_others:
            yield _Group(event, tuple(pitches))


def count_groups(found: Iterable[Sequence[Event]]) -> list[Counter[tuple[int, ...]]]:
    """Groups of two and more pitches by track in windows, for `GetVocabulary.build`; drums without offset."""
    counts: list[Counter[tuple[int, ...]]] = [Counter() for _ in TRACKS]
    for window in found:
        for group in _groups(window, skip_others=True):
            if len(group.pitches) > 1 and group.event.program != PROGRAMS[0]:
                track = PROGRAMS.index(group.event.program)
                counts[track][tuple(p - GetVocabulary.offset(track) for p in group.pitches)] += 1
    return counts


def printed_ranges(vocabulary: GetVocabulary, counts: Sequence[Counter[tuple[int, ...]]]) -> list[tuple[int, int]]:
    """First and last pitch id of each track as the published script prints them for the configuration. A track of which
    no group was counted is taken to be longer than it is, by its number after the bass."""
    found, first = [], vocabulary.pad + 1
    for track, size in enumerate(vocabulary.track_sizes):
        counted = size if track == 0 or any(counts[track].values()) else size + track - 1
        found.append((first, first + counted - 1))
        first += counted
    return found


def _write(grid: np.ndarray, group: _Group, vocabulary: GetVocabulary) -> bool:
    event = group.event
    column = event.bar * BAR + event.position
    if event.program == CHORD_PROGRAM:
        root, kind = vocabulary.chord_ids(event.pitch, event.duration)
        grid[CHORD_ROW, column : column + BAR], grid[CHORD_ROW + 1, column : column + BAR] = root, kind
        return False
    track = PROGRAMS.index(event.program)
    token = vocabulary.ids.get(LETTERS[track] + " ".join(map(str, group.pitches)))
    if token is None:
        return False
    grid[2 * track, column], grid[2 * track + 1, column] = token, max(event.duration, 1) - 1
    return True


def training_grid(window: Sequence[Event], vocabulary: GetVocabulary) -> np.ndarray | None:
    """[14, 513] ids of a window; column 512 holds the tempo. None where the published code refuses the window."""
    grid = np.full((ROWS, BARS * BAR + 1), vocabulary.pad)
    heard: set[int] = set()
    event = window[0]
    for group in _groups(window, skip_others=False):
        event = group.event
        if event.program != CHORD_PROGRAM and event.tempo == 0:
            return None
        if event.program not in (*PROGRAMS, CHORD_PROGRAM):
            raise InputError(f"A training window holds program {event.program}; only {PROGRAMS} are served.")
        if _write(grid, group, vocabulary):
            heard.add(PROGRAMS.index(event.program))
    if 0 not in heard or len(heard) < 2:
        return None
    for track in set(range(len(TRACKS))) - heard:
        grid[2 * track : 2 * track + 2] = vocabulary.empty
    grid[:, event.bar * BAR + event.position + 1 :] = vocabulary.empty
    grid[:, -1] = event.tempo
    return grid


@dataclass(frozen=True, slots=True)
class InferenceGrid:
    """What the published track generation hands to the network: ids [14, columns], which cells are sources and which
    not EMPTY, the tempo bin of the lead, and whether every source row holds something."""

    grid: np.ndarray
    source: np.ndarray
    not_empty: np.ndarray
    tempo: int
    complete: bool


def inference_events(
    notes: Iterable[TickNote],
    ticks_per_quarter: int,
    bpm: float,
    *,
    with_chords: bool = True,
    chord_programs: Collection[int] = tuple(p for p in PROGRAMS if p != DRUM_OFFSET),
) -> NormalisedKey:
    """Events of a piece as the published generation script makes them, and how they were moved."""
    key = normalise_key(encode(notes, ticks_per_quarter, bpm))
    if not with_chords:
        return key
    return key._replace(
        events=add_chords(key.events, late_chords(key.events, programs=chord_programs), skip_missing=True)
    )


def inference_grid(
    events: Sequence[Event], sources: Sequence[bool], targets: Sequence[bool], vocabulary: GetVocabulary
) -> InferenceGrid:
    """The grid of at most 512 columns with MASK in the targets; tracks that are neither are EMPTY.

    Args:
        sources, targets: flags of the six tracks and the chords. Where the chords are no source their events are not
            there at all, and the last of them does not make the grid longer.
    """
    if not sources[-1]:
        events = [event for event in events if event.program != CHORD_PROGRAM]
    columns = events[-1].bar * BAR + events[-1].position + 1
    grid = np.full((ROWS, columns), vocabulary.pad)
    tempo = tempo_bin(DEFAULT_TEMPO)
    for group in _groups(events, skip_others=False):
        tempo = group.event.tempo if group.event.program == PROGRAMS[0] else tempo
        program = group.event.program
        if program == CHORD_PROGRAM or (program in PROGRAMS and group.event.duration > 0):
            _write(grid, group, vocabulary)
    empty = np.repeat([not s and not t for s, t in zip(sources, targets, strict=True)], 2)
    given = np.repeat(np.asarray(sources, bool), 2) & ~empty
    grid[empty] = vocabulary.empty
    grid[~empty & ~given] = vocabulary.mask
    grid = grid[:, : BARS * BAR]
    bare = np.isin(grid, (vocabulary.pad, vocabulary.empty)).all(1)
    source = np.repeat(given[:, None], grid.shape[1], 1)
    return InferenceGrid(grid, source, grid != vocabulary.empty, tempo, not bool((given & bare).any() and given[-1]))


def decode_events(grid: np.ndarray, vocabulary: GetVocabulary, *, shift: int, tempo: int) -> list[Event]:
    """Events of a sampled grid in the key of the source: a note where both cells of a track hold something, and a chord
    in every column that has one. Sorted as the published code sorts them, with pitches and durations as text."""
    events = []
    for column in range(grid.shape[1]):
        bar, position = divmod(column, BAR)
        for track, program in enumerate(PROGRAMS):
            pitch, length = int(grid[2 * track, column]), int(grid[2 * track + 1, column])
            first, last = vocabulary.track_range(track)
            if first <= pitch <= last and length < vocabulary.pad:
                for tone in vocabulary.pitches[pitch]:
                    named = tone + vocabulary.offset(track)
                    velocity = DECODED_VELOCITY_CODES[track]
                    events.append(Event(bar, position, program, named, length + 1, velocity, COMMON_TIME, tempo))
        root, kind = (
            int(grid[CHORD_ROW, column]) - vocabulary.roots,
            int(grid[CHORD_ROW + 1, column]) - vocabulary.kinds,
        )
        if 0 <= root < len(ROOTS) and 0 <= kind < len(KINDS):
            events.append(Event(bar, position, CHORD_PROGRAM, root, kind, 1, COMMON_TIME, tempo))
    events.sort(key=lambda e: (e.bar, e.position, e.program, str(e.pitch), str(e.duration)))
    return [e._replace(pitch=e.pitch - shift) if e.program < DRUM_OFFSET else e for e in events]


def to_ticks(events: Iterable[Event], ticks_per_quarter: int = 480) -> list[TickNote]:
    """Notes of events in ticks; chords are left out, and so are notes below pitch 0."""
    step = ticks_per_quarter // 4
    notes = []
    for event in events:
        pitch = event.pitch - (DRUM_OFFSET if event.program == DRUM_OFFSET else 0)
        if event.program != CHORD_PROGRAM and pitch >= 0:
            start = (event.bar * BAR + event.position) * step
            length = max(DURATIONS[event.duration] * step, 1)
            notes.append(TickNote(event.program, start, start + length, pitch, code_velocity(event.velocity)))
    return notes
