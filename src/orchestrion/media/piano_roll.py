"""The piano roll of a score as a picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float

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
from orchestrion.media.stage import track_names
from orchestrion.media.timeline import Timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from symusic.core import ScoreTick

# Ten colours that people with any colour vision tell apart, and that stay legible on white.
COLOURS = ("#2f6fb0", "#d1622b", "#2a8f6d", "#8b5fb8", "#b8860b", "#c2416b", "#3a9bb5", "#6b7f2a", "#8a5a44", "#5a6270")
LEFT, BOTTOM, LEGEND, GAP = 0.85, 0.5, 2.1, 0.06  # inches
MOST_NAMED_TRACKS = 20
MOST_DRUM_ROWS = 16
DRUMS = {
    35: "Kick", 36: "Kick", 37: "Side stick", 38: "Snare", 39: "Clap", 40: "Snare", 41: "Low tom", 42: "Closed hat",
    43: "Low tom", 44: "Pedal hat", 45: "Mid tom", 46: "Open hat", 47: "Mid tom", 48: "High tom", 49: "Crash",
    50: "High tom", 51: "Ride", 52: "China", 53: "Ride bell", 54: "Tambourine", 55: "Splash", 56: "Cowbell",
    57: "Crash", 58: "Vibraslap", 59: "Ride", 60: "Bongo", 61: "Bongo", 62: "Conga", 63: "Conga", 64: "Conga",
    65: "Timbale", 66: "Timbale", 67: "Agogo", 68: "Agogo", 69: "Cabasa", 70: "Maracas", 75: "Claves",
    76: "Wood block", 77: "Wood block", 80: "Triangle", 81: "Triangle",
}  # fmt: skip


def draw_piano_roll(
    score: ScoreTick,
    path: str | Path,
    *,
    title: str | None = None,
    chords: Iterable[Any] | None = None,
    width: float | None = None,
    dpi: int = 120,
) -> Path:
    """Draws the notes of a score over time: tracks in colours, louder notes stronger, bars numbered, drums in a strip.

    Args:
        path: .png, .svg or .pdf.
        title: printed on top.
        chords: printed above the notes; rows of (start, end, name) in quarter notes, or objects with `start`, `end`
            and `label`.
        width: inches; by the number of bars by default.
        dpi: pixels an inch.

    Raises:
        OptionError: the suffix is of no known format.
        OutputError: the file cannot be written.
    """
    check_suffix(path)
    timeline = Timeline.from_score(score)
    tracks = [track for track in score.tracks if len(track.notes)]
    named = list(zip(track_names(tracks), tracks, strict=True))
    pitched = [(name, track) for name, track in named if not track.is_drum]
    drums = [track for _, track in named if track.is_drum]
    end = max((float(timeline.tick_to_bar(_end(track))) for track in tracks), default=1.0)
    n_bars = max(int(np.ceil(end - 1e-6)), 1)
    spans = _chord_spans(chords, timeline)
    rows = _drum_rows(drums)
    strip = 0.17 * len(rows) + 0.1 if rows else 0.0
    right = LEGEND if pitched else 0.2
    top = 0.15 + 0.3 * bool(title) + 0.15 * bool(spans)
    figure = blank(width or float(np.clip(1.2 + right + 0.5 * n_bars, 8, 24)), 4.4 + top + strip, dpi)
    roll = place(figure, LEFT, BOTTOM + strip + GAP * bool(rows), right, top)
    axes = [roll]
    _draw_notes(roll, pitched, timeline, n_bars)
    if rows:
        axes.append(place(figure, LEFT, BOTTOM, right, 4.4 + top - BOTTOM))
        _draw_drums(axes[1], drums, rows, timeline)
    for one in axes:
        _draw_bars(one, n_bars, labelled=one is axes[-1])
    _draw_chords(roll, spans, n_bars)
    _draw_legend(roll, [name for name, _ in pitched])
    if title:
        write_title(figure, title, LEFT)
    return save(figure, path)


def draw_before_after(
    before: ScoreTick,
    after: ScoreTick,
    path: str | Path,
    *,
    shade: Bool[np.ndarray, "128 columns"] | None = None,
    columns_per_quarter: int = 4,
    dpi: int = 120,
) -> Path:
    """Draws the pitched notes of a score above those of what was made of it, on the same axes; a track that is in both
    has the same colour in both.

    Args:
        path: .png, .svg or .pdf.
        shade: where the second is marked, the highest pitch on top.
        columns_per_quarter: of `shade`.
        dpi: pixels an inch.

    Raises:
        OptionError: the suffix is of no known format.
        OutputError: the file cannot be written.
    """
    check_suffix(path)
    timelines = [Timeline.from_score(score) for score in (before, after)]
    n_bars = max(1, *(timeline.n_bars for timeline in timelines))
    figure = blank(float(np.clip(1.4 + LEGEND + 0.5 * n_bars, 8, 24)), 7.0, dpi)
    places = (place(figure, LEFT, 3.75, LEGEND, 0.3), place(figure, LEFT, BOTTOM, LEGEND, 3.55))
    known: list[str] = []
    for axes, score, timeline, word in zip(places, (before, after), timelines, ("Before", "After"), strict=True):
        named = list(zip(track_names(list(score.tracks)), score.tracks, strict=True))
        named = [(name, track) for name, track in named if len(track.notes) and not track.is_drum]
        known += [name for name, _ in named if name not in known]
        colours = [known.index(name) for name, _ in named]
        _draw_notes(axes, named, timeline, n_bars, colours)
        _draw_bars(axes, n_bars, labelled=word == "After")
        _draw_legend(axes, [name for name, _ in named], colours)
        axes.text(0.002, 1.01, word, transform=axes.transAxes, fontsize=FONT_SIZE, color=INK)
    low = min(axes.get_ylim()[0] for axes in places)
    high = max(axes.get_ylim()[1] for axes in places)
    if shade is not None:
        _draw_shade(places[1], shade, timelines[1], columns_per_quarter)
    for axes in places:
        axes.set_ylim(low, high)
    return save(figure, path)


def _draw_shade(axes: Axes, shade: np.ndarray, timeline: Timeline, columns_per_quarter: int) -> None:
    """Runs of marked columns as boxes, a row each."""
    from matplotlib.collections import PolyCollection

    boxes = []
    for row in np.flatnonzero(shade.any(1)):
        edges = np.flatnonzero(np.diff(np.pad(shade[row].astype(int), 1)))
        bars = timeline.tick_to_bar(timeline.quarter_to_tick(edges / columns_per_quarter)).reshape(-1, 2)
        boxes += list(_boxes(bars[:, 0], bars[:, 1], np.full(len(bars), float(len(shade) - 1 - row)), 0.5))
    axes.add_collection(PolyCollection(boxes, facecolors="#f6e7b0", zorder=0.5), autolim=False)


def _end(track: Any) -> int:
    notes = track.notes.numpy()
    return int((notes["time"].astype(np.int64) + notes["duration"]).max())


def _draw_notes(
    axes: Axes,
    tracks: Sequence[tuple[str, Any]],
    timeline: Timeline,
    n_bars: int,
    colours: Sequence[int] | None = None,
) -> None:
    """Tracks of long notes first, so that short ones stay visible on top of them; `colours` are numbers, in the order
    of the tracks by default."""
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgb

    low, high = 127, 0
    lengths: list[float] = []
    for number, (_, track) in zip(colours or range(len(tracks)), tracks, strict=True):
        notes = track.notes.numpy()
        left, right = _bars(timeline, notes)
        lengths.append(float((right - left).mean()))
        low, high = min(low, int(notes["pitch"].min())), max(high, int(notes["pitch"].max()))
        colour = np.array(to_rgb(COLOURS[number % len(COLOURS)]))
        strength = 0.4 + 0.6 * np.clip(notes["velocity"] / 110, 0, 1)[:, None]
        boxes = PolyCollection(
            list(_boxes(left, right, notes["pitch"].astype(float), 0.42)),
            facecolors=[tuple(face) for face in 1 - strength * (1 - colour)],
            edgecolors=[tuple(colour * 0.8)],
            linewidths=0.5,
        )
        axes.add_collection(boxes, autolim=False)
    ranks = np.argsort(np.argsort(-np.array(lengths)))
    for boxes, rank in zip(axes.collections, ranks, strict=True):
        boxes.set_zorder(3 + rank / 1000)
    low, high = (low - 3, high + 3) if tracks else (57, 75)
    middle = (low + high) / 2
    bottom, top = min(low, middle - 9), max(high, middle + 9)
    axes.set_ylim(bottom, top)
    black = np.array([pitch for pitch in range(int(bottom), int(top) + 1) if pitch % 12 in (1, 3, 6, 8, 10)], float)
    sides = np.full(len(black), -1.0), np.full(len(black), n_bars + 1.0)
    axes.add_collection(PolyCollection(list(_boxes(*sides, black, 0.5)), facecolors=BAND, zorder=0), autolim=False)
    places = [pitch for pitch in range(int(np.ceil(bottom)), int(top) + 1) if pitch % 12 == 0]
    axes.set_yticks(places, [f"C{pitch // 12 - 1}" for pitch in places])


def _bars(timeline: Timeline, notes: Any) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends in bars; very short notes stay visible."""
    start = notes["time"].astype(np.int64)
    left = timeline.tick_to_bar(start)
    right = timeline.tick_to_bar(start + notes["duration"])
    return left, np.maximum(right, left + 0.02)


