"""The MIDI features of MidiCaps exactly as its pipeline computes them, quirks included (arXiv 2406.02255, pipeline.py).

`symbolic.features` is the analysis to use; this one reproduces the released rows. What it does differently:
instruments are ranked by the time between any two events of the same note, rests and lead-in included; a channel has
only its last program; tempo and metre are the first ones; a file without a program change has no instruments.
"""

from __future__ import annotations

import io
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrion.analysis.instruments import DRUMS, instrument_name
from orchestrion.errors import InputError
from orchestrion.theory.keys import PROFILES

if TYPE_CHECKING:
    import mido

MOST_PROGRAMS = 20  # with more, the pipeline gives no instruments at all
MOST_NAMES = 5
_DRUM_CHANNEL = 9
_KEEPS_ITS_NAME = range(112, 120)  # the percussive programs, on the drum channel
# the default of music21, the key finder of the pipeline
_AARDEN = dict(zip(("major", "minor"), PROFILES["aarden_essen"], strict=True))
_TONICS = {"major": "C C# D Eb E F F# G Ab A Bb B".split(), "minor": "C C# D Eb E F F# G G# A Bb B".split()}  # noqa: SIM905
_GRID = (4, 3)  # music21 rounds MIDI times to sixteenths or eighth triplets, whichever is nearer


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
    """Best correlation of the durations of pitch classes with the Aarden profiles, spelt as music21 spells it."""
    histogram = np.zeros(12)
    for track in file.tracks:
        tick, started = 0, {}
        for message in track:
            tick += message.time
            if message.type not in ("note_on", "note_off") or message.channel == _DRUM_CHANNEL:
                continue
            note = (message.channel, message.note)
            if message.type == "note_on" and message.velocity > 0:
                started.setdefault(note, tick)
            elif note in started:
                histogram[message.note % 12] += _on_grid((tick - started.pop(note)) / file.ticks_per_beat)
    centred = histogram - histogram.mean()
    if not centred.any():
        return None
    best = (-2.0, "")
    for mode, profile in _AARDEN.items():
        weights = np.asarray(profile) - np.mean(profile)
        for tonic in range(12):
            score = float(centred @ np.roll(weights, tonic) / np.sqrt((centred**2).sum() * (weights**2).sum()))
            best = max(best, (score, f"{_TONICS[mode][tonic]} {mode}"))
    return best[1]


def _on_grid(quarters: float) -> float:
    return min((round(quarters * parts) / parts for parts in _GRID), key=lambda value: abs(value - quarters))
