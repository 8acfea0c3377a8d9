"""What the verbs that make music share: a system that can do the task, and the record of how a piece was made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrion.errors import InputError, OptionError

if TYPE_CHECKING:
    from symusic.core import ScoreTick

    from orchestrion.media.provenance import Provenance


def load_for(task: str, name: str, device: str, *others: str) -> Any:
    """A system that has the method `task`, or one of the others.

    Raises:
        OptionError: there is no such system, it cannot do this, or the device is not there.
        WeightsError: its weights cannot be read.
    """
    from orchestrion.systems.registry import load

    check_device(device)
    system = load(name, device=device)
    if not any(callable(getattr(system, method, None)) for method in (task, *others)):
        verb = task.rstrip("_").replace("_", " ")
        raise OptionError(f"The system {name!r} cannot {verb}; `orchestrion systems` shows which can.")
    return system


def check_device(device: str) -> None:
    """Refuses a device that torch does not know or this machine lacks."""
    import torch

    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise OptionError(f"The device {device!r} cannot be used on this machine; use 'cpu'.") from error


def given(**options: Any) -> dict[str, Any]:
    """The options that were given, so that the others keep the system's own defaults."""
    return {
        name: value
        for name, value in options.items()
        if value is not None and not (isinstance(value, tuple) and not value)
    }


def read_music(path: Path) -> ScoreTick:
    """A score with at least one note.

    Raises:
        InputError: the file cannot be read or holds no note.
    """
    from orchestrion.media.score import read_score

    score = read_score(path)
    if not any(len(track.notes) for track in score.tracks):
        raise InputError(f"The file {path} holds no notes, so there is nothing to work on.")
    return score


def as_list(made: Any) -> Sequence[Any]:
    """Systems return one result or, for n > 1, a list."""
    return made if isinstance(made, list | tuple) else [made]


def provenance_of(system: Any, *, prompt: str, seed: int, verb: str, options: dict[str, Any]) -> Provenance:
    """Who made the piece, from what, and on what terms."""
    from orchestrion import __version__
    from orchestrion.media.provenance import Provenance
    from orchestrion.verbs.result import plain

    return Provenance(
        system=system.card.name,
        weights_hash=system.weights_hash,
        prompt=prompt,
        seed=seed,
        licence=system.card.licence,
        version=__version__,
        extra={"verb": verb, "options": plain(options)},
    )
