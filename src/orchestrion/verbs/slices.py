"""Slices of a score swapped for related ones."""

from __future__ import annotations

from pathlib import Path

from orchestrion.verbs import options
from orchestrion.verbs.editing import edit
from orchestrion.verbs.result import MusicResult, Progress


def slices(
    source: str | Path,
    output: str | Path,
    *,
    replace: float = 0.3,
    neighbours: int = 20,
    seed: int | None = None,
    n: int = 1,
    soundfont: str | Path | None = None,
    stems: bool = False,
    sheet: bool = False,
    system: str = "word2vec_music",
    device: str = "cpu",
    progress: Progress | None = None,
) -> MusicResult:
    """Swaps slices of a beat for related ones: the rhythm stays, the harmony changes.

    Args:
        replace: share of the slices, from 0 (the piece as it is) to 1.
        neighbours: how many related slices a substitute is chosen from, 1 to 400; with more it strays farther.

    Raises:
        InputError, OptionError, OutputError: as `editing.edit`.
    """
    options.within("--replace", replace, 0.0, 1.0)
    options.within("--neighbours", neighbours, 1, 400)
    return edit(
        "slices",
        "replace_slices",
        source,
        output,
        {"share": replace, "neighbours": neighbours},
        temperature=None,
        seed=seed,
        n=n,
        soundfont=soundfont,
        stems=stems,
        sheet=sheet,
        system=system,
        device=device,
        progress=progress,
    )
