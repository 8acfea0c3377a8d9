"""Who stands where and how loud: names, places and balance of the tracks of a score."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float

from orchestrion.media.soundfont import SoundFont
from orchestrion.media.synth import PAN
from orchestrion.media.voice import level, volume_envelope, wave

# Pan of the families of eight General MIDI programs, -1 (left) to 1, as an orchestra and a band stand.
PLACES = (-0.15, 0.3, 0.1, 0.25, 0.0, -0.25, -0.1, 0.2, 0.15, 0.2, 0.0, 0.0, 0.2, -0.3, 0.3, 0.0)
APART = 0.2  # added where two tracks would stand in one place
REFERENCE_DB = -20.0  # level of a program that is left as it is
BALANCE = 0.6  # share of the distance to the reference that is made up
MOST_BALANCE_DB = 9.0
REFERENCE_VELOCITY = 100
REFERENCE_SECONDS = 0.6
DRUM_KEYS = (36, 38, 42)


def track_names(tracks: Sequence[Any]) -> list[str]:
    """A name for each track, no two alike: its own, else that of its General MIDI program."""
    names: list[str] = []
    for track in tracks:
        own = " ".join("".join(c if c.isprintable() else " " for c in track.name).split())
        name = own or ("Drums" if track.is_drum else program_name(track.program))
        number = 1
        while (name if number == 1 else f"{name} {number}") in names:
            number += 1
        names.append(name if number == 1 else f"{name} {number}")
    return names


def program_name(program: int) -> str:
    """The name of a program of General MIDI, counted from 0."""
    from pretty_midi.constants import INSTRUMENT_MAP

    return INSTRUMENT_MAP[min(max(program, 0), 127)]


def stage_positions(tracks: Sequence[Any]) -> list[Float[np.ndarray, " 2"]]:
    """Left and right gain of each track. A track that sets its own pan, drums and basses stand in the middle, as does
    a track that plays alone."""
    taken: list[float] = []
    gains = []
    for track in tracks:
        place = 0.0
        free = not track.is_drum and not any(control.number == PAN for control in track.controls)
        if free and len(tracks) > 1:
            place = PLACES[min(max(track.program, 0), 127) // 8]
            while place and _is_taken(place, taken) and abs(place) < 0.8:
                place = place + APART * np.sign(place) if _is_taken(-place, taken) else -place
            taken.append(place)
        angle = (place + 1) * np.pi / 4
        gains.append(np.array([np.cos(angle), np.sin(angle)], np.float32) * np.float32(np.sqrt(2)))
    return gains


def _is_taken(place: float, taken: Sequence[float]) -> bool:
    return any(abs(place - other) < 0.05 for other in taken)


def programme_gain(track: Any, soundfont: SoundFont, rate: int) -> float:
    """Brings programs that the SoundFont holds too loud or too soft closer together, by the level of one note each."""
    key = int(np.median(track.notes.numpy()["pitch"]))
    return balance_gain(track.program, key, soundfont, is_drum=bool(track.is_drum), rate=rate)


def balance_gain(program: int, key: int, soundfont: SoundFont, *, is_drum: bool, rate: int) -> float:
    """The same for a part of that program whose middle key is `key`; drums are measured on keys of their own."""
    keys = DRUM_KEYS if is_drum else (round(key / 6) * 6,)
    return _gain(soundfont, program, keys, is_drum, rate)


@lru_cache(maxsize=1024)
def _gain(soundfont: SoundFont, program: int, keys: tuple[int, ...], is_drum: bool, rate: int) -> float:
    levels = [_note_level(soundfont, program, key, is_drum, rate) for key in keys]
    heard = [one for one in levels if one > 0]
    if not heard:
        return 1.0
    decibels = 20 * np.log10(np.mean(heard))
    return float(10 ** (np.clip(BALANCE * (REFERENCE_DB - decibels), -MOST_BALANCE_DB, MOST_BALANCE_DB) / 20))


def _note_level(soundfont: SoundFont, program: int, key: int, is_drum: bool, rate: int) -> float:
    """Root mean square of a note, its zones added in power, over the time that it sounds."""
    n_samples = int(REFERENCE_SECONDS * rate)
    power = np.zeros(n_samples)
    for zone in soundfont.zones(program, is_drum=is_drum):
        if zone.serves(key, REFERENCE_VELOCITY):
            sound = wave(soundfont, zone, key, rate, n_samples)
            sound = sound * volume_envelope(zone, key, rate, len(sound)) * level(zone)
            power[: len(sound)] += sound.astype(np.float64) ** 2
    loudest = np.sort(power)[n_samples // 2 :]  # so that short sounds count by their sound, not by their silence
    return float(np.sqrt(loudest.mean()))
