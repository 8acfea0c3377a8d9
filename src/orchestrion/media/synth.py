"""Plays one track of notes with a SoundFont: velocities, release, sustain pedal, volume, expression, pan, pitch bends.

The synthesiser of symusic plays every note equally loud, knows no controllers and cuts each note at its end, so notes
are played here, from its scores.
"""

from __future__ import annotations

from collections import OrderedDict
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
    bends = _bend_table(track, timeline, rate)
    notes = track_notes(track, timeline, rate)
    zones = soundfont.zones(track.program, is_drum=track.is_drum)
    out = play_notes(notes, zones, soundfont, is_drum=bool(track.is_drum), rate=rate, n_samples=n_samples, bends=bends)
    _apply_controls(out, track, timeline, rate)
    return out


def play_notes(
    notes: Notes,
    zones: tuple[Zone, ...],
    soundfont: SoundFont,
    *,
    is_drum: bool,
    rate: int,
    n_samples: int,
    bends: np.ndarray | None = None,
    n_channels: int = 2,
    memory: NoteMemory | None = None,
) -> Float[np.ndarray, "channels samples"]:
    """The sound of notes, without controllers.

    Args:
        n_samples: length of the result; what sounds longer fades with it.
        bends: rows of (sample, semitones).
        n_channels: 2, or 1 for the mean of both sides at half the cost.
        memory: where the sounds of keys are kept from call to call; they may then be played for longer than is needed
            here.
    """
    out = np.zeros((n_channels, n_samples), np.float32)
    bends = np.zeros((0, 2)) if bends is None else bends
    for (key, zone), members in _voices(notes, zones, is_drum, rate).items():
        _play_key(out, soundfont, zone, key, members, rate, bends, memory)
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
    out: np.ndarray,
    soundfont: SoundFont,
    zone: Zone,
    key: int,
    voices: list[Voice],
    rate: int,
    bends: np.ndarray,
    memory: NoteMemory | None,
) -> None:
    """Adds all notes of one key: the sample is computed once, unless pitch bends move it."""
    release = release_curve(zone, rate)
    choke = np.linspace(1, 0, int(CHOKE * rate), dtype=np.float32)
    longest = max(end - start for start, end, _, _ in voices) + len(release)
    silent = audible_samples(zone, key, rate)
    n_samples = min(longest, out.shape[1], longest if silent is None else max(silent, 1))
    sides = _sides(zone.values["pan"]) if len(out) == 2 else (np.float32(sum(_sides(zone.values["pan"])) / 2),)
    plain = envelope = held = None
    for start, end, amplitude, choked in voices:
        n_here = min(end - start + len(release), n_samples, out.shape[1] - start)
        if n_here <= 0:
            continue
        bend = _bend_curve(bends, start, n_here)
        if bend is not None:
            envelope = volume_envelope(zone, key, rate, n_samples) if envelope is None else envelope
            sound, reached = wave(soundfont, zone, key, rate, n_here, bend), envelope
            shaped = _shaped(sound, sound * envelope[: len(sound)], reached, choke if choked else release, end - start)
        else:
            if plain is None or envelope is None or held is None:
                plain, envelope, held = _key_sound(soundfont, zone, key, rate, n_samples, memory)
            shaped = _shaped(plain[:n_here], held[:n_here], envelope, choke if choked else release, end - start)
        shaped *= np.float32(amplitude)
        for channel, side in zip(out, sides, strict=True):
            channel[start : start + len(shaped)] += shaped * side


Key = tuple[np.ndarray, np.ndarray, np.ndarray]  # sound of a key, its envelope, and their product


class NoteMemory:
    """Sounds of keys, kept for later notes; the ones that were not asked for longest are dropped.

    Args:
        most_bytes: as much as is kept.
    """

    def __init__(self, most_bytes: int = 256 << 20) -> None:
        self.most_bytes, self.held_bytes = most_bytes, 0
        self._kept: OrderedDict[tuple[int, int, int], tuple[int, Zone, Key]] = OrderedDict()

    def get(self, zone: Zone, key: int, rate: int, n_samples: int) -> Key | None:
        """The sound of a key if it is there and as long as is asked."""
        found = self._kept.get((id(zone), key, rate))
        if found is None or found[0] < n_samples:
            return None
        self._kept.move_to_end((id(zone), key, rate))
        return found[2]

    def put(self, zone: Zone, key: int, rate: int, n_samples: int, sound: Key) -> None:
        """Keeps the first `n_samples` of a key."""
        old = self._kept.pop((id(zone), key, rate), None)  # the zone is held, so that its identity stays its own
        self.held_bytes += sum(part.nbytes for part in sound) - (sum(p.nbytes for p in old[2]) if old else 0)
        self._kept[id(zone), key, rate] = (n_samples, zone, sound)
        while self.held_bytes > self.most_bytes and len(self._kept) > 1:
            _, (_, _, dropped) = self._kept.popitem(last=False)
            self.held_bytes -= sum(part.nbytes for part in dropped)


MEMORY_STEP = 0.5  # seconds to which the length of a remembered sound is rounded up


def _key_sound(soundfont: SoundFont, zone: Zone, key: int, rate: int, n_samples: int, memory: NoteMemory | None) -> Key:
    if memory is not None:
        if (known := memory.get(zone, key, rate, n_samples)) is not None:
            return known
        step = max(int(MEMORY_STEP * rate), 1)
        n_samples = -(-n_samples // step) * step
    plain = wave(soundfont, zone, key, rate, n_samples)
    envelope = volume_envelope(zone, key, rate, n_samples)
    sound = plain, envelope, plain * envelope[: len(plain)]
    if memory is not None:
        memory.put(zone, key, rate, n_samples, sound)
    return sound


def _shaped(sound: np.ndarray, held: np.ndarray, envelope: np.ndarray, release: np.ndarray, n_held: int) -> np.ndarray:
    """A note: the held part with its envelope, then the release from the level that was reached."""
    if n_held >= len(sound):
        return held.copy()
    shaped = np.empty(min(len(sound), n_held + len(release)), np.float32)
    shaped[:n_held] = held[:n_held]
    n_tail = len(shaped) - n_held
    np.multiply(sound[n_held : n_held + n_tail], release[:n_tail], out=shaped[n_held:])
    shaped[n_held:] *= envelope[min(n_held, len(envelope) - 1)]
    return shaped


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
