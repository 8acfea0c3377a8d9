"""Plays one track of notes with a SoundFont: velocities, release, sustain pedal, volume, expression, pan, pitch bends.

The synthesiser of symusic plays every note equally loud, knows no controllers and cuts each note at its end, so notes
are played here, from its scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from orchestrion.media.soundfont import SoundFont, Zone
from orchestrion.media.voice import audible_samples, level, release_curve, volume_envelope, wave

if TYPE_CHECKING:
    from orchestrion.media.timeline import Timeline

VOLUME, PAN, EXPRESSION, SUSTAIN = 7, 10, 11, 64  # MIDI controllers
DEFAULT_CONTROL = {VOLUME: 100, PAN: 64, EXPRESSION: 127}
BEND_RANGE = 2.0  # semitones, the default of the MIDI standard
MOST_VOICES = 64  # of one track at once; the oldest is released for a new one, as synthesisers do
LONGEST_DRUM = 4.0  # seconds; drums ring on after their note has ended
CHOKE = 0.03  # seconds in which a closed hi-hat ends an open one
CONTROL_STEP = 64  # samples between two values of a moving controller


@dataclass(frozen=True, slots=True)
class Notes:
    """Notes of one track; starts and ends in samples, ends with the pedal counted in."""

    starts: Int[np.ndarray, " n"]
    ends: Int[np.ndarray, " n"]
    keys: Int[np.ndarray, " n"]
    velocities: Int[np.ndarray, " n"]


def track_notes(track: Any, timeline: Timeline, rate: int) -> Notes:
    """The notes of a symusic track, in the order of their starts."""
    columns = track.notes.numpy()
    order = np.lexsort((columns["pitch"], columns["time"]))
    time, duration = columns["time"][order].astype(np.int64), columns["duration"][order].astype(np.int64)
    velocities, keys = columns["velocity"][order].astype(np.int64), columns["pitch"][order].astype(np.int64)
    sounds = (velocities > 0) & (time >= 0) & (duration >= 0)
    time, duration, velocities, keys = time[sounds], duration[sounds], velocities[sounds], keys[sounds]
    ends = _held_by_pedal(track, time + duration)
    starts_at = np.round(timeline.tick_to_second(time) * rate).astype(np.int64)
    ends_at = np.round(timeline.tick_to_second(ends) * rate).astype(np.int64)
    ends_at = np.maximum(ends_at, starts_at + rate // 100)
    return Notes(starts_at, _limit_voices(starts_at, ends_at), keys, np.minimum(velocities, 127))


def _held_by_pedal(track: Any, ends: np.ndarray) -> np.ndarray:
    spans = [(pedal.time, pedal.time + pedal.duration) for pedal in track.pedals]
    down = None
    for control in track.controls:
        if control.number == SUSTAIN and control.value >= 64 and down is None:
            down = control.time
        elif control.number == SUSTAIN and control.value < 64 and down is not None:
            spans.append((down, control.time))
            down = None
    held = ends.copy()
    for begin, end in spans:
        held = np.where((ends >= begin) & (ends < end), np.maximum(held, end), held)
    return held


def _limit_voices(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    sounding = np.arange(1, len(starts) + 1) - np.searchsorted(np.sort(ends), starts, side="right")
    if not len(starts) or sounding.max() <= MOST_VOICES:
        return ends
    limited = ends.copy()
    active: list[int] = []
    for number, start in enumerate(starts):
        active = [one for one in active if limited[one] > start]
        if len(active) >= MOST_VOICES:
            oldest = active.pop(0)
            limited[oldest] = max(start, starts[oldest] + 1)
        active.append(number)
    return limited


def play_track(
    track: Any, timeline: Timeline, soundfont: SoundFont, *, rate: int, n_samples: int
) -> Float[np.ndarray, "2 samples"]:
    """The sound of one track, not normalised; controllers hold as in MIDI, pan on top of the SoundFont's own.

    Args:
        n_samples: length of the result; what sounds longer fades with it.
    """
    out = np.zeros((2, n_samples), np.float32)
    notes = track_notes(track, timeline, rate)
    bends = _bend_table(track, timeline, rate)
    voices = _voices(notes, soundfont.zones(track.program, is_drum=track.is_drum), bool(track.is_drum), rate)
    for (key, zone), members in voices.items():
        _play_key(out, soundfont, zone, key, members, rate, bends)
    _apply_controls(out, track, timeline, rate)
    return out


Voice = tuple[int, int, float, bool]  # start, end, amplitude, whether it is choked


def _voices(notes: Notes, zones: tuple[Zone, ...], is_drum: bool, rate: int) -> dict[tuple[int, Zone], list[Voice]]:
    """The notes that each zone plays, by key. Zones of one exclusive class end each other (section 8.1.2, no. 57)."""
    grouped: dict[tuple[int, Zone], list[Voice]] = {}
    serving: dict[tuple[int, int], list[Zone]] = {}
    last: dict[int, list[tuple[tuple[int, Zone], int]]] = {}
    for start, end, key, velocity in zip(*map(np.ndarray.tolist, _columns(notes)), strict=True):
        if (key, velocity) not in serving:
            serving[key, velocity] = [zone for zone in zones if zone.serves(key, velocity)]
        for zone in serving[key, velocity]:
            group = grouped.setdefault((key, zone), [])
            held = max(end, start + int(LONGEST_DRUM * rate)) if is_drum and not _loops(zone) else end
            if choking := zone.values["exclusive"]:
                _choke(grouped, last.setdefault(choking, []), start)
                last[choking].append(((key, zone), len(group)))
            strength = zone.values["fixed_velocity"] if zone.values["fixed_velocity"] > 0 else velocity
            group.append((start, held, (strength / 127) ** 2 * level(zone), False))
    return grouped


def _choke(
    grouped: dict[tuple[int, Zone], list[Voice]], sounding: list[tuple[tuple[int, Zone], int]], start: int
) -> None:
    rest = []
    for place, number in sounding:
        begin, end, amplitude, _ = grouped[place][number]
        if begin == start:  # struck together, such as both sides of a stereo sample
            rest.append((place, number))
        elif end > start:
            grouped[place][number] = (begin, start, amplitude, True)
    sounding[:] = rest


def _columns(notes: Notes) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    return notes.starts, notes.ends, notes.keys, notes.velocities


def _loops(zone: Zone) -> bool:
    return bool(zone.values["sample_modes"] & 1)


def _play_key(
    out: np.ndarray, soundfont: SoundFont, zone: Zone, key: int, voices: list[Voice], rate: int, bends: np.ndarray
) -> None:
    """Adds all notes of one key: the sample is computed once, unless pitch bends move it."""
    release = release_curve(zone, rate)
    choke = np.linspace(1, 0, int(CHOKE * rate), dtype=np.float32)
    longest = max(end - start for start, end, _, _ in voices) + len(release)
    silent = audible_samples(zone, key, rate)
    n_samples = min(longest, out.shape[1], longest if silent is None else max(silent, 1))
    left, right = _sides(zone.values["pan"])
    plain = envelope = None
    for start, end, amplitude, choked in voices:
        n_here = min(end - start + len(release), n_samples, out.shape[1] - start)
        if n_here <= 0:
            continue
        bend = _bend_curve(bends, start, n_here)
        if bend is not None:
            sound = wave(soundfont, zone, key, rate, n_here, bend)
        else:
            plain = wave(soundfont, zone, key, rate, n_samples) if plain is None else plain
            sound = plain[:n_here]
        if envelope is None:
            envelope = volume_envelope(zone, key, rate, n_samples)
        shaped = _shaped(sound, envelope, choke if choked else release, end - start) * np.float32(amplitude)
        out[0, start : start + len(shaped)] += shaped * left
        out[1, start : start + len(shaped)] += shaped * right


def _shaped(sound: np.ndarray, envelope: np.ndarray, release: np.ndarray, n_held: int) -> np.ndarray:
    """A note: the held part with its envelope, then the release from the level that was reached."""
    if n_held >= len(sound):
        return sound * envelope[: len(sound)]
    tail = sound[n_held : n_held + len(release)]
    reached = envelope[min(n_held, len(envelope) - 1)]
    return np.concatenate([sound[:n_held] * envelope[:n_held], tail * release[: len(tail)] * reached])


def _sides(pan: int) -> tuple[np.float32, np.float32]:
    """Constant power; `pan` from -500 (left) to 500."""
    angle = (min(max(pan, -500), 500) / 1000 + 0.5) * np.pi / 2
    return np.float32(np.cos(angle)), np.float32(np.sin(angle))


def _bend_table(track: Any, timeline: Timeline, rate: int) -> np.ndarray:
    """Rows of (sample, semitones); the range follows registered parameter 0."""
    span, parameter = BEND_RANGE, None
    events = [(control.time, 0, control.number, control.value) for control in track.controls]
    events += [(bend.time, 1, 0, bend.value) for bend in track.pitch_bends]
    rows = []
    for time, is_bend, number, value in sorted(events, key=lambda event: event[:2]):  # as written where together
        if is_bend:
            rows.append((round(float(timeline.tick_to_second(time)) * rate), value / 8192 * span))
        elif number == 101:
            parameter = None if value else -1
        elif number == 100:
            parameter = 0 if parameter is not None and value == 0 else None
        elif number == 6 and parameter == 0:
            span = float(min(value, 24))
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


def _bend_curve(bends: np.ndarray, start: int, n_samples: int) -> np.ndarray | None:
    """Semitones at each sample of a note; None where its pitch stays."""
    if not len(bends):
        return None
    at = np.searchsorted(bends[:, 0], start, side="right") - 1
    inside = bends[max(at, 0) :]
    inside = inside[inside[:, 0] < start + n_samples]
    if not len(inside) or not inside[:, 1].any():
        return None
    places = np.searchsorted(inside[:, 0], np.arange(start, start + n_samples), side="right") - 1
    return np.where(places >= 0, inside[np.maximum(places, 0), 1], 0.0)


def _apply_controls(out: np.ndarray, track: Any, timeline: Timeline, rate: int) -> None:
    rows: dict[int, list[tuple[int, int]]] = {VOLUME: [], PAN: [], EXPRESSION: []}
    for control in track.controls:
        if control.number in rows:
            rows[control.number].append((round(float(timeline.tick_to_second(control.time)) * rate), control.value))
    curves = {number: _control_curve(rows[number], number, out.shape[1]) for number in rows}
    loudness = (curves[VOLUME] * curves[EXPRESSION] / (DEFAULT_CONTROL[VOLUME] * 127)) ** 2
    angle = np.maximum(curves[PAN] - 1, 0) / 126 * np.pi / 2
    for channel, side in ((0, np.cos(angle)), (1, np.sin(angle))):
        gain = (loudness * side * np.sqrt(2)).astype(np.float32)
        if gain.size > 1:
            gain = np.interp(np.arange(out.shape[1]), np.arange(gain.size) * CONTROL_STEP, gain).astype(np.float32)
        out[channel] *= gain


def _control_curve(rows: list[tuple[int, int]], number: int, n_samples: int) -> np.ndarray:
    """Values every `CONTROL_STEP` samples, or one value where it never changes."""
    default = DEFAULT_CONTROL[number]
    rows = sorted(rows, key=lambda row: row[0])
    if not rows or all(at <= 0 for at, _ in rows):
        return np.array([rows[-1][1] if rows else default], dtype=np.float64)
    starts = np.array([0, *(at for at, _ in rows)])
    values = np.array([default, *(value for _, value in rows)], dtype=np.float64)
    grid = np.arange(0, n_samples + CONTROL_STEP, CONTROL_STEP)
    return values[np.searchsorted(starts, grid, side="right") - 1]
