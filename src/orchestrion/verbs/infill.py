"""New music in the middle of a piece."""

from __future__ import annotations

from pathlib import Path

from orchestrion.verbs import options
from orchestrion.verbs.editing import edit
from orchestrion.verbs.result import MusicResult, Progress


def infill(
    source: str | Path,
    output: str | Path,
    *,
    bars: str,
    tracks: str | None = None,
    temperature: float | None = None,
    seed: int | None = None,
    n: int = 1,
    soundfont: str | Path | None = None,
    stems: bool = False,
    sheet: bool = False,
    system: str = "getmusic",
    device: str = "cpu",
    progress: Progress | None = None,
) -> MusicResult:
    """Writes some bars of a piece anew, to fit what stands around them.

    Args:
        bars: the first and the last to be written, counted from 1, as "9-12".
        tracks: names of the tracks to be written, with commas; all by default.

    Raises:
        InputError, OptionError, OutputError: as `editing.edit`.
    """
    return edit(
        "infill",
        "infill",
        source,
        output,
        {"bars": options.read_bar_range(bars), "tracks": options.read_names(tracks)},
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
