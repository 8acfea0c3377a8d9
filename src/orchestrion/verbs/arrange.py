"""A score with other instruments around it."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

from orchestrion.errors import OptionError
from orchestrion.verbs import options
from orchestrion.verbs.editing import Editing, edit
from orchestrion.verbs.result import MusicResult


def arrange(
    source: str | Path,
    output: str | Path,
    *,
    keep: str | None = None,
    add: str | None = None,
    **how: Unpack[Editing],
) -> MusicResult:
    """Keeps some tracks of a piece, note for note, and writes others to go with them.

    Args:
        keep: tracks to keep, with commas, by the system's names ("lead"), or "melody"; all by default.
        add: tracks to write, with commas, such as "bass, drums, piano".
        how: as `Editing`.

    Raises:
        InputError, OptionError, OutputError: as `editing.edit`.
    """
    added = options.read_names(add)
    if not added:
        raise OptionError("Nothing is to be added; name tracks, like --add bass,drums,piano.")
    return edit(
        "arrange",
        "arrange",
        source,
        output,
        {"keep": options.read_names(keep), "add": added},
        **how,
    )
