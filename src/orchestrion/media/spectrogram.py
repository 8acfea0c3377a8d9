"""The spectrogram of a sound as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float

from orchestrion.media.audio import Audio
from orchestrion.media.canvas import FONT_SIZE, INK, blank, check_suffix, place, save, write_title

FLOOR_DB = -80.0
LOWEST, HIGHEST = 30.0, 16000.0  # Hz
MARKS = (100, 200, 400, 800, 1600, 3200, 6400, 12800)  # Hz


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
    check_suffix(path)
    figure = blank(float(np.clip(4 + audio.seconds * 0.2, 8, 18)), 4.2, dpi)
    axes = place(figure, 0.65, 0.5, 0.95, 0.45 if title else 0.15)
    decibels, edges = mel_decibels(audio, n_fft=n_fft, n_mels=n_mels)
    image = axes.imshow(
        decibels,
        origin="lower",
        aspect="auto",
        extent=(0, max(audio.seconds, 1e-3), 0, n_mels),
        cmap="magma",
        vmin=FLOOR_DB,
        vmax=0,
    )
    marks = [hertz for hertz in MARKS if edges[1] < hertz < edges[-2]]
    rows = np.interp(marks, edges[1:-1], np.arange(n_mels) + 0.5)
    axes.set_yticks(rows.tolist(), [f"{hertz / 1000:g}k" if hertz >= 1000 else str(hertz) for hertz in marks])
    axes.set_xlabel("Seconds", fontsize=FONT_SIZE, color=INK)
    axes.set_ylabel("Hz", fontsize=FONT_SIZE, color=INK)
    width = figure.get_size_inches()[0]
    side = place(figure, width - 0.8, 0.5, 0.65, 0.45 if title else 0.15)
    figure.colorbar(image, cax=side).set_label("dB", fontsize=FONT_SIZE, color=INK)
    side.tick_params(length=0, labelsize=FONT_SIZE - 1, colors=INK)
    if title:
        write_title(figure, title, 0.65)
    return save(figure, path)


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
    edges = _mel_edges(LOWEST, min(audio.rate / 2, HIGHEST), n_mels)
    bins = np.fft.rfftfreq(n_fft, 1 / audio.rate)
    up = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    down = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    weights = np.maximum(np.minimum(up, down), 0)
    empty = weights.sum(axis=1) == 0  # bands narrower than a bin take the nearest
    weights[empty, np.abs(bins - edges[1:-1][empty, None]).argmin(axis=1)] = 1
    mel = (weights / weights.sum(axis=1, keepdims=True)) @ power.T
    loudest = mel.max()
    if loudest <= 0:
        return np.full(mel.shape, FLOOR_DB), edges
    return np.maximum(10 * np.log10(np.maximum(mel / loudest, 1e-12)), FLOOR_DB), edges


def _mel_edges(low: float, high: float, n_mels: int) -> Float[np.ndarray, " edges"]:
    """Equal steps on the mel scale 2595 log10(1 + f / 700)."""
    first, last = (2595 * float(np.log10(1 + hertz / 700)) for hertz in (low, high))
    mels = np.linspace(first, last, n_mels + 2)
    return 700 * (10 ** (mels / 2595) - 1)
