"""A score with other instruments around it."""

from __future__ import annotations

from pathlib import Path

from orchestrion.errors import OptionError
from orchestrion.verbs import options
from orchestrion.verbs.editing import edit
from orchestrion.verbs.result import MusicResult, Progress


def arrange(
    source: str | Path,
    output: str | Path,
    *,
    keep: str | None = None,
    add: str | None = None,
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
    """Keeps some tracks of a piece, note for note, and writes others to go with them.

    Args:
        keep: tracks to keep, with commas, by the system's names ("lead"), or "melody"; all by default.
        add: tracks to write, with commas, such as "bass, drums, piano".

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
