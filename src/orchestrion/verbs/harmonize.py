"""Chords for a melody."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

from orchestrion.verbs.editing import Editing, edit
from orchestrion.verbs.result import MusicResult


def harmonize(
    source: str | Path,
    output: str | Path,
    *,
    melody: str | None = None,
    **how: Unpack[Editing],
) -> MusicResult:
    """Writes a chord track for a melody.

    Args:
        melody: name of the track that carries it; the system finds it by default.
        how: as `Editing`.

    Raises:
        InputError, OptionError, OutputError: as `editing.edit`.
    """
    return edit(
        "harmonize",
        "harmonize",
        source,
        output,
        {"melody": melody},
        **how,
    )
