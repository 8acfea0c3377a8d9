"""Sliders on a score: rhythm, density, arousal."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

from orchestrion.verbs import options
from orchestrion.verbs.editing import Editing, edit
from orchestrion.verbs.result import MusicResult


def fade(
    source: str | Path,
    output: str | Path,
    *,
    rhythm: float | None = None,
    density: float | None = None,
    arousal: float | None = None,
    tracks: str | None = None,
    **how: Unpack[Editing],
) -> MusicResult:
    """Writes the keyboard tracks of a piece anew, four beats at a time, with sliders moved.

    Args:
        rhythm, density, arousal: from −1 to 1: fewer or more onsets, fewer or more notes at a time, calmer or more
            excited. Without any, the piece is what the system makes of it.
        tracks: names or numbers (from 1) of the tracks, with commas; all others are kept note for note.
        how: as `Editing`; the system is "music_fadernets" by default, and takes the most probable notes without a
            temperature.

    Raises:
        InputError, OptionError, OutputError: as `editing.edit`.
    """
    for name, value in (("--rhythm", rhythm), ("--density", density), ("--arousal", arousal)):
        options.within(name, value, -1.0, 1.0)
    how.setdefault("system", "music_fadernets")
    return edit(
        "fade",
        "fade",
        source,
        output,
        {"rhythm": rhythm, "density": density, "arousal": arousal, "tracks": options.read_names(tracks)},
        **how,
    )
