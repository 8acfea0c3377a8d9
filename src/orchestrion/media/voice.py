"""The sound of one key of a SoundFont zone: the sample at its pitch, its filter and its envelopes.

Source: SoundFont Technical Specification 2.04, sections 8.1.2 and 9. Filters move between their two ends by cross-fade.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Float

from orchestrion.media.soundfont import SoundFont, Zone

SILENCE_DB = 100.0  # decay and release times of the specification are for this fall
INAUDIBLE_DB = 70.0  # where a release ends here
SHORTEST_RELEASE = 0.012  # seconds; shorter ones click
LONGEST_RELEASE = 4.0  # seconds
ATTENUATION = 0.4  # of the written attenuation, as the hardware did for which SoundFonts are made
FADE = 0.004  # seconds at the end of a sample that does not fall silent

Wave = Float[np.ndarray, " samples"]


def timecents(value: int) -> float:
    """Seconds."""
    return 2.0 ** (min(max(value, -12000), 8000) / 1200)


def cents(value: float) -> float:
    """Hz."""
    return 8.176 * 2.0 ** (value / 1200)


def level(zone: Zone) -> float:
    """Amplitude by the zone's attenuation."""
    return 10.0 ** (-ATTENUATION * min(max(zone.values["attenuation"], 0), 1440) / 200)


def release_curve(zone: Zone, rate: int) -> Wave:
    """Amplitude from the release of the key until silence, beginning at 1."""
    return _fall(min(max(timecents(zone.values["release"]), SHORTEST_RELEASE), LONGEST_RELEASE), rate)


@lru_cache(maxsize=64)
def _fall(seconds: float, rate: int) -> Wave:
    n_samples = max(int(seconds * INAUDIBLE_DB / SILENCE_DB * rate), 2)
    straight = np.linspace(0.0, 1.0, n_samples, dtype=np.float32)
    return 10 ** (straight * np.float32(-INAUDIBLE_DB / 20)) * (1 - straight) ** np.float32(0.25)


def volume_envelope(zone: Zone, key: int, rate: int, n_samples: int) -> Wave:
    """Amplitude while the key is held: delay, attack (straight), hold, decay (straight in dB), sustain."""
    values = zone.values
    delay = timecents(values["delay"]) if values["delay"] > -11000 else 0.0
    attack = max(timecents(values["attack"]), 0.001)
    hold = timecents(values["hold"] + values["key_hold"] * (60 - key))
    decay = timecents(values["decay"] + values["key_decay"] * (60 - key))
    sustain_db = min(max(values["sustain"], 0), 1000) / 10
    time = np.arange(n_samples, dtype=np.float32) / rate - delay
    fall = np.minimum(np.maximum(time - attack - hold, 0) * (SILENCE_DB / decay), sustain_db)
    return (np.clip(time / attack, 0, 1) * 10 ** (-fall / 20)).astype(np.float32)


def audible_samples(zone: Zone, key: int, rate: int) -> int | None:
    """After how many samples a held key falls silent by itself; None where it sounds on."""
    values = zone.values
    if values["sustain"] < INAUDIBLE_DB * 10:
        return None
    parts = ("attack", 0), ("hold", values["key_hold"]), ("decay", values["key_decay"])
    seconds = sum(timecents(values[name] + by_key * (60 - key)) for name, by_key in parts)
    return int((seconds + (timecents(values["delay"]) if values["delay"] > -11000 else 0)) * rate)


def modulation_envelope(zone: Zone, rate: int, n_samples: int) -> Wave:
    """The second envelope, 0 to 1, which moves the filter and the pitch; its decay is straight."""
    values = zone.values
    attack = max(timecents(values["mod_attack"]), 0.001)
    start = timecents(values["mod_delay"]) if values["mod_delay"] > -11000 else 0.0
    hold, decay = timecents(values["mod_hold"]), max(timecents(values["mod_decay"]), 0.001)
    sustain = 1 - min(max(values["mod_sustain"], 0), 1000) / 1000
    time = np.arange(n_samples, dtype=np.float32) / rate - start
    fall = np.maximum(1 - np.maximum(time - attack - hold, 0) / decay, sustain)
    return np.where(time < attack, np.clip(time / attack, 0, 1), fall).astype(np.float32)


