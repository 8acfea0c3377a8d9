"""Sliders on a score: rhythm, density, arousal."""

from __future__ import annotations

from pathlib import Path

from orchestrion.verbs import options
from orchestrion.verbs.editing import edit
from orchestrion.verbs.result import MusicResult, Progress


def fade(
    source: str | Path,
    output: str | Path,
    *,
    rhythm: float | None = None,
    density: float | None = None,
    arousal: float | None = None,
    tracks: str | None = None,
    temperature: float | None = None,
    seed: int | None = None,
    n: int = 1,
    soundfont: str | Path | None = None,
    stems: bool = False,
    sheet: bool = False,
    system: str = "music_fadernets",
    device: str = "cpu",
    progress: Progress | None = None,
) -> MusicResult:
    """Writes the keyboard tracks of a piece anew, four beats at a time, with sliders moved.

    Args:
        rhythm, density, arousal: from −1 to 1: fewer or more onsets, fewer or more notes at a time, calmer or more
            excited. Without any, the piece is what the system makes of it.
        tracks: names or numbers (from 1) of the tracks, with commas; all others are kept note for note.
        temperature: draws the notes; by default the most probable ones are taken.

    Raises:
        InputError, OptionError, OutputError: as `editing.edit`.
    """
    for name, value in (("--rhythm", rhythm), ("--density", density), ("--arousal", arousal)):
        options.within(name, value, -1.0, 1.0)
    return edit(
        "fade",
        "fade",
        source,
        output,
        {"rhythm": rhythm, "density": density, "arousal": arousal, "tracks": options.read_names(tracks)},
        temperature=temperature,
        seed=seed,
        n=n,
        soundfont=soundfont,
        stems=stems,
        sheet=sheet,
        system=system,
        device=device,
        progress=progress,
    )
