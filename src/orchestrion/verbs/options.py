"""Options as people type them, read into values or refused in one sentence."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrion.errors import OptionError

if TYPE_CHECKING:
    from orchestrion.theory.keys import Key

DRUMS = 128  # stands for the drum kit among General MIDI programs
MOST_PIECES = 64
MOST_BARS = 512
MOST_SECONDS = 1800.0
MUSIC_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".mid", ".musicxml")


def read_seed(seed: int | None) -> int:
    """The seed, or a fresh one that is reported with the result."""
    if seed is None:
        return secrets.randbelow(2**31)
    if not 0 <= seed < 2**63:
        raise OptionError(f"The seed {seed} must be a whole number from 0 to {2**63 - 1}.")
    return seed


def within(name: str, value: float | None, low: float, high: float, unit: str = "") -> None:
    """Refuses a number outside [low, high]; None passes."""
    if value is not None and not low <= value <= high:
        raise OptionError(f"{name} is {value:g}; give a number from {low:g} to {high:g}{unit and ' ' + unit}.")


def check_sampling(temperature: float | None, top_p: float | None, n: int = 1) -> None:
    """Refuses sampling options that have no meaning."""
    within("--temperature", temperature, 0.05, 5.0)
    within("--top-p", top_p, 0.01, 1.0)
    within("--n", n, 1, MOST_PIECES, "pieces")


def check_length(bars: int | None, seconds: float | None) -> None:
    """Refuses lengths out of range, and two lengths at once."""
    if bars is not None and seconds is not None:
        raise OptionError("Both --bars and --seconds are given; give the length in one of them.")
    within("--bars", bars, 1, MOST_BARS, "bars")
    within("--seconds", seconds, 1.0, MOST_SECONDS, "seconds")


def read_key(text: str | None) -> Key | None:
    """A key such as "D minor", "Bb major" or "f#m"."""
    if text is None:
        return None
    from orchestrion.theory.keys import Key

    try:
        return Key.parse(text)
    except ValueError as error:
        raise OptionError(f"{text!r} is no key; write it like 'D minor' or 'Bb major'.") from error


def read_metre(text: str | None) -> tuple[int, int] | None:
    """A metre such as "3/4"."""
    if text is None:
        return None
    found = re.fullmatch(r"\s*(\d{1,2})\s*/\s*(\d{1,2})\s*", text)
    if found is None or not 1 <= int(found[1]) <= 32 or int(found[2]) not in (1, 2, 4, 8, 16, 32):
        raise OptionError(f"{text!r} is no metre; write it like '3/4' or '6/8'.")
    return int(found[1]), int(found[2])


def read_instruments(text: str | None) -> tuple[int, ...]:
    """Programs for names or numbers with commas between them: "flute, strings, drums" or "73,48"; drums are 128."""
    if text is None:
        return ()
    from orchestrion.representations.prompt import parse_prompt

    programs: list[int] = []
    for name in (part.strip() for part in text.split(",")):
        if name.isdecimal() and int(name) < DRUMS:
            programs.append(int(name))
            continue
        request = parse_prompt(name) if name else None
        found = [*request.instruments, *([DRUMS] if request.drums else [])] if request else []
        if not found:
            raise OptionError(f"{name!r} is no instrument; write 'flute, strings, drums' or programs 0–127.")
        programs += found
    return tuple(dict.fromkeys(programs))


def read_bar_range(text: str) -> tuple[int, int]:
    """ "9-12", counted from 1 and with both ends, as the half-open range (8, 12) counted from 0."""
    found = re.fullmatch(r"\s*(\d{1,4})\s*(?:[-–]\s*(\d{1,4})\s*)?", text)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= first <= last:
        raise OptionError(f"{text!r} is no range of bars; write it like '9-12', counted from 1.")
    return first - 1, last


def read_names(text: str | None) -> tuple[str, ...]:
    """Words with commas between them."""
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def check_output(output: Path, suffixes: Sequence[str] = MUSIC_SUFFIXES) -> Path:
    """The output path, if its suffix names a format that is written and its folder can be written to."""
    from orchestrion.verbs.staging import check_folder

    if output.suffix.lower() not in suffixes:
        kinds = ", ".join(suffixes)
        raise OptionError(f"The name {output.name!r} does not end in a known format; end it in one of {kinds}.")
    if output.is_dir():
        raise OptionError(f"{output} is a folder; add the name of a file, like {output / ('music' + suffixes[0])}.")
    check_folder(output.parent)
    return output
