"""Random windows of songs, where a song may be one recording or many clips, in memory or in files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from jaxtyping import Float, Int16

from orchestrion.data.held_clips import to_float
from orchestrion.data.piece import Piece
from orchestrion.errors import InputError
from orchestrion.media.audio import check_header
from orchestrion.media.files import check_input

SLACK = 64  # samples beside a span that the resampler needs to know


class Clip(Protocol):
    """A recording at the rate that is asked of it."""

    @property
    def length(self) -> int:
        """Samples."""
        ...

    def read(self, start: int, count: int) -> Float[np.ndarray, " count"]:
        """Mono samples from `start` on."""
        ...


@dataclass(frozen=True, slots=True)
class HeldClip:
    """A clip in memory."""

    samples: Int16[np.ndarray, " samples"]

    @property
    def length(self) -> int:
        """Samples."""
        return len(self.samples)

    def read(self, start: int, count: int) -> Float[np.ndarray, " count"]:
        """Mono samples from `start` on."""
        return to_float(self.samples[start : start + count])


class FileClip:
    """A clip in a file of any rate and number of channels, of which only what is asked for is read.

    Raises:
        InputError: the file is missing or no sound.
    """

    def __init__(self, path: str | Path, rate: int) -> None:
        import soundfile

        self.path, self.rate = check_input(path), rate
        try:
            with soundfile.SoundFile(self.path) as file:
                check_header(self.path, file)
                self.own_rate, frames = file.samplerate, file.frames
        except (soundfile.SoundFileError, RuntimeError, OSError) as error:
            raise InputError(f"The file {path} cannot be read as sound; leave it out or convert it.") from error
        self._length = int(frames * rate / self.own_rate)

    @property
    def length(self) -> int:
        """Samples."""
        return self._length

    def read(self, start: int, count: int) -> Float[np.ndarray, " count"]:
        """Mono samples from `start` on, resampled where the rates differ; zeros where the file ends early."""
        import soundfile
        import soxr

        first = max(int(start * self.own_rate / self.rate) - SLACK, 0)
        last = int(np.ceil((start + count) * self.own_rate / self.rate)) + SLACK
        samples, _ = soundfile.read(self.path, start=first, frames=last - first, dtype="float32", always_2d=True)
        mono = samples.mean(1)
        if self.own_rate != self.rate and len(mono):
            mono = soxr.resample(mono, self.own_rate, self.rate, quality="HQ")
        mono = mono[start - round(first * self.rate / self.own_rate) :][:count]
        return np.nan_to_num(np.pad(mono, (0, count - len(mono)))).astype(np.float32)


def song_of(name: str) -> str:
    """The song that a clip belongs to, by its name: versions of one tune share what stands before "#", clips of
    MagnaTagATune (…-0-29.mp3) what stands before their last two numbers.

    >>> song_of("airdsAirs/book3-0481#1"), song_of("artist-album-03-title-59-88.mp3")
    ('airdsAirs/book3-0481', 'artist-album-03-title')
    """
    name = name.partition("#")[0]
    return re.sub(r"-\d+-\d+(\.\w+)?$", "", name)


class SongCrops:
    """Windows at random places of songs.

    Args:
        songs: the clips of each; a song is read as if they stood one after the other.
        window: samples.

    Songs shorter than a window are left out, and counted in `left_out`.

    Raises:
        InputError: none is long enough.
    """

    def __init__(self, songs: Iterable[Sequence[Clip]], *, window: int) -> None:
        every = [tuple(song) for song in songs]
        kept = [number for number, song in enumerate(every) if sum(clip.length for clip in song) >= window]
        if not kept:
            raise InputError(f"None of {len(every)} recordings is as long as a window of {window} samples.")
        self.songs = [every[number] for number in kept]
        self.numbers = tuple(kept)
        """Place of each song among those that were given."""
        self.left_out = len(every) - len(kept)
        self.window = window

    def __len__(self) -> int:
        return len(self.songs)

    def length(self, song: int) -> int:
        """Samples of a song."""
        return sum(clip.length for clip in self.songs[song])

    def crop(self, song: int, rng: np.random.Generator) -> Float[np.ndarray, " window"]:
        """A window of a song, every place as likely."""
        return self.at(song, int(rng.integers(self.length(song) - self.window + 1)))

    def at(self, song: int, start: int) -> Float[np.ndarray, " window"]:
        """The window of a song from a sample on."""
        out = np.zeros(self.window, np.float32)
        filled = 0
        for clip in self.songs[song]:
            if start < clip.length:
                part = clip.read(start, min(clip.length - start, self.window - filled))
                out[filled : filled + len(part)] = part
                filled += len(part)
                if filled == self.window:
                    break
            start = max(start - clip.length, 0)
        return out

    def windows(self, song: int) -> Float[np.ndarray, "windows samples"]:
        """All whole windows of a song, one after the other."""
        count = self.length(song) // self.window
        return np.stack([self.at(song, number * self.window) for number in range(count)])


def grouped(clips: Sequence[Clip], names: Sequence[str], *, by_song: bool) -> list[list[Clip]]:
    """Clips of one song together, in the order in which songs come first; or each for itself."""
    if not by_song:
        return [[clip] for clip in clips]
    songs: dict[str, list[Clip]] = {}
    for clip, name in zip(clips, names, strict=True):
        songs.setdefault(song_of(name), []).append(clip)
    return list(songs.values())


def recorded(pieces: Sequence[Piece], rate: int) -> list[tuple[str, Clip]]:
    """Name and clip of each piece that has a recording: a path, or an `Audio`.

    Raises:
        InputError: a file is missing or no sound.
    """
    from orchestrion.data.held_clips import to_int16
    from orchestrion.media.audio import Audio

    found: list[tuple[str, Clip]] = []
    for piece in pieces:
        if isinstance(piece.audio, Audio):
            mono = piece.audio.mono().resample(rate)
            found.append((piece.id, HeldClip(to_int16(mono.samples)[0])))
        elif piece.audio is not None:
            found.append((piece.id, FileClip(piece.audio, rate)))
    return found
