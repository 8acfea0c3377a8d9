"""The MIDI features of MidiCaps exactly as its pipeline computes them, quirks included (arXiv 2406.02255, pipeline.py).

`symbolic.features` is the analysis to use; this one reproduces the released rows. What it does differently:
instruments are ranked by the time between any two events of the same note, rests and lead-in included; a channel has
only its last program; tempo and metre are the first ones; a file without a program change has no instruments.
"""

from __future__ import annotations

import io
from collections import defaultdict
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from orchestrion.analysis.instruments import DRUMS, instrument_name
from orchestrion.analysis.music21_keys import MARKS, TickNote, music21_best, music21_histogram, music21_scores
from orchestrion.errors import InputError
from orchestrion.theory.keys import ALL_KEYS

if TYPE_CHECKING:
    import mido

MOST_PROGRAMS = 20  # with more, the pipeline gives no instruments at all
MOST_NAMES = 5
_DRUM_CHANNEL = 9
_KEEPS_ITS_NAME = range(112, 120)  # the percussive programs, on the drum channel
_TONICS = {"major": "C C# D Eb E F F# G Ab A Bb B".split(), "minor": "C C# D Eb E F F# G G# A Bb B".split()}  # noqa: SIM905


@dataclass(frozen=True, slots=True)
class PublishedFeatures:
    """One row's MIDI features. `tempo` is None where the file sets none (the pipeline fails there)."""

    sorted_instruments: tuple[int, ...]
    mapped_instruments: tuple[str, ...]
    mapped_instruments_summary: tuple[str, ...]
    key: str | None
    time_signature: str  # 4/4 where the file has none
    tempo: int | None  # bpm, rounded half to even
    tempo_exact: float | None
    duration: int  # seconds, rounded half to even
    duration_exact: float


def published_features(midi: bytes) -> PublishedFeatures:
    """Features of a MIDI file given as bytes.

    Raises:
        InputError: it is no MIDI file that can be read.
    """
    import mido

    try:
        file = mido.MidiFile(file=io.BytesIO(midi))
    except (OSError, EOFError, ValueError, IndexError, KeyError) as error:
        raise InputError(
            f"The MIDI data cannot be read ({error or type(error).__name__}): give a standard MIDI file."
        ) from error
    tempo = _first(file, "set_tempo")
    metre = _first(file, "time_signature")
    exact = None if tempo is None else 60e6 / tempo.tempo
    programs = _programs_by_prominence(file)
    names = tuple(instrument_name(program) for program in programs)
    return PublishedFeatures(
        sorted_instruments=tuple(programs),
        mapped_instruments=names,
        mapped_instruments_summary=tuple(dict.fromkeys(names))[:MOST_NAMES],
        key=_key(file),
        time_signature="4/4" if metre is None else f"{metre.numerator}/{metre.denominator}",
        tempo=None if exact is None else round(exact),
        tempo_exact=exact,
        duration=round(file.length),
        duration_exact=file.length,
    )


def _first(file: mido.MidiFile, kind: str) -> Any:  # a MetaMessage, whose attributes depend on its kind
    return next((message for track in file.tracks for message in track if message.type == kind), None)


def _programs_by_prominence(file: mido.MidiFile) -> list[int]:
    programs: dict[int, int] = {}
    total: dict[int, int] = defaultdict(int)
    last: dict[tuple[int, int], int] = defaultdict(int)
    for track in file.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "program_change":
                program = message.program
                programs[message.channel] = (
                    DRUMS if message.channel == _DRUM_CHANNEL and program not in _KEEPS_ITS_NAME else program
                )
            elif message.type in ("note_on", "note_off"):
                note = (message.channel, message.note)
                total[message.channel] += tick - last[note]
                last[note] = tick
    if not programs:
        return []
    for channel in total:
        programs.setdefault(channel, DRUMS if channel == _DRUM_CHANNEL else 0)
    if len(programs) > MOST_PROGRAMS:
        return []
    return [programs[channel] for channel in sorted(programs, key=lambda channel: -total[channel])]


def _key(file: mido.MidiFile) -> str | None:
    """The key that music21 finds, spelt as it spells it: B minor for drums that play chords, None without music."""
    tracks = [_notes(track) for track in file.tracks]
    histogram = music21_histogram(tracks, file.ticks_per_beat, marks=[_marks(track) for track in file.tracks])
    if histogram is None:
        return None
    best = ALL_KEYS[music21_best(music21_scores(histogram))]
    return f"{_TONICS[best.mode][best.tonic]} {best.mode}"


def _notes(track: mido.MidiTrack) -> list[TickNote]:
    """Notes in the order of their starts, each up to the next off of its pitch; without one it is none."""
    tick = sum(message.time for message in track)
    ends: dict[tuple[int, int], int] = {}
    found = []
    for message in reversed(track):
        if message.type == "note_on" and message.velocity > 0:
            if (message.channel, message.note) in ends:
                end = ends[message.channel, message.note]
                found.append(TickNote(tick, end, message.note, message.channel == _DRUM_CHANNEL))
        elif message.type in ("note_on", "note_off"):
            ends[message.channel, message.note] = tick
        tick -= message.time
    return found[::-1]


def _marks(track: mido.MidiTrack) -> set[int]:
    ticks = accumulate(message.time for message in track)
    return {tick for tick, message in zip(ticks, track, strict=True) if message.type in MARKS}