def _boxes(left: np.ndarray, right: np.ndarray, middle: np.ndarray, half: float) -> Float[np.ndarray, "n 4 2"]:
    low, high = middle - half, middle + half
    return np.stack(
        [np.stack(corner, axis=1) for corner in ((left, low), (right, low), (right, high), (left, high))], axis=1
    )


def _drum_rows(drums: Sequence[Any]) -> list[str]:
    """The instruments of the kit from the lowest, the most used where there are too many."""
    counts: dict[str, tuple[int, int]] = {}
    for track in drums:
        for pitch in track.notes.numpy()["pitch"].tolist():
            name = DRUMS.get(pitch, "Other")
            used, lowest = counts.get(name, (0, pitch))
            counts[name] = used + 1, min(lowest, pitch)
    most = sorted(counts, key=lambda name: -counts[name][0])[:MOST_DRUM_ROWS]
    return sorted(most, key=lambda name: (counts[name][1], name))


def _draw_drums(axes: Axes, drums: Sequence[Any], rows: Sequence[str], timeline: Timeline) -> None:
    for track in drums:
        notes = track.notes.numpy()
        names = [DRUMS.get(pitch, "Other") for pitch in notes["pitch"].tolist()]
        shown = np.array([name in rows for name in names], dtype=bool)
        at = timeline.tick_to_bar(notes["time"].astype(np.int64))[shown]
        row = [rows.index(name) for name in names if name in rows]
        sizes = 4 + 14 * (notes["velocity"][shown] / 127.0) ** 2
        axes.scatter(at, row, s=sizes, color=INK, marker="D", linewidths=0, zorder=3)
    axes.set_ylim(-0.8, len(rows) - 0.2)
    axes.set_yticks(range(len(rows)), rows, fontsize=FONT_SIZE - 2)


