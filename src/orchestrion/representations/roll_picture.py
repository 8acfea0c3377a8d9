"""Music as a picture that a person can paint on: time from left to right, pitch from low to high, notes in green, the
first pixel of each in red (Hawley 2024, Pictures of MIDI, arXiv 2407.01499).

A column is a sixteenth note by default. Colours are twice the velocity. Notes are rows of (first column, columns,
pitch, velocity); pictures are uint8 [rows, columns, 3] with the highest pitch on top.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Int, UInt8

if TYPE_CHECKING:
    from collections.abc import Iterable

    from symusic.core import ScoreTick

COLUMNS_PER_QUARTER = 4  # the published code says 8 a beat in one place and 16 a bar in others; this is the latter
THRESHOLD = 20  # colours from here on count
STYLES = ("start", "early")
QUIRKS = ("none", "official")

Notes = Int[np.ndarray, "notes 4"]
Picture = UInt8[np.ndarray, "rows columns 3"]


def score_notes(
    score: ScoreTick, *, columns_per_quarter: int = COLUMNS_PER_QUARTER, tracks: Iterable[int] | None = None
) -> Notes:
    """The notes of a score on the grid of columns, in order of time, each at least a column long.

    Args:
        tracks: which; all but drums by default.
    """
    chosen = [n for n, track in enumerate(score.tracks) if not track.is_drum] if tracks is None else list(tracks)
    step = score.ticks_per_quarter / columns_per_quarter
    found = [np.zeros((0, 4), dtype=np.int64)]
    for index in chosen:
        notes = score.tracks[index].notes.numpy()
        found.append(
            np.stack(
                [
                    np.floor(notes["time"] / step + 0.5),
                    np.maximum(np.floor(notes["duration"] / step + 0.5), 1),
                    notes["pitch"],
                    notes["velocity"],
                ],
                axis=1,
            ).astype(np.int64)
        )
    joined = np.concatenate(found)
    return joined[np.lexsort((joined[:, 2], joined[:, 0]))]


def timed_notes(
    starts: np.ndarray, ends: np.ndarray, pitches: np.ndarray, velocities: np.ndarray, *, columns_per_second: float
) -> Notes:
    """Notes in seconds on a grid: starts and lengths are rounded each on its own, half to even."""
    first = np.round(starts * columns_per_second).astype(np.int64)
    length = np.maximum(np.round((ends - starts) * columns_per_second).astype(np.int64), 1)
    return np.stack([first, length, np.asarray(pitches, np.int64), np.asarray(velocities, np.int64)], axis=1)


def draw_notes(
    notes: Notes, columns: int, *, lowest: int = 0, pitches: int = 128, style: str = "start", quirks: str = "none"
) -> Picture:
    """Notes as a picture; what lies outside of it is cut off.

    Args:
        lowest, pitches: the lowest pitch and how many there are.
        style: "start" colours the first pixel of a note red; "early" puts a full red pixel before it, where there is
            room.
        quirks: "official" does what the published code does: the pixel before each onset is made black, even if an
            earlier note is lost by that, and for a note in column 0, or right behind the picture, that is the last
            pixel of its row; a note that follows on another without a gap has no red.

    Raises:
        ValueError: the style or the quirks are unknown.
    """
    _check(quirks, style)
    official = quirks == "official"
    roll = np.zeros((pitches, columns), dtype=np.int64)
    onset = np.zeros((pitches, columns), dtype=bool)
    inside = notes[(notes[:, 2] >= lowest) & (notes[:, 2] < lowest + pitches) & (notes[:, 0] < columns + official)]
    for first, length, pitch, velocity in inside.tolist():
        row = pitch - lowest
        start, stop = max(first, 0), min(first + length, columns)
        if stop > start:
            roll[row, start:stop] = velocity
            onset[row, start:stop] = False
            onset[row, start] = first >= 0
        if official and (stop > start or 0 < columns == first):
            roll[row, start - 1] = 0
    if official:
        onset = (roll > THRESHOLD // 2) & (np.pad(roll, ((0, 0), (1, 0)))[:, :-1] < THRESHOLD / 2)
    level = np.minimum(2 * roll, 255).astype(np.uint8)
    picture = np.zeros((pitches, columns, 3), dtype=np.uint8)
    picture[..., 1] = level
    if style == "start":
        picture[onset, 0], picture[onset, 1] = level[onset], 0
    else:
        before = np.zeros_like(onset)
        before[:, :-1] = (level[:, :-1] == 0) & ((level[:, 1:] > 0) if official else onset[:, 1:])
        picture[before] = (255, 0, 0)
    return picture[::-1].copy()


def keep_colours(picture: Picture, *, require_onsets: bool = True, border: int = 1) -> Picture:
    """Only what the published code takes for notes, in green: a red pixel, and pure green ones that follow on it.

    Args:
        require_onsets: False takes green without red, and white, too.
        border: rows at top and bottom that are left as they are.
    """
    out = picture.copy()
    for row in range(border, len(picture) - border):
        sounding = False
        for column, (r, g, b) in enumerate(picture[row].astype(int).tolist()):
            if r > THRESHOLD and max(g, b) < THRESHOLD:
                sounding = True
                out[row, column] = (0, r, 0)
            elif g > THRESHOLD and max(r, b) < THRESHOLD and (sounding or not require_onsets):
                sounding = True
            elif not require_onsets and min(r, g, b) > THRESHOLD:
                sounding = True
                out[row, column] = (0, g, 0)
            else:
                sounding = False
                out[row, column] = 0
    return out


def read_notes(
    picture: Picture,
    *,
    lowest: int = 0,
    threshold: int = THRESHOLD,
    border: int = 0,
    require_onsets: bool = True,
    quirks: str = "none",
) -> Notes:
    """The notes of a picture, in order of time.

    A pixel belongs to a note if its red or green is above `threshold`, and above its blue; it begins one if it is more
    red than green. A red pixel within a note ends that one.

    Args:
        border: rows at top and bottom that hold no notes.
        require_onsets: False lets notes begin green, too.
        quirks: "official" takes pixels of pure colours only, and reads two notes without a gap as one.

    Raises:
        ValueError: the quirks are unknown.
    """
    _check(quirks)
    rows, columns = picture.shape[:2]
    if quirks == "official":
        pure = keep_colours(picture, require_onsets=require_onsets, border=border)
        most = max(int(pure[..., 0].max(initial=0)), int(pure[..., 1].max(initial=0)))
        level = np.minimum(pure[..., 0] + pure[..., 1], most).astype(int)  # uint8: sums beyond 255 start again
        on, begins = level // 2 > 0, np.zeros((rows, columns), dtype=bool)
    else:
        red, green, blue = (picture[..., channel].astype(int) for channel in range(3))
        level = np.maximum(red, green)
        on = (level > threshold) & (level > blue)
        begins = on & (red > green)
    on[:border] = on[rows - border :] = False
    previous = np.pad(on, ((0, 0), (1, 0)))[:, :-1]
    starts = on & (begins | ~previous)
    notes = []
    for row, column in zip(*starts.nonzero(), strict=True):
        if quirks == "none" and require_onsets and not begins[row, column]:
            continue
        stop = column + 1
        while stop < columns and on[row, stop] and not starts[row, stop]:
            stop += 1
        velocity = min(max(int(level[row, column]) // 2, 1), 127)
        notes.append((column, stop - column, lowest + rows - 1 - row, velocity))
    found = np.array(notes, dtype=np.int64).reshape(-1, 4)
    return found[np.lexsort((found[:, 2], found[:, 0]))]


def stack(picture: np.ndarray) -> np.ndarray:
    """The left half on top of the right half, which is mirrored, so that time goes on where a row ends: [rows, columns,
    …] → [2 rows, columns / 2, …]. For masks as well as pictures."""
    half = picture.shape[1] // 2
    return np.concatenate([picture[:, :half], picture[:, half : 2 * half][:, ::-1]])


def unstack(square: np.ndarray) -> np.ndarray:
    """The inverse of `stack`."""
    half = len(square) // 2
    return np.concatenate([square[:half], square[half:][:, ::-1]], axis=1)


def crop(picture: np.ndarray, start: int, columns: int) -> np.ndarray:
    """`columns` of a picture from `start`; black beyond its end."""
    part = picture[:, start : start + columns]
    missing = columns - part.shape[1]
    return np.pad(part, ((0, 0), (0, missing), *((0, 0),) * (picture.ndim - 2)))


def note_onsets(notes: Notes, columns: int, *, lowest: int, pitches: int) -> Bool[np.ndarray, "rows columns"]:
    """Where notes begin, in the rows and columns of a picture."""
    grid = np.zeros((pitches, columns), dtype=bool)
    row = lowest + pitches - 1 - notes[:, 2]
    inside = (row >= 0) & (row < pitches) & (notes[:, 0] >= 0) & (notes[:, 0] < columns)
    grid[row[inside], notes[inside, 0]] = True
    return grid


def _check(quirks: str, style: str = "start") -> None:
    if quirks not in QUIRKS or style not in STYLES:
        raise ValueError(f"unknown quirks {quirks!r} or style {style!r}; take {QUIRKS} and {STYLES}")