def wave(soundfont: SoundFont, zone: Zone, key: int, rate: int, n_samples: int, bend: Wave | None = None) -> Wave:
    """The filtered sample at the pitch of a key, without its volume envelope; shorter where the sample ends.

    Args:
        bend: semitones added at each of the `n_samples`.
    """
    values = zone.values
    sounding = values["fixed_key"] if values["fixed_key"] >= 0 else key
    tuning = (sounding - values["root_key"]) * values["scale"] + values["coarse_tune"] * 100 + values["fine_tune"]
    step = zone.rate / rate * 2.0 ** (min(max(tuning, -9600), 9600) / 1200)
    moved = _pitch_movement(zone, rate, n_samples, bend)
    if moved is None:
        position = np.arange(n_samples) * step
    else:
        position = np.concatenate([[0.0], np.cumsum(step * 2.0 ** (moved[:-1] / 12))])
    return _filtered(_interpolated(soundfont, zone, position, rate), zone, rate)


def _pitch_movement(zone: Zone, rate: int, n_samples: int, bend: Wave | None) -> Wave | None:
    values = zone.values
    moved = None if bend is None else bend.astype(np.float32)
    for name in ("mod_lfo", "vib_lfo"):
        if depth := values[f"{name}_pitch"]:
            time = np.arange(n_samples, dtype=np.float32) / rate - timecents(values[f"{name}_delay"])
            phase = np.maximum(time, 0) * cents(values[f"{name}_rate"])
            triangle = 1 - np.abs((phase - 0.25) % 1.0 * 4 - 2)
            moved = (0 if moved is None else moved) + depth / 100 * -triangle
    if depth := values["mod_env_pitch"]:
        moved = (0 if moved is None else moved) + depth / 100 * modulation_envelope(zone, rate, n_samples)
    return moved


def _interpolated(soundfont: SoundFont, zone: Zone, position: np.ndarray, rate: int) -> Wave:
    """Reads the sample at fractional positions (cubic, Catmull-Rom), round its loop where it has one."""
    furthest = int(position[-1]) + 4
    ends = False
    if zone.values["sample_modes"] & 1:
        source = soundfont.samples[zone.start : zone.loop_end]
        loop = soundfont.samples[zone.loop_start : zone.loop_end]
        rounds = max(-(-(furthest - len(source)) // len(loop)), 1)
        source = np.concatenate([source, np.tile(loop, rounds)]).astype(np.float32)
    else:
        source = np.concatenate([soundfont.samples[zone.start : zone.end], [0, 0, 0]]).astype(np.float32)
        n_inside = int(np.searchsorted(position, zone.end - zone.start))
        ends = n_inside < len(position)
        position = position[:n_inside]
    source *= np.float32(1 / 32768)
    source = np.concatenate([source[:1], source])
    whole = position.astype(np.int64)
    part = (position - whole).astype(np.float32)
    a, b, c, d = source[whole], source[whole + 1], source[whole + 2], source[whole + 3]
    read = b + 0.5 * part * (c - a + part * (2 * a - 5 * b + 4 * c - d + part * (3 * (b - c) + d - a)))
    if ends:  # not where it is only read no further
        n_fade = min(int(FADE * rate), len(read))
        read[len(read) - n_fade :] *= np.linspace(1, 0, n_fade, dtype=np.float32)
    return read


def _filtered(sound: Wave, zone: Zone, rate: int) -> Wave:
    values = zone.values
    closed = _low_pass(sound, values["filter_cutoff"], values["filter_q"], rate)
    if not values["mod_env_filter"]:
        return closed
    opened = _low_pass(sound, values["filter_cutoff"] + values["mod_env_filter"], values["filter_q"], rate)
    return closed + (opened - closed) * modulation_envelope(zone, rate, len(sound))


def _low_pass(sound: Wave, cutoff: int, resonance: int, rate: int) -> Wave:
    """Second-order low-pass; `cutoff` in absolute cents, `resonance` in centibels."""
    frequency = cents(min(max(cutoff, 1500), 13500))
    if frequency > 0.42 * rate:
        return sound
    from scipy.signal import lfilter

    peak = 10 ** (min(max(resonance, 0), 240) / 200)  # amplitude at the cutoff
    angle = 2 * np.pi * frequency / rate
    alpha = np.sin(angle) / (2 * max(peak, np.sqrt(0.5)))
    ahead = (1 - np.cos(angle)) / np.sqrt(max(peak, 1.0))
    forward = np.array([ahead / 2, ahead, ahead / 2]) / (1 + alpha)
    back = np.array([1, -2 * np.cos(angle) / (1 + alpha), (1 - alpha) / (1 + alpha)])
    return np.asarray(lfilter(forward, back, sound), dtype=np.float32)
