"""A piece as an improvisation in another genre."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

from orchestrion.verbs import options
from orchestrion.verbs.editing import Editing, edit
from orchestrion.verbs.result import MusicResult

MOST_PASSES = 50


def restyle(
    source: str | Path,
    output: str | Path,
    *,
    genre: str = "jazz",
    strength: float | None = None,
    passes: int | None = None,
    keep_passes: bool = False,
    picture: str | Path | None = None,
    **how: Unpack[Editing],
) -> MusicResult:
    """Rewrites a piece in several passes, more of it the greater the strength; the strongest borders of its sections
    stay.

    Args:
        genre: one that the system knows.
        strength: from 0 to 1: how probable it is that a segment is written anew in a pass; 0.6 by default.
        passes: how many; 5 by default.
        keep_passes: also the result of every pass but the last, as name-1, name-2 …
        picture: also the self-similarity of the source and of the last result, side by side (.png, .svg, .pdf).
        how: as `Editing`; the system is "improvnet" by default.

    Raises:
        InputError, OptionError, OutputError: as `editing.edit`.
    """
    options.within("--strength", strength, 0.0, 1.0)
    options.within("--passes", passes, 1, MOST_PASSES, "passes")
    if picture is not None:
        from orchestrion.media.canvas import check_suffix

        check_suffix(picture)
    how.setdefault("system", "improvnet")
    result = edit(
        "restyle",
        "restyle",
        source,
        output,
        {"genre": genre, "strength": strength, "passes": passes, "keep_passes": keep_passes or None},
        **how,
    )
    if picture is not None:
        draw(Path(source), result, Path(picture))
    return result


def draw(source: Path, result: MusicResult, picture: Path) -> None:
    """Both self-similarity matrices, with their correlation."""
    from orchestrion.analysis.self_similarity import agreement, score_similarity
    from orchestrion.media.score import read_score
    from orchestrion.media.similarity_picture import draw_similarity

    written = next(path for path in result.pieces[-1].files if path.suffix == ".mid")
    matrices = [score_similarity(read_score(path)) for path in (source, written)]
    alike = agreement(*matrices)
    draw_similarity(matrices, [source.name, written.name], picture, title=f"Correlation {alike.pearson:.2f}")
