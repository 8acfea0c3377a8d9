"""New music in the middle of a piece."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

from orchestrion.verbs import options
from orchestrion.verbs.editing import Editing, edit
from orchestrion.verbs.result import MusicResult


def infill(
    source: str | Path,
    output: str | Path,
    *,
    bars: str,
    tracks: str | None = None,
    **how: Unpack[Editing],
) -> MusicResult:
    """Writes some bars of a piece anew, to fit what stands around them.

    Args:
        bars: the first and the last to be written, counted from 1, as "9-12".
        tracks: names of the tracks to be written, with commas; all by default.
        how: as `Editing`.

    Raises:
        InputError, OptionError, OutputError: as `editing.edit`.
    """
    return edit(
        "infill",
        "infill",
        source,
        output,
        {"bars": options.read_bar_range(bars), "tracks": options.read_names(tracks)},
        **how,
    )
