"""A melody over chords as events on a grid of sixteenths (Guo et al. 2021, arXiv 2102.09794, section III).

An event is a note, a rest, or the continuation of either. It is cut at bar lines and where the chord changes, so that
durations between two bar flags add up to a bar, and every event has one chord.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from orchestrion.errors import InputError, check_choice
from orchestrion.theory.chords import NO_CHORD, Chord, ChordSpan
from orchestrion.theory.harmony import MelodyNote

STEPS = 4  # a quarter note
LONGEST = 16  # sixteenths of an event, a bar of 4/4
BARS, CHORDS, DURATIONS, NOTES = 2, 49, 16, 130
REST, SUSTAIN, FIRST_PITCH = 0, 1, 2  # classes of the note field
FOREIGN = {2: REST, 3: SUSTAIN}  # MIDI 0 and 1, which the published code reads as rest and sustain; never written
MODES = ("maj", "min", "7", "dim")
WIDTH = BARS + CHORDS + DURATIONS + NOTES
A = 9  # the pitch class that the classes of chords begin at


@dataclass(frozen=True, slots=True)
class Event:
    """One event: whether a bar begins, the class of its chord (`chord_class`), sixteenths, and its note class."""

    bar: bool
    chord: int
    duration: int
    note: int


def chord_class(chord: Chord) -> int:
    """0 for no chord, else 1 + 4 · root + mode; roots count from A, modes are `MODES`, the nearest for other chords."""
    if chord.root is None:
        return 0
    return 1 + 4 * ((chord.root - A) % 12) + MODES.index(_mode(chord.quality))


def class_chord(number: int) -> Chord:
    """The chord of a class."""
    if number == 0:
        return NO_CHORD
    root, mode = divmod(number - 1, 4)
    return Chord((root + A) % 12, MODES[mode])


def _mode(quality: str) -> str:
    if quality in MODES:
        return quality
    if quality in ("dim7", "hdim7"):
        return "dim"
    if quality.startswith("min"):
        return "min"
    if quality in ("9", "11", "13", "7sus4", "7b9", "7#9", "7b5", "aug7"):
        return "7"
    return "maj"


def cut_melody(
    notes: Sequence[MelodyNote], chords: Sequence[ChordSpan], *, quarters: float, bar: int = LONGEST
) -> list[Event]:
    """The events of `quarters` quarter notes of a melody of one line, in bars of `bar` sixteenths.

    Args:
        notes: in order; onsets from 0.
        chords: spans in quarters; where there is none, there is no chord.

    Raises:
        InputError: a note lies off the grid of sixteenths, or on another note.
    """
    end = round(quarters * STEPS)
    lines: list[tuple[int, int, int]] = []
    for note in notes:
        start, stop = (_on_grid(time) for time in (note.onset, note.onset + note.duration))
        if start >= end:
            continue
        last = lines[-1][1] if lines else 0
        if start < last:
            raise InputError(f"The note at quarter {note.onset:g} begins before the one before it ends; give one line.")
        if start > last:
            lines.append((last, start, REST))
        if stop > start:
            lines.append((start, min(stop, end), note.pitch + FIRST_PITCH))
    last = lines[-1][1] if lines else 0
    if last < end:
        lines.append((last, end, REST))
    changes = _changes(chords, end)
    events = []
    for start, stop, note in lines:
        position, kind = start, note
        while position < stop:
            border = (position // bar + 1) * bar
            change = next((at for at, _ in changes if at > position), end)
            piece = min(stop, border, change, position + LONGEST)
            chord = next(number for at, number in reversed(changes) if at <= position)
            events.append(Event(position % bar == 0, chord, piece - position, kind))
            position, kind = piece, SUSTAIN
    return events


def _on_grid(time: float) -> int:
    steps = Fraction(time).limit_denominator(96) * STEPS
    if steps.denominator != 1:
        raise InputError(f"The melody has a note at quarter {time:g}, off the grid of sixteenths; quantise it.")
    return int(steps)


def chord_steps(chords: Sequence[ChordSpan], sixteenths: int) -> Int[np.ndarray, " sixteenths"]:
    """The class of the chord at each sixteenth."""
    classes = np.zeros(sixteenths, np.int64)
    for span in chords:
        classes[max(round(span.start * STEPS), 0) : max(round(span.end * STEPS), 0)] = chord_class(span.chord)
    return classes


def _changes(chords: Sequence[ChordSpan], end: int) -> list[tuple[int, int]]:
    """(sixteenth, class) of each change of chord, from 0."""
    classes = chord_steps(chords, max(end, 1))
    places = [0, *(np.flatnonzero(np.diff(classes)) + 1).tolist()]
    return [(place, int(classes[place])) for place in places]


@dataclass(frozen=True, slots=True)
class Lead:
    """A melody and its chords, times in quarters."""

    melody: tuple[MelodyNote, ...]
    chords: tuple[ChordSpan, ...]
    quarters: float


def join_events(events: Iterable[Event]) -> Lead:
    """The melody and chords of events: continuations are joined to what they continue, equal chords to one."""
    notes: list[MelodyNote] = []
    chords: list[ChordSpan] = []
    time, sounding = 0.0, False
    for event in events:
        length = event.duration / STEPS
        if event.note == SUSTAIN and sounding:
            last = notes[-1]
            notes[-1] = MelodyNote(last.onset, last.duration + length, last.pitch)
        elif event.note not in (REST, SUSTAIN):
            notes.append(MelodyNote(time, length, event.note - FIRST_PITCH))
            sounding = True
        else:
            sounding = False
        chord = class_chord(event.chord)
        if chords and chords[-1].chord == chord:
            chords[-1] = ChordSpan(chords[-1].start, time + length, chord)
        else:
            chords.append(ChordSpan(time, time + length, chord))
        time += length
    return Lead(tuple(notes), tuple(chords), time)


def to_rows(events: Sequence[Event]) -> Float[np.ndarray, "events 197"]:
    """One-hot rows: bar | chord | duration | note."""
    classes = to_classes(events)
    rows = np.zeros((len(events), WIDTH), np.float32)
    for column, offset in enumerate(np.cumsum((0, BARS, CHORDS, DURATIONS)).tolist()):
        rows[np.arange(len(events)), offset + classes[:, column]] = 1.0
    return rows


def to_classes(events: Sequence[Event]) -> Int[np.ndarray, "events 4"]:
    """The classes of bar, chord, duration (sixteenths − 1) and note."""
    return np.array([[int(e.bar), e.chord, e.duration - 1, e.note] for e in events], np.int64).reshape(-1, 4)


def from_classes(classes: Int[np.ndarray, "events 4"]) -> list[Event]:
    """The inverse of `to_classes`."""
    return [Event(bool(bar), int(chord), int(length) + 1, int(note)) for bar, chord, length, note in classes]


def elapsed_classes(
    bar: Int[np.ndarray, " events"],
    duration: Int[np.ndarray, " events"],
    *,
    longest: int = LONGEST,
    quirks: str = "none",
) -> Int[np.ndarray, " events"]:
    """What has passed of the bar before each event but the first, and after the last, as a class of durations.

    Entry t counts from the last bar flag among the events up to t, that event included; without one, from the first
    event. More than a bar counts as one, as the published generation has it (its training stops there).

    Args:
        bar: flags; duration: classes (sixteenths − 1).
        quirks: "official" adds what the last flag and those after it last, as long as there has been no flag: the
            published search for one goes on at the end of the window.

    Raises:
        OptionError: the quirks are unknown.
    """
    check_choice("quirks", quirks, "none", "official")
    found, passed = [], 0
    if quirks == "official" and bar.any():
        passed = int((duration[np.flatnonzero(bar)[-1] :] + 1).sum())
    for flag, length in zip(bar.tolist(), duration.tolist(), strict=True):
        passed = (0 if flag else passed) + length + 1
        found.append(min(passed, longest) - 1)
    return np.array(found, np.int64)


def bar_lengths(events: Sequence[Event]) -> list[int]:
    """Sixteenths from each bar flag to the next; what comes before the first and after the last is not counted."""
    flags = [number for number, event in enumerate(events) if event.bar]
    return [sum(event.duration for event in events[first:last]) for first, last in pairwise(flags)]


def success_bar_ratio(lengths: Sequence[int], *, quirks: str = "none", bar: int = LONGEST) -> float:
    """Share of bars that last exactly `bar` sixteenths (the paper's success-bar ratio); NaN without bars.

    Args:
        lengths: of `bar_lengths`, of one melody or of many.
        quirks: "official" counts every multiple of a bar, as the published script does.
    """
    good = [length % bar == 0 if quirks == "official" else length == bar for length in lengths]
    return sum(good) / len(good) if good else float("nan")
