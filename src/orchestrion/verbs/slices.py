"""Slices of a score swapped for related ones."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

from orchestrion.verbs import options
from orchestrion.verbs.editing import Making, edit
from orchestrion.verbs.result import MusicResult


def slices(
    source: str | Path,
    output: str | Path,
    *,
    replace: float = 0.3,
    neighbours: int = 20,
    **how: Unpack[Making],
) -> MusicResult:
    """Swaps slices of a beat for related ones: the rhythm stays, the harmony changes.

    Args:
        replace: share of the slices, from 0 (the piece as it is) to 1.
        neighbours: how many related slices a substitute is chosen from, 1 to 400; with more it strays farther.
        how: as `Making`; the system is "word2vec_music" by default.

    Raises:
        InputError, OptionError, OutputError: as `editing.edit`.
    """
    options.within("--replace", replace, 0.0, 1.0)
    options.within("--neighbours", neighbours, 1, 400)
    how.setdefault("system", "word2vec_music")
    return edit(
        "slices",
        "replace_slices",
        source,
        output,
        {"share": replace, "neighbours": neighbours},
        **how,
    )
