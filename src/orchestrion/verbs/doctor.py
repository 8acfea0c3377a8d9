"""What is installed and what works."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

from orchestrion.verbs.result import Result

PACKAGES = ("torch", "numpy", "scipy", "symusic", "soundfile", "music21", "verovio", "matplotlib", "pyarrow", "typer")
EXTRAS = {"cluster": "ray", "log": "tensorboard", "search": "lancedb"}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried: its name, whether it works, and what was found or what to do."""

    name: str
    works: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Diagnosis(Result):
    """The machine, the versions, and every check; `healthy` when all that music needs works."""

    orchestrion: str
    python: str
    platform: str
    cores: int
    memory_gb: float | None
    packages: dict[str, str | None]
    extras: dict[str, bool]
    weights: tuple[str, ...]
    checks: tuple[Check, ...]
    healthy: bool


def doctor() -> Diagnosis:
    """Looks at the installation and tries its parts."""
    from orchestrion import __version__

    weights = files("orchestrion") / "weights"
    bundled = sorted(p.name for p in weights.iterdir() if p.name.endswith(".safetensors")) if weights.is_dir() else []
    checks = (
        _try("corpus", _corpus),
        _try("soundfont", _soundfont),
        _try("render a note", _render),
        _try("systems", _systems),
        _arranger(),
    )
    return Diagnosis(
        orchestrion=__version__,
        python=platform.python_version(),
        platform=platform.platform(terse=True),
        cores=_cores(),
        memory_gb=_memory(),
        packages={name: _version(name) for name in PACKAGES},
        extras={extra: find_spec(package) is not None for extra, package in EXTRAS.items()},
        weights=tuple(bundled),
        checks=checks,
        healthy=all(check.works for check in checks if check.name != "mma"),
    )


def _try(name: str, work: Callable[[], str]) -> Check:
    try:
        return Check(name, True, work())
    except Exception as error:  # whatever is broken is what is to be shown
        return Check(name, False, f"{type(error).__name__}: {error}")


def _corpus() -> str:
    from orchestrion.data.corpus import load_corpus

    corpus = load_corpus("compact")
    return f"{len(corpus)} pieces, the first is {corpus[0].id}"


def _soundfont() -> str:
    from orchestrion.media.render import find_soundfont

    return str(find_soundfont())


def _render() -> str:
    from symusic import Note, Score, Track

    from orchestrion.media.render import render

    score: Any = Score(480)
    track: Any = Track(program=0)
    track.notes.append(Note(0, 480, 60, 90))
    score.tracks.append(track)
    audio = render(score)
    return f"{audio.samples.shape[-1] / audio.rate:.1f} s of sound at {audio.rate} Hz"


def _systems() -> str:
    from orchestrion.systems.registry import available

    return ", ".join(sorted(available()))


def _arranger() -> Check:
    program = shutil.which("mma")
    return Check("mma", program is not None, program or "only needed to build the full corpus; install the package mma")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> float | None:
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return None
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
