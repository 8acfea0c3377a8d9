"""New music where a mask on the piano roll says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from orchestrion.errors import OptionError
from orchestrion.verbs import options
from orchestrion.verbs.editing import Making, make
from orchestrion.verbs.result import MusicResult

if TYPE_CHECKING:
    import numpy as np

    Mask = str | Path | np.ndarray

COLUMNS_PER_QUARTER = 4  # of shapes; masks of any size are fitted to the piece


def paint(
    source: str | Path,
    output: str | Path,
    *,
    mask: Mask,
    bars: str | None = None,
    low: int | None = None,
    high: int | None = None,
    repaint: int | None = None,
    candidates: int = 1,
    busy: float = 100.0,
    **how: Unpack[Making],
) -> MusicResult:
    """Writes notes where a mask on the piano roll is white; all that begins elsewhere is kept note for note. A picture
    of the roll before and after, with the mask, is written beside the result.

    Args:
        mask: a picture of the whole piece, the highest pitch on top, with white where music shall appear (grey comes
            later, blue counts as white); an array of such, True where music shall appear; or the name of a shape (see
            `paint_masks.SHAPES`).
        bars: the first and the last that a shape takes, counted from 1, as "9-12"; all by default.
        low, high: lowest and highest pitch of a shape, as MIDI numbers.
        repaint: how often each step is done, to fit what is kept; twice by default. More makes more notes with the
            published weights, and fewer with the miniature.
        candidates, busy: of so many tries, the one is kept that has more notes than `busy` percent of them.
        how: as `editing.Making`; the system is "pictures_of_midi" by default.

    Raises:
        InputError: a file cannot be read, or has no notes.
        OptionError: an option is out of range, or the system cannot do this.
        OutputError: the files cannot be written; then none is.
    """
    import numpy as np

    from orchestrion.representations.paint_masks import SHAPES, as_mask, read_mask, shape_mask
    from orchestrion.representations.painting import bar_mask, piece_columns
    from orchestrion.verbs.serving import read_music

    options.check_sampling(None, None, how.get("n", 1))
    for name, value, most in (("--repaint", repaint, 20), ("--candidates", candidates, 64)):
        options.within(name, value, 1, most)
    options.within("--busy", busy, 0, 100, "percent")
    options.check_output(Path(output))
    score = read_music(Path(source))
    columns = piece_columns(score, COLUMNS_PER_QUARTER)
    if isinstance(mask, str) and (mask in SHAPES or not Path(mask).suffix):
        start, stop = 0, columns
        if bars is not None:
            taken = np.flatnonzero(bar_mask(score, options.read_bar_range(bars), columns, COLUMNS_PER_QUARTER).any(0))
            start, stop = (int(taken[0]), int(taken[-1]) + 1) if len(taken) else (columns, columns)
        drawn = shape_mask(mask, columns, start=start, stop=stop, low=low, high=high)
    else:
        if bars is not None or low is not None or high is not None:
            raise OptionError("Bars and pitches are of shapes; a painted mask says itself where it is free.")
        drawn = read_mask(mask) if isinstance(mask, str | Path) else mask
    free = as_mask(drawn, columns)
    asked = {"mask": free, "repaint": repaint, "candidates": candidates, "busy": busy}
    told = {"mask": str(mask) if isinstance(mask, str | Path) else "array", "bars": bars, "low": low, "high": high}
    how.setdefault("system", "pictures_of_midi")
    name = Path(source).name
    return make("paint", "paint", (score,), output, asked, name=name, told=told, before=score, shade=free <= 1, **how)
