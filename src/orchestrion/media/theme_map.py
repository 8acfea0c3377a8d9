"""A melody over its bars, with bands where its themes are: a picture of what returns where."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from orchestrion.media.canvas import FAINT, FONT_SIZE, INK, blank, check_suffix, place, save, write_title
from orchestrion.media.piano_roll import COLOURS

LEFT, BOTTOM, RIGHT, TOP = 0.6, 0.5, 0.2, 0.75  # inches
INCHES_A_BAR, NARROWEST, WIDEST = 0.35, 8.0, 24.0
MOST_NUMBERS = 40


def draw_theme_map(
    notes: Float[np.ndarray, "notes 3"],
    regions: Sequence[tuple[float, float, int]],
    path: str | Path,
    *,
    n_bars: int,
    title: str | None = None,
) -> Path:
    """Draws notes and theme regions.

    Args:
        notes: rows of (begin, end, MIDI pitch), times in bars from 0.
        regions: (first bar, bar after the last, number of the theme from 0).
        path: .png, .svg or .pdf.

    Raises:
        OptionError: the suffix is of no known format.
        OutputError: the file cannot be written.
    """
    from matplotlib.collections import PolyCollection

    check_suffix(path)
    figure = blank(float(np.clip(1.0 + INCHES_A_BAR * n_bars, NARROWEST, WIDEST)), 3.4, 120)
    axes = place(figure, LEFT, BOTTOM, RIGHT, TOP if title else TOP - 0.35)
    for begin, end, theme in regions:
        colour = COLOURS[theme % len(COLOURS)]
        axes.axvspan(begin, end, color=colour, alpha=0.22, linewidth=0)
        axes.text(
            (begin + end) / 2, 1.02, theme_name(theme), transform=axes.get_xaxis_transform(), ha="center", color=colour,
            fontsize=FONT_SIZE, weight="bold",
        )  # fmt: skip
    if len(notes):
        left, right = notes[:, 0], np.maximum(notes[:, 1], notes[:, 0] + 0.02)
        low, high = notes[:, 2] - 0.42, notes[:, 2] + 0.42
        corners = [np.stack(corner, 1) for corner in ((left, low), (right, low), (right, high), (left, high))]
        axes.add_collection(PolyCollection(list(np.stack(corners, 1)), facecolors=INK, linewidths=0), autolim=False)
        axes.set_ylim(float(notes[:, 2].min()) - 3, float(notes[:, 2].max()) + 3)
    step = next(step for step in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, n_bars) if n_bars / step <= MOST_NUMBERS)
    axes.set_xlim(0, max(n_bars, 1))
    axes.set_xticks(range(0, n_bars, step), [str(bar + 1) for bar in range(0, n_bars, step)])
    axes.vlines(range(n_bars), 0, 1, transform=axes.get_xaxis_transform(), colors=FAINT, linewidths=0.4, zorder=0)
    axes.set_xlabel("Bar", color=INK, fontsize=FONT_SIZE)
    if title:
        write_title(figure, title, LEFT)
    return save(figure, path)


def theme_name(number: int) -> str:
    """A to Z, then A1, B1 …"""
    return chr(ord("A") + number % 26) + (str(number // 26) if number >= 26 else "")
