"""Reads SoundFont 2 files and finds one to play with.

The reader checks every index, so a damaged or hostile file gives a sentence and never a crash. Source: SoundFont
Technical Specification 2.04, sections 4–9.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from orchestrion.errors import InputError
from orchestrion.media.files import check_input

VARIABLE = "ORCHESTRION_SOUNDFONT"
FOLDERS = (
    "/usr/share/sounds/sf2",
    "/usr/share/soundfonts",
    "/usr/local/share/soundfonts",
    "/opt/homebrew/share/soundfonts",
    "~/.local/share/soundfonts",
    "~/.local/share/sounds/sf2",
    "~/Library/Audio/Sounds/Banks",
)
# Parts of the names of SoundFonts that hold all General MIDI programs, best first. Others in a system folder are left
# alone: they may hold one piano only.
GENERAL_MIDI = ("musescore_general", "generaluser", "fluidr3_gm", "default-gm", "default", "timgm", "general", "gm")

PRESET = np.dtype([("name", "S20"), ("program", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("unused", "<u4", 3)])
INSTRUMENT = np.dtype([("name", "S20"), ("bag", "<u2")])
BAG = np.dtype([("generator", "<u2"), ("modulator", "<u2")])
GENERATOR = np.dtype([("kind", "<u2"), ("amount", "<i2")])
SAMPLE = np.dtype(
    [("name", "S20"), ("start", "<u4"), ("end", "<u4"), ("loop_start", "<u4"), ("loop_end", "<u4"), ("rate", "<u4"),
     ("key", "u1"), ("correction", "i1"), ("link", "<u2"), ("type", "<u2")]
)  # fmt: skip

# Numbers of the generators that are used (section 8.1.2), by the name of the zone's value; and their defaults where
# these are not 0.
KINDS = {
    0: "start", 1: "end", 2: "loop_start", 3: "loop_end", 4: "start_coarse", 5: "mod_lfo_pitch", 6: "vib_lfo_pitch",
    7: "mod_env_pitch", 8: "filter_cutoff", 9: "filter_q", 11: "mod_env_filter", 12: "end_coarse", 17: "pan",
    21: "mod_lfo_delay", 22: "mod_lfo_rate", 23: "vib_lfo_delay", 24: "vib_lfo_rate", 25: "mod_delay", 26: "mod_attack",
    27: "mod_hold", 28: "mod_decay", 29: "mod_sustain", 33: "delay", 34: "attack", 35: "hold", 36: "decay",
    37: "sustain", 38: "release", 39: "key_hold", 40: "key_decay", 45: "loop_start_coarse", 46: "fixed_key",
    47: "fixed_velocity", 48: "attenuation", 50: "loop_end_coarse", 51: "coarse_tune", 52: "fine_tune",
    54: "sample_modes", 56: "scale", 57: "exclusive", 58: "root_key",
}  # fmt: skip
DEFAULTS = {"filter_cutoff": 13500, "fixed_key": -1, "fixed_velocity": -1, "scale": 100, "root_key": -1}
DEFAULTS |= dict.fromkeys(
    ("mod_lfo_delay", "vib_lfo_delay", "mod_delay", "mod_attack", "mod_hold", "mod_decay", "delay", "attack", "hold",
     "decay", "release"), -12000
)  # fmt: skip
NOT_IN_PRESETS = frozenset((0, 1, 2, 3, 4, 12, 45, 46, 47, 50, 54, 57, 58))
MOST_ZONES = 20_000
KEY_RANGE, VELOCITY_RANGE, INSTRUMENT_INDEX, SAMPLE_INDEX = 43, 44, 41, 53


@dataclass(frozen=True, slots=True)
class Zone:
    """One sample with the keys and velocities that it serves and how it is played.

    `values` holds the generators by name, in the units of the specification (timecents, centibels, cents);
    `start`, `end`, `loop_start`, `loop_end` are positions among all samples, with all offsets added.
    """

    keys: tuple[int, int]
    velocities: tuple[int, int]
    start: int
    end: int
    loop_start: int
    loop_end: int
    rate: int
    values: dict[str, int] = field(hash=False)

    def serves(self, key: int, velocity: int) -> bool:
        """Whether a note sounds with this sample."""
        low, high = self.keys
        return low <= key <= high and self.velocities[0] <= velocity <= self.velocities[1]


class SoundFont:
    """All samples of a file, and the zones of its presets, which are looked up when they are first asked for."""

    def __init__(self, path: Path, samples: np.ndarray, presets: _Layer, instruments: _Layer, headers: np.ndarray):
        self.path, self.samples = path, samples
        self._presets, self._instruments, self._headers = presets, instruments, headers
        self._places = {
            (int(header["bank"]), int(header["program"])): index
            for index, header in reversed(list(enumerate(presets.headers[:-1])))
        }
        self._zones: dict[int, tuple[Zone, ...]] = {}

    @property
    def presets(self) -> tuple[tuple[int, int], ...]:
        """All (bank, program) that there are, in order; bank 128 holds the drum kits."""
        return tuple(sorted(self._places))

    def zones(self, program: int, *, is_drum: bool = False) -> tuple[Zone, ...]:
        """The zones of a General MIDI program, or of a drum kit; those of the nearest that there is otherwise.

        Raises:
            InputError: the file is damaged in this place, or nothing in it can be played.
        """
        bank = 128 if is_drum else 0
        wanted = [(bank, program), (bank, program // 8 * 8), (bank, 0), *self.presets]
        for index in [self._places[place] for place in wanted if place in self._places]:
            if index not in self._zones:
                with _damage_told(self.path):
                    self._zones[index] = tuple(
                        _preset_zones(self._presets, index, self._instruments, self._headers, len(self.samples))
                    )
            if self._zones[index]:
                return self._zones[index]
        raise InputError(f"The file {self.path} is no usable SoundFont: nothing in it can be played; give another.")


def find_soundfont(option: str | Path | None = None) -> Path:
    """The SoundFont to play with: the option, else the environment variable ORCHESTRION_SOUNDFONT, else a General MIDI
    one in the system's folders, else the one that pretty_midi ships.

    Raises:
        InputError: the one that was asked for is not there, or none is anywhere.
    """
    if option is not None:
        return check_input(option)
    if named := os.environ.get(VARIABLE):
        try:
            return check_input(named)
        except InputError as error:
            raise InputError(f"The environment variable {VARIABLE} names no file: {error}") from error
    return _system_soundfont() or shipped_soundfont()


def _system_soundfont() -> Path | None:
    found = [path for folder in FOLDERS for path in sorted(Path(folder).expanduser().glob("*.sf2")) if path.is_file()]
    for part in GENERAL_MIDI:
        for path in found:
            if part in path.name.lower():
                return path
    return None


def shipped_soundfont() -> Path:
    """The General MIDI SoundFont that pretty_midi ships, which is the same on every machine.

    Raises:
        InputError: it is not there.
    """
    from importlib.util import find_spec

    spec = find_spec("pretty_midi")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(folder).glob("*.sf2")):
            return path
    raise InputError(f"No SoundFont is installed; give a .sf2 file with --soundfont or in {VARIABLE}.")


def read_soundfont(path: str | Path) -> SoundFont:
    """Reads a SoundFont 2 file; the samples stay on disk until they are played.

    Raises:
        InputError: the file is missing, damaged, or of another kind.
    """
    found = check_input(path).resolve()
    status = found.stat()
    return _read(found, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4)
def _read(path: Path, size: int, changed: int) -> SoundFont:
    with _damage_told(path):
        return _parse(path, np.memmap(path, dtype=np.uint8, mode="r"))


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, IndexError, OverflowError, OSError) as error:
        reason = str(error) if isinstance(error, _DamageError) else "it is damaged"
        raise InputError(f"The file {path} is no usable SoundFont: {reason}; give a .sf2 file that plays.") from error


class _DamageError(ValueError):
    """What is wrong with a file, as the middle of a sentence."""


def _parse(path: Path, data: np.ndarray) -> SoundFont:
    if data[:4].tobytes() != b"RIFF" or data[8:12].tobytes() != b"sfbk":
        raise _DamageError("it does not begin as one")
    parts: dict[bytes, np.ndarray] = {}
    for kind, body in _chunks(data[12:]):
        if kind == b"LIST" and body[:4].tobytes() in (b"sdta", b"pdta"):
            parts.update(_chunks(body[4:]))
    needed = (b"smpl", b"phdr", b"pbag", b"pgen", b"inst", b"ibag", b"igen", b"shdr")
    if missing := [kind.decode() for kind in needed if kind not in parts]:
        raise _DamageError(f"its part {missing[0]!r} is missing or cut off")
    samples = parts[b"smpl"][: len(parts[b"smpl"]) // 2 * 2].view("<i2")
    headers = _table(parts[b"shdr"], SAMPLE)
    if len(headers) and (headers["type"] & 0x10).all():
        raise _DamageError("its samples are compressed")
    instruments = _Layer(_table(parts[b"inst"], INSTRUMENT), parts[b"ibag"], parts[b"igen"], SAMPLE_INDEX)
    layer = _Layer(_table(parts[b"phdr"], PRESET), parts[b"pbag"], parts[b"pgen"], INSTRUMENT_INDEX)
    if len(layer.headers) < 2:
        raise _DamageError("it holds no instrument")
    return SoundFont(path, samples, layer, instruments, headers)


def _chunks(data: np.ndarray) -> Iterator[tuple[bytes, np.ndarray]]:
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8].tobytes(), "little")
        if at + 8 + size > len(data):
            raise _DamageError("it is cut off")
        yield data[at : at + 4].tobytes(), data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _table(body: np.ndarray, kind: np.dtype) -> np.ndarray:
    return np.frombuffer(body.tobytes()[: len(body) // kind.itemsize * kind.itemsize], kind)


class _Layer:
    """Presets or instruments: a list of headers, each with zones of generators, the first of them perhaps for all."""

    def __init__(self, headers: np.ndarray, bags: np.ndarray, generators: np.ndarray, target: int) -> None:
        self.headers, self.target = headers, target
        self.bags, self.generators = _table(bags, BAG), _table(generators, GENERATOR)

    def zones(self, index: int) -> Iterator[tuple[dict[int, int], int]]:
        """Generators (those for all included) and target (instrument or sample) of each zone."""
        common: dict[int, int] = {}
        first, last = int(self.headers[index]["bag"]), int(self.headers[index + 1]["bag"])
        for number in range(first, last):
            begin, end = int(self.bags[number]["generator"]), int(self.bags[number + 1]["generator"])
            own = {int(kind): int(amount) for kind, amount in self.generators[begin:end]}
            target = own.pop(self.target, None)
            if target is not None:
                yield {**common, **own}, target & 0xFFFF
            elif number == first:
                common = own


def _preset_zones(
    presets: _Layer, index: int, instruments: _Layer, headers: np.ndarray, n_samples: int
) -> Iterator[Zone]:
    found = 0
    for outer, instrument in presets.zones(index):
        for inner, sample in instruments.zones(instrument):
            keys = _both(_range(outer, KEY_RANGE), _range(inner, KEY_RANGE))
            velocities = _both(_range(outer, VELOCITY_RANGE), _range(inner, VELOCITY_RANGE))
            if keys[0] <= keys[1] and velocities[0] <= velocities[1]:
                zone = _zone(keys, velocities, _values(outer, inner), headers[sample], n_samples)
                found += zone is not None
                if found > MOST_ZONES:
                    raise _DamageError("an instrument has more parts than is possible")
                if zone is not None:
                    yield zone


def _range(generators: dict[int, int], kind: int) -> tuple[int, int]:
    amount = generators.get(kind)
    return (0, 127) if amount is None else (amount & 0xFF, amount >> 8 & 0xFF)


def _both(first: tuple[int, int], second: tuple[int, int]) -> tuple[int, int]:
    return max(first[0], second[0]), min(first[1], second[1])


def _values(outer: dict[int, int], inner: dict[int, int]) -> dict[str, int]:
    """Instruments set values, presets add to them (section 9.4)."""
    values = {}
    for kind, name in KINDS.items():
        added = 0 if kind in NOT_IN_PRESETS else outer.get(kind, 0)
        values[name] = inner.get(kind, DEFAULTS.get(name, 0)) + added
    return values


def _zone(
    keys: tuple[int, int], velocities: tuple[int, int], values: dict[str, int], header: np.void, n_samples: int
) -> Zone | None:
    """None where the sample lies in a ROM or outside of the file."""
    start = int(header["start"]) + values["start"] + 32768 * values["start_coarse"]
    end = int(header["end"]) + values["end"] + 32768 * values["end_coarse"]
    loop_start = int(header["loop_start"]) + values["loop_start"] + 32768 * values["loop_start_coarse"]
    loop_end = int(header["loop_end"]) + values["loop_end"] + 32768 * values["loop_end_coarse"]
    end = min(end, n_samples)
    if header["type"] & 0x8010 or not 0 <= start < end - 8 or not 100 <= header["rate"] <= 400_000:
        return None
    if not start <= loop_start < loop_end - 1 < end:
        values["sample_modes"] = 0
    if values["root_key"] < 0:
        key = int(header["key"])
        values["root_key"] = key if key <= 127 else 60
    values["fine_tune"] += int(header["correction"])
    return Zone(keys, velocities, start, end, loop_start, loop_end, int(header["rate"]), values)
