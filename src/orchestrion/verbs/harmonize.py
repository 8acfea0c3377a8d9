"""Chords for a melody."""

from __future__ import annotations

from pathlib import Path

from orchestrion.verbs.editing import edit
from orchestrion.verbs.result import MusicResult, Progress


def harmonize(
    source: str | Path,
    output: str | Path,
    *,
    melody: str | None = None,
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
    """Writes a chord track for a melody.

    Args:
        melody: name of the track that carries it; the system finds it by default.

    Raises:
        InputError, OptionError, OutputError: as `editing.edit`.
    """
    return edit(
        "harmonize",
        "harmonize",
        source,
        output,
        {"melody": melody},
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
