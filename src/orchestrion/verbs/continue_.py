"""Music that goes on where a file ends."""

from __future__ import annotations

from pathlib import Path

from orchestrion.verbs import options
from orchestrion.verbs.editing import edit
from orchestrion.verbs.result import MusicResult, Progress


def continue_(
    source: str | Path,
    output: str | Path,
    *,
    bars: int = 8,
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
    """Adds bars to the end of a MIDI, MusicXML, ABC or kern file.

    Args:
        bars: how many to add.

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
