"""Pictures of music: the piano roll of a score, the spectrogram of a sound. Drawn without a display."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from orchestrion.errors import OptionError
from orchestrion.media.audio import Audio
from orchestrion.media.files import atomic_write
from orchestrion.media.stage import track_names
from orchestrion.media.timeline import Timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from symusic.core import ScoreTick

SUFFIXES = (".png", ".svg", ".pdf")
# Ten colours that people with any colour vision tell apart, and that stay legible on white.
COLOURS = ("#2f6fb0", "#d1622b", "#2a8f6d", "#8b5fb8", "#b8860b", "#c2416b", "#3a9bb5", "#6b7f2a", "#8a5a44", "#5a6270")
INK, FAINT, PAPER, BLACK_KEY = "#22262b", "#c9ced6", "#ffffff", "#f3f4f6"
FONT_SIZE = 9
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
    timeline = Timeline.from_score(score)
    tracks = [track for track in score.tracks if len(track.notes)]
    named = list(zip(track_names(tracks), tracks, strict=True))
    pitched = [(name, track) for name, track in named if not track.is_drum]
    drums = [track for _, track in named if track.is_drum]
    end = max((float(timeline.tick_to_bar(_end(track))) for track in tracks), default=1.0)
    n_bars = max(int(np.ceil(end - 1e-6)), 1)
    spans = _chord_spans(chords, timeline)
    rows = _drum_rows(drums)
    figure = _figure(width or float(np.clip(2.0 + 0.55 * n_bars, 8, 24)), 5.0 + 0.16 * len(rows), dpi)
    grid = figure.add_gridspec(2, 1, height_ratios=[4.0, max(0.17 * len(rows), 0.01)], hspace=0.04)
    roll = figure.add_subplot(grid[0])
    _draw_notes(roll, pitched, timeline)
    axes = [roll]
    if rows:
        axes.append(figure.add_subplot(grid[1], sharex=roll))
        _draw_drums(axes[1], drums, rows, timeline)
    for one in axes:
        _draw_bars(one, n_bars, labelled=one is axes[-1])
    _draw_chords(roll, spans, n_bars)
    _draw_legend(roll, [name for name, _ in pitched])
    if title:
        figure.suptitle(_one_line(title, 110), x=0.06, y=0.985, ha="left", fontsize=FONT_SIZE + 3, color=INK)
    return _save(figure, path, dpi)


def _end(track: Any) -> int:
    notes = track.notes.numpy()
    return int((notes["time"].astype(np.int64) + notes["duration"]).max())


def _figure(width: float, height: float, dpi: int) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=dpi, facecolor=PAPER, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _draw_notes(axes: Axes, tracks: Sequence[tuple[str, Any]], timeline: Timeline) -> None:
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgb

    low, high = 127, 0
    for number, (_, track) in enumerate(tracks):
        notes = track.notes.numpy()
        left, right = _bars(timeline, notes)
        low, high = min(low, int(notes["pitch"].min())), max(high, int(notes["pitch"].max()))
        colour = np.array(to_rgb(COLOURS[number % len(COLOURS)]))
        strength = 0.45 + 0.55 * np.clip(notes["velocity"] / 110, 0, 1)[:, None]
        faces = np.concatenate([1 - strength * (1 - colour), np.full((len(notes["time"]), 1), 0.92)], axis=1)
        boxes = _boxes(left, right, notes["pitch"].astype(float), 0.42)
        axes.add_collection(PolyCollection(boxes, facecolors=faces, edgecolors=colour, linewidths=0.5, zorder=3))
    low, high = (low - 3, high + 3) if tracks else (57, 75)
    middle = (low + high) / 2
    axes.set_ylim(min(low, middle - 9), max(high, middle + 9))
    bottom, top = axes.get_ylim()
    for pitch in range(int(bottom), int(top) + 1):
        if pitch % 12 in (1, 3, 6, 8, 10):
            axes.axhspan(pitch - 0.5, pitch + 0.5, color=BLACK_KEY, linewidth=0, zorder=0)
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
    for bar in range(0, n_bars + 1, max(step // 4, 1)):
        strong = bar % (4 * step) == 0
        axes.axvline(bar, color=FAINT, linewidth=0.9 if strong else 0.45, zorder=1)
    if labelled:
        bars = range(0, n_bars, step)
        axes.set_xticks([bar + 0.5 * (step == 1) for bar in bars], [str(bar + 1) for bar in bars])
        axes.set_xlabel("Bar", color=INK, fontsize=FONT_SIZE)
    else:
        axes.tick_params(labelbottom=False)
    _plain_frame(axes)


def _plain_frame(axes: Axes) -> None:
    axes.tick_params(length=0, colors=INK, labelsize=FONT_SIZE - 1)
    for side in axes.spines.values():
        side.set_color(FAINT)


def _chord_spans(chords: Iterable[Any] | None, timeline: Timeline) -> list[tuple[float, float, str]]:
    """(first bar, last bar, name)."""
    spans = []
    for chord in chords or ():
        start, end, name = (
            chord if isinstance(chord, tuple | list) else (chord.start, chord.end, getattr(chord, "label", chord))
        )
        places = timeline.tick_to_bar(timeline.quarter_to_tick(np.array([start, end], dtype=float)))
        spans.append((float(places[0]), float(places[1]), str(name)))
    return spans


def _draw_chords(axes: Axes, spans: Sequence[tuple[float, float, str]], n_bars: int) -> None:
    """Names that would touch the one before are left out."""
    width = axes.figure.get_figwidth()  # pyright: ignore[reportAttributeAccessIssue]
    free = -np.inf
    for start, _, name in spans:
        if start < free or start >= n_bars:
            continue
        axes.text(start + 0.04, 1.012, name, transform=axes.get_xaxis_transform(), fontsize=FONT_SIZE - 1, color=INK)
        free = start + (len(name) * 0.075 + 0.06) * n_bars / (0.85 * width)


def _draw_legend(axes: Axes, names: Sequence[str]) -> None:
    from matplotlib.patches import Patch

    if not names:
        return
    shown = [_one_line(name, 28) for name in names[:MOST_NAMED_TRACKS]]
    if len(names) > MOST_NAMED_TRACKS:
        shown[-1] = f"and {len(names) - MOST_NAMED_TRACKS + 1} more"
    handles = [Patch(color=COLOURS[number % len(COLOURS)], label=name) for number, name in enumerate(shown)]
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.005, 1.0), frameon=False, fontsize=FONT_SIZE - 1,
                handlelength=1.0, handleheight=1.0, borderaxespad=0.0, labelcolor=INK)  # fmt: skip


def _one_line(text: str, most: int) -> str:
    """Text as it is printed: no line breaks, no mathematics, not too long, only characters that the font has."""
    from matplotlib import font_manager
    from matplotlib.ft2font import FT2Font

    known = FT2Font(font_manager.findfont("DejaVu Sans")).get_charmap()
    line = " ".join("".join(c if c.isspace() or ord(c) in known else "?" for c in text).split())
    return (line if len(line) <= most else line[: most - 1] + "…").replace("$", r"\$")


def draw_spectrogram(
    audio: Audio, path: str | Path, *, title: str | None = None, n_fft: int = 2048, n_mels: int = 192, dpi: int = 120
) -> Path:
    """Draws the power of a sound over time and frequency, in dB under its maximum, mel scale.

    Args:
        path: .png, .svg or .pdf.
        n_fft: samples in a window.
        n_mels: bands from 30 Hz to half the rate, at most 16 kHz.

    Raises:
        OptionError: the suffix is of no known format.
        OutputError: the file cannot be written.
    """
    figure = _figure(float(np.clip(4 + audio.seconds * 0.2, 8, 18)), 4.2, dpi)
    axes = figure.add_subplot()
    decibels, edges = mel_decibels(audio, n_fft=n_fft, n_mels=n_mels)
    end = max(audio.seconds, 1e-3)
    image = axes.imshow(
        decibels, origin="lower", aspect="auto", extent=(0, end, 0, n_mels), cmap="magma", vmin=-80, vmax=0
    )
    marks = [hertz for hertz in (50, 100, 200, 400, 800, 1600, 3200, 6400, 12800) if edges[1] < hertz < edges[-2]]
    axes.set_yticks(np.interp(marks, edges[1:-1], np.arange(n_mels) + 0.5).tolist(),
                    [f"{hertz / 1000:g}k" if hertz >= 1000 else str(hertz) for hertz in marks])  # fmt: skip
    axes.set_xlabel("Seconds", fontsize=FONT_SIZE, color=INK)
    axes.set_ylabel("Hz", fontsize=FONT_SIZE, color=INK)
    _plain_frame(axes)
    bar = figure.colorbar(image, ax=axes, pad=0.01, fraction=0.03)
    bar.set_label("dB", fontsize=FONT_SIZE, color=INK)
    bar.ax.tick_params(length=0, labelsize=FONT_SIZE - 1, colors=INK)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    if title:
        axes.set_title(_one_line(title, 110), loc="left", fontsize=FONT_SIZE + 3, color=INK)
    return _save(figure, path, dpi)


def mel_decibels(
    audio: Audio, *, n_fft: int = 2048, n_mels: int = 192, most_frames: int = 2400
) -> tuple[Float[np.ndarray, "n_mels frames"], Float[np.ndarray, " edges"]]:
    """Mel power in dB under the maximum (floor -80), and the edges of the bands in Hz (n_mels + 2).

    The windows overlap by three quarters; of long sounds only every so-manieth is taken, for `most_frames` in all.
    """
    mono = audio.samples.mean(axis=0)
    mono = np.pad(mono, (n_fft // 2, max(n_fft // 2, n_fft - len(mono))))
    hop = max(n_fft // 4, -(-len(mono) // most_frames))
    frames = np.lib.stride_tricks.sliding_window_view(mono, n_fft)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(n_fft).astype(np.float32), axis=1)) ** 2
    edges = _mel_edges(30.0, min(audio.rate / 2, 16000.0), n_mels)
    bins = np.fft.rfftfreq(n_fft, 1 / audio.rate)
    up = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    down = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    weights = np.maximum(np.minimum(up, down), 0)
    empty = weights.sum(axis=1) == 0  # bands narrower than a bin take the nearest
    weights[empty, np.abs(bins - edges[1:-1][empty, None]).argmin(axis=1)] = 1
    mel = (weights / weights.sum(axis=1, keepdims=True)) @ power.T
    loudest = mel.max()
    if loudest <= 0:
        return np.full(mel.shape, -80.0), edges
    return np.maximum(10 * np.log10(np.maximum(mel / loudest, 1e-12)), -80.0), edges


def _mel_edges(low: float, high: float, n_mels: int) -> Float[np.ndarray, " edges"]:
    """Equal steps on the mel scale 2595 log10(1 + f / 700)."""
    mels = np.linspace(*(2595 * np.log10(1 + np.array([low, high]) / 700)), n_mels + 2)
    return 700 * (10 ** (mels / 2595) - 1)


def _save(figure: Figure, path: str | Path, dpi: int) -> Path:
    """Writes the picture without date, so that the same picture is the same file."""
    target = Path(path)
    form = target.suffix.lower().lstrip(".")
    if f".{form}" not in SUFFIXES:
        raise OptionError(f"A picture cannot be written as {target.suffix!r}; choose {', '.join(SUFFIXES)}.")
    from matplotlib import rc_context

    undated: dict[str, dict[str, str | None]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
    with atomic_write(target) as temporary, rc_context({"svg.hashsalt": "orchestrion"}):
        figure.savefig(temporary, format=form, dpi=dpi, metadata=undated[form])
    return target
