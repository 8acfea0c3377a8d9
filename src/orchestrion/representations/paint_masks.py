"""Where on a piano roll music shall appear: shapes that are drawn, and pictures that a person has painted.

A mask is an array [128, columns] with the highest pitch on top. Its values say from which share of the sampler's steps
on a place is free: 0 from the start, 1 in the last step; above 1 it is kept as it is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Shaped

from orchestrion.errors import InputError, OptionError
from orchestrion.media.files import read_input

PITCHES = 128
KEPT = 2.0
"""The value of places that are kept."""
MOST_BYTES = 64 << 20
MOST_PIXELS = 1 << 26
WHITE, DARK = 230, 26  # of 255: what counts as white, and below what grey is black
SHAPES = ("rising", "falling", "diverging", "melody", "accompaniment", "continuation", "all")
BANDS = {"melody": (67, 88), "accompaniment": (36, 59), "continuation": (0, 127), "all": (0, 127)}
"""Lowest and highest pitch of shapes that are blocks."""

Mask = Float[np.ndarray, "128 columns"]


def shape_mask(
    name: str,
    columns: int,
    *,
    start: int = 0,
    stop: int | None = None,
    low: int | None = None,
    high: int | None = None,
    thickness: int = 9,
) -> Bool[np.ndarray, "128 columns"]:
    """A shape, True where music shall appear.

    Args:
        name: "rising", "falling" or "diverging" are bands from corner to corner; "melody" and "accompaniment" are
            blocks above and below; "continuation" is the right half in all pitches; "all" is everything.
        start, stop: columns that it takes; all by default.
        low, high: its lowest and highest pitch; 43 and 84 for bands, those of `BANDS` for blocks.
        thickness: of bands, in semitones.

    Raises:
        OptionError: the name is unknown, or columns, pitches or the thickness are out of range.
    """
    if name not in SHAPES:
        raise OptionError(f"There is no shape {name!r}; take one of {', '.join(SHAPES)}, or the path of a picture.")
    stop = columns if stop is None else stop
    lowest, highest = BANDS.get(name, (43, 84))
    low, high = lowest if low is None else low, highest if high is None else high
    if not (0 <= start < stop <= columns and 0 <= low < high < PITCHES and 1 <= thickness <= PITCHES):
        raise OptionError(
            f"A shape over columns {start} to {stop} of {columns}, pitches {low} to {high}, {thickness} semitones "
            "thick cannot be drawn; give ranges that are not empty and lie within the piece."
        )
    if name == "continuation":
        start = start + (stop - start) // 2
    pitch = np.arange(PITCHES - 1, -1, -1)[:, None]
    along = np.linspace(0, 1, stop - start)[None]
    margin = min((thickness - 1) / 2, (high - low) / 2)
    bottom, top = low + margin, high - margin
    up, down = bottom + (top - bottom) * along, top - (top - bottom) * along
    if name == "rising":
        drawn = np.abs(pitch - up) <= thickness / 2
    elif name == "falling":
        drawn = np.abs(pitch - down) <= thickness / 2
    elif name == "diverging":
        middle = (bottom + top) / 2
        drawn = (
            np.minimum(
                np.abs(pitch - middle - (top - middle) * along), np.abs(pitch - middle + (middle - bottom) * along)
            )
            <= thickness / 2
        )
    else:
        drawn = np.broadcast_to((pitch >= low) & (pitch <= high), (PITCHES, stop - start))
    mask = np.zeros((PITCHES, columns), dtype=bool)
    mask[:, start:stop] = drawn
    return mask


def as_mask(given: Shaped[np.ndarray, "rows columns"], columns: int) -> Mask:
    """A mask of any size for a piece of so many columns: the nearest place of each; boolean ones are free where True.

    Raises:
        OptionError: the array has no two axes, is empty, holds what is no number, or frees nothing.
    """
    array = np.asarray(given)
    if array.ndim != 2 or 0 in array.shape:
        raise OptionError(f"A mask has pitches and columns, not the shape {array.shape}; give a picture of one plane.")
    if array.dtype == bool:
        array = np.where(array, 0.0, KEPT)
    if not np.issubdtype(array.dtype, np.number) or not np.isfinite(array).all():
        raise OptionError("A mask holds something that is no number; give True and False, or values from 0 to 1.")
    rows = np.arange(PITCHES) * array.shape[0] // PITCHES
    places = np.arange(columns) * array.shape[1] // max(columns, 1)
    mask = array[rows][:, places].astype(np.float64)
    if not (mask <= 1).any():
        raise OptionError("The mask leaves nothing free; paint white where music shall appear.")
    return mask


def read_mask(path: str | Path) -> Float[np.ndarray, "rows columns"]:
    """A painted picture as a mask of its own size: white and blue are free, grey is free the later the darker it is,
    all else (black, and the red and green of notes) is kept.

    Raises:
        InputError: the file is missing, too large, or no picture.
    """
    from io import BytesIO

    from PIL import Image, UnidentifiedImageError

    data = read_input(path, most_bytes=MOST_BYTES)
    try:
        with Image.open(BytesIO(data)) as image:
            if image.width * image.height > MOST_PIXELS:
                raise InputError(f"The picture {path} has more than {MOST_PIXELS} pixels; make it smaller.")
            pixels = np.asarray(image.convert("RGB")).astype(int)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"The file {path} cannot be read as a picture; give a .png file.") from error
    least, most = pixels.min(-1), pixels.max(-1)
    grey = (most - least <= 24) & (most >= DARK)
    blue = (pixels[..., 2] >= 128) & (pixels[..., 2] - pixels[..., :2].max(-1) >= 64)
    mask = np.full(least.shape, KEPT)
    mask[grey] = 1 - most[grey] / 255
    mask[blue | (least >= WHITE)] = 0.0
    return mask
