"""Checks the headline claim of a paper in small."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from orchestrion.errors import OptionError, OutputError
from orchestrion.verbs.result import Progress, Result


@dataclass(frozen=True, slots=True)
class Reproduction(Result):
    """The name, the folder of the report, and the report: claims, figures of each seed, and whether they hold."""

    name: str
    folder: Path
    report: Any


def reproduce(
    name: str,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    folder: str | Path | None = None,
    progress: Progress | None = None,
) -> Reproduction:
    """Runs the miniature experiment of a system.

    Args:
        folder: of the report; runs/reproduce-<name> by default.

    Raises:
        OptionError: there is no experiment of that name.
        OutputError: the folder cannot be made.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or find_spec(f"orchestrion.reproductions.{name}") is None:
        raise OptionError(f"There is no experiment {name!r}; `orchestrion systems` lists the systems that have one.")
    target = Path(folder) if folder is not None else Path("runs") / f"reproduce-{name}"
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {target} cannot be made ({error.strerror}); choose another.") from error
    run = import_module(f"orchestrion.reproductions.{name}").run
    return Reproduction(name, target, run(seeds=tuple(seeds), folder=target, progress=progress))
