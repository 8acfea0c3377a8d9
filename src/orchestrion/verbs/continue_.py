"""Music that goes on where a file ends."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

from orchestrion.verbs import options
from orchestrion.verbs.editing import Editing, edit
from orchestrion.verbs.result import MusicResult


def continue_(
    source: str | Path,
    output: str | Path,
    *,
    bars: int = 8,
    **how: Unpack[Editing],
) -> MusicResult:
    """Adds bars to the end of a MIDI, MusicXML, ABC or kern file.

    Args:
        bars: how many to add.
        how: as `Editing`.

    Raises:
        InputError, OptionError, OutputError: as `editing.edit`.
    """
    options.within("--bars", bars, 1, options.MOST_BARS, "bars")
    return edit(
        "continue",
        "continue_",
        source,
        output,
        {"bars": bars},
        **how,
    )
