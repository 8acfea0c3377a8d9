"""A sound as a picture of what was heard in it: waveform, beats and bars, chords, sections, line by line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from orchestrion.media.audio import Audio
from orchestrion.media.canvas import (
    BAND,
    FAINT,
    FONT_SIZE,
    INK,
    blank,
    check_suffix,
    one_line,
    place,
    save,
    write_title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Labelled = tuple[float, float, str]
SECONDS_PER_LINE, MOST_LINES = 30.0, 12
WIDTH, LINE_HEIGHT, LEFT, RIGHT = 12.0, 1.25, 0.55, 0.2  # inches
TICK_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600)  # seconds
POINTS = 1500  # of the outline in a line
TINTS = ("#8fb8de", "#f2c38b", "#a8d5a2", "#e0a3b6", "#c3b2e5", "#e6dc8c", "#9fd6d2", "#d9b99b")
WAVE = "#56657a"


def draw_sound_map(
    audio: Audio,
    path: str | Path,
    *,
    beats: Sequence[float] = (),
    downbeats: Sequence[float] = (),
    chords: Sequence[Labelled] = (),
    sections: Sequence[Labelled] = (),
    title: str | None = None,
    dpi: int = 110,
) -> Path:
    """Draws a sound in lines of half a minute, or longer ones where twelve of them do not suffice.

    Args:
        path: .png, .svg or .pdf.
        beats, downbeats: seconds; short and long marks.
        chords, sections: start and end in seconds, and what is written; equal sections have equal colours.

    Raises:
        OptionError: the suffix is of no known format.
        OutputError: the file cannot be written.
    """
    check_suffix(path)
    span = max(
        SECONDS_PER_LINE if audio.seconds > SECONDS_PER_LINE else audio.seconds, audio.seconds / MOST_LINES, 1e-3
    )
    lines = max(int(np.ceil(audio.seconds / span - 1e-9)), 1)
    top = 0.5 if title else 0.15
    height = top + lines * LINE_HEIGHT + 0.35
    figure = blank(WIDTH, height, dpi)
    tints = {label: TINTS[i % len(TINTS)] for i, label in enumerate(dict.fromkeys(part[2] for part in sections))}
    mono = audio.samples.mean(axis=0)
    loudest = max(float(np.abs(mono).max(initial=0.0)), 1e-9)
    for line in range(lines):
        below = height - top - (line + 1) * LINE_HEIGHT
        axes = place(figure, LEFT, below + 0.18, RIGHT, top + line * LINE_HEIGHT)
        start = line * span
        _draw_line(axes, mono / loudest, audio.rate, start, start + span)
        _draw_parts(axes, sections, start, start + span, tints)
        _draw_chords(axes, chords, start, start + span)
        shown = np.asarray(beats, float)
        shown = shown[(shown >= start) & (shown < start + span)]
        axes.vlines(shown, 1.0, 1.14, color=FAINT, linewidth=0.8)
        bars = np.asarray(downbeats, float)
        bars = bars[(bars >= start) & (bars < start + span)]
        axes.vlines(bars, -1.0, 1.22, color=INK, linewidth=0.7, alpha=0.55)
    if title:
        write_title(figure, title, LEFT)
    return save(figure, path)


def _draw_line(axes: Axes, wave: np.ndarray, rate: int, start: float, end: float) -> None:
    part = wave[round(start * rate) : round(end * rate)]
    count = min(POINTS, max(len(part), 1))
    edges = np.linspace(0, len(part), count + 1).astype(int)[:-1]
    if len(part):
        high, low = np.maximum.reduceat(part, edges), np.minimum.reduceat(part, edges)
        axes.fill_between(start + edges / rate, low, high, color=WAVE, linewidth=0.3, edgecolor=WAVE, zorder=2)
    axes.set_xlim(start, end)
    axes.set_ylim(-1.05, 1.75)
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)
    step = _tick_step(end - start)
    ticks = np.arange(np.ceil(start / step - 1e-9), np.floor(end / step + 1e-9) + 1) * step
    ticks = ticks[ticks <= len(wave) / rate + 1e-6]
    axes.set_xticks(ticks.tolist(), [_clock(tick) for tick in ticks])


def _draw_parts(axes: Axes, parts: Sequence[Labelled], start: float, end: float, tints: dict[str, str]) -> None:
    for first, last, label in parts:
        if last <= start or first >= end:
            continue
        axes.axvspan(max(first, start), min(last, end), ymin=0, ymax=0.735, color=tints[label], alpha=0.35, linewidth=0)
        if first >= start:
            axes.text(first, -1.0, f" {one_line(label, 12)}", fontsize=FONT_SIZE, color=INK, va="bottom", weight="bold")


def _draw_chords(axes: Axes, chords: Sequence[Labelled], start: float, end: float) -> None:
    free = start
    for first, last, label in chords:
        if last <= start or first >= end:
            continue
        left, right = max(first, start), min(last, end)
        axes.fill_between([left, right], 1.3, 1.7, color=BAND, edgecolor=FAINT, linewidth=0.5)
        room = (right - max(left, free)) / (end - start) * (WIDTH - LEFT - RIGHT) * 72
        if room > 0.62 * FONT_SIZE * len(label):
            axes.text(
                (left + right) / 2,
                1.5,
                one_line(label, 12),
                fontsize=FONT_SIZE - 1,
                color=INK,
                ha="center",
                va="center_baseline",
            )
            free = right


def _tick_step(span: float) -> float:
    """The finest round step with at most seven marks in a line."""
    return next((step for step in TICK_STEPS if span / step <= 7), TICK_STEPS[-1])


def _clock(seconds: float) -> str:
    """Minutes and seconds; parts of a second as decimals."""
    whole = round(seconds)
    if abs(seconds - whole) > 1e-6:
        return f"{seconds:.3f}".rstrip("0")
    return f"{whole // 60}:{whole % 60:02d}"