def _draw_bars(axes: Axes, n_bars: int, *, labelled: bool) -> None:
    step = next(step for step in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, n_bars) if n_bars / step <= 44)
    axes.set_xlim(-0.05, n_bars + 0.05)
    bars = np.arange(0, n_bars + 1, max(step // 4, 1))
    widths = np.where(bars % (4 * step) == 0, 0.9, 0.45)
    axes.vlines(bars, 0, 1, transform=axes.get_xaxis_transform(), colors=FAINT, linewidths=widths.tolist(), zorder=1)
    if labelled:
        numbered = range(0, n_bars, step)
        axes.set_xticks([bar + 0.5 * (step == 1) for bar in numbered], [str(bar + 1) for bar in numbered])
        axes.set_xlabel("Bar", color=INK, fontsize=FONT_SIZE)
    else:
        axes.set_xticks([])


def _chord_spans(chords: Iterable[Any] | None, timeline: Timeline) -> list[tuple[float, float, str]]:
    """(first bar, last bar, name)."""
    spans = []
    for chord in chords or ():
        start, end, name = chord if isinstance(chord, tuple | list) else (chord.start, chord.end, _name(chord))
        places = timeline.tick_to_bar(timeline.quarter_to_tick(np.array([start, end], dtype=float)))
        spans.append((float(places[0]), float(places[1]), str(name)))
    return spans


def _name(span: Any) -> str:
    named = next((getattr(span, field) for field in ("label", "name", "chord") if hasattr(span, field)), span)
    return str(named)


def _draw_chords(axes: Axes, spans: Sequence[tuple[float, float, str]], n_bars: int) -> None:
    """Names that would touch the one before are left out."""
    width = axes.figure.get_figwidth()  # pyright: ignore[reportAttributeAccessIssue]
    free = -np.inf
    for start, _, name in spans:
        if start < free or start >= n_bars:
            continue
        axes.text(start + 0.04, 1.012, name, transform=axes.get_xaxis_transform(), fontsize=FONT_SIZE - 1, color=INK)
        free = start + (len(name) * 0.075 + 0.06) * n_bars / (0.85 * width)


def _draw_legend(axes: Axes, names: Sequence[str], colours: Sequence[int] | None = None) -> None:
    from matplotlib.patches import Patch

    if not names:
        return
    shown = [one_line(name, 28) for name in names[:MOST_NAMED_TRACKS]]
    if len(names) > MOST_NAMED_TRACKS:
        shown[-1] = f"and {len(names) - MOST_NAMED_TRACKS + 1} more"
    numbers = (colours or range(len(names)))[: len(shown)]
    handles = [
        Patch(color=COLOURS[number % len(COLOURS)], label=name) for number, name in zip(numbers, shown, strict=True)
    ]
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.005, 1.0), frameon=False, fontsize=FONT_SIZE - 1,
                handlelength=1.0, handleheight=1.0, borderaxespad=0.0, labelcolor=INK)  # fmt: skip
