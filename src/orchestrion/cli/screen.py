"""The two streams: results on stdout, all else on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrion.verbs.result import Progress, Result


@contextmanager
def guarded_stdout() -> Iterator[None]:
    """Sends to stderr whatever libraries print, also from C, so that stdout holds the result alone."""
    sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:  # stdout is closed
        yield
        return
    try:
        os.dup2(2, 1)
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


@contextmanager
def progress_bar(label: str) -> Iterator[Progress]:
    """A bar on stderr for as long as the work lasts; nothing where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def carry_out(
    label: str, json: bool, work: Callable[[Progress], Result], show: Callable[[Any], str | None] | None = None
) -> Any:
    """Does the work under a progress bar and prints its result: one JSON object, or what `show` makes of it.

    Returns the result, for commands whose exit code depends on it.
    """
    with guarded_stdout(), progress_bar(label) as progress:
        result = work(progress)
    text = result.to_json() if json else (show or lines)(result)
    if text:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    return result


def make(label: str, verb: Callable[..., Any], how: dict[str, Any]) -> None:
    """Runs a verb that makes a score with the options of `choices.editing`."""
    rest = {name: value for name, value in how.items() if name != "json" and value is not None}
    carry_out(label, how["json"], lambda progress: verb(progress=progress, **rest), show_music)


def lines(result: Result) -> str:
    """A result as "name: value" lines."""
    return table(result.to_dict())


def table(facts: dict[str, Any]) -> str:
    """Facts as "name: value" lines, without those that are not known."""
    return "\n".join(f"{name}: {_short(value)}" for name, value in facts.items() if value not in (None, [], ""))


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_short(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(_short(item) for item in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def show_music(result: Any) -> str:
    """Paths of the files, and what was asked that cannot be served."""
    told = []
    for piece in result.pieces:
        told += [str(path) for path in piece.files]
        bars = "" if piece.bars is None else f"{piece.bars} bars, "
        told.append(f"  {bars}{piece.seconds:.1f} s, seed {result.seed}, system {result.system}")
        unserved = piece.report.get("unserved") or piece.report.get("request", {}).get("unserved") or []
        told += [f"  note: {sentence}" for sentence in unserved]
    return "\n".join(told)
