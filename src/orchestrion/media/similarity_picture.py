"""Self-similarity matrices side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from orchestrion.media.canvas import INK, blank, one_line, place, save, write_title

SIDE, MARGIN, TOP = 3.2, 0.45, 0.8  # inches


def draw_similarity(
    matrices: Sequence[np.ndarray], names: Sequence[str], path: str | Path, *, title: str = "", dpi: int = 100
) -> Path:
    """Each matrix as a square from 0 (light) to 1 (dark), time to the right and upwards, with its name above.

    Raises:
        OptionError: the suffix is of no known format.
        OutputError: the file cannot be written.
    """
    width = MARGIN + len(matrices) * (SIDE + MARGIN)
    height = MARGIN + SIDE + TOP
    figure = blank(width, height, dpi)
    for number, (matrix, name) in enumerate(zip(matrices, names, strict=True)):
        left = MARGIN + number * (SIDE + MARGIN)
        axes = place(figure, left, MARGIN, width - left - SIDE, TOP)
        axes.imshow(matrix, cmap="magma_r", vmin=0, vmax=1, aspect="auto", extent=(0, 1, 0, 1))
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_title(one_line(name, 40), fontsize=9, color=INK)
        axes.set_xlabel("time", fontsize=8, color=INK)
    if title:
        write_title(figure, title, MARGIN)
    return save(figure, path)
