"""Tags over time as a picture: a row for each tag, a column for each window."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from orchestrion.media.canvas import FONT_SIZE, INK, blank, check_suffix, place, save, write_title


def draw_taggram(
    scores: Float[np.ndarray, "windows tags"],
    names: Sequence[str],
    path: str | Path,
    *,
    hop: float,
    most: int = 20,
    title: str | None = None,
    dpi: int = 120,
) -> Path:
    """Draws probabilities of tags over time, those with the highest mean on top.

    Args:
        hop: seconds between windows.
        most: tags that are shown.

    Raises:
        OptionError: the suffix is of no known format.
        OutputError: the file cannot be written.
    """
    check_suffix(path)
    order = np.argsort(-scores.mean(0), kind="stable")[:most]
    shown = scores[:, order].T
    seconds = len(scores) * hop
    left = 0.3 + 0.075 * max((min(len(names[tag]), 28) for tag in order), default=1)
    figure = blank(float(np.clip(left + 2 + seconds * 0.06, 7, 18)), 1.2 + 0.22 * len(order), dpi)
    axes = place(figure, left, 0.5, 0.9, 0.45 if title else 0.15)
    image = axes.imshow(
        shown, aspect="auto", cmap="magma", vmin=0, vmax=1, extent=(0, seconds, len(order), 0), interpolation="nearest"
    )
    axes.set_yticks((np.arange(len(order)) + 0.5).tolist(), [str(names[tag])[:28] for tag in order])
    axes.set_xlabel("Seconds", fontsize=FONT_SIZE, color=INK)
    width = figure.get_size_inches()[0]
    side = place(figure, width - 0.75, 0.5, 0.6, 0.45 if title else 0.15)
    figure.colorbar(image, cax=side).set_label("probability", fontsize=FONT_SIZE, color=INK)
    side.tick_params(length=0, labelsize=FONT_SIZE - 1, colors=INK)
    if title:
        write_title(figure, title, left)
    return save(figure, path)
