"""Things to hear and see that a training leaves behind while it runs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from orchestrion.errors import OptionError
from orchestrion.media.audio import Audio, read_audio, write_audio
from orchestrion.media.files import atomic_write
from orchestrion.training.stage import Sample


def write_sample(sample: Sample, folder: Path, name: str) -> Path:
    """Writes a sound as WAV, a picture as PNG, or copies the file of a picture; returns the path.

    Args:
        name: of the file, without a suffix.

    Raises:
        OptionError: the name is no name of a file, or the sample is none of these.
        OutputError: it cannot be written.
    """
    if name in ("", ".", "..") or "/" in name or "\\" in name:
        raise OptionError(f"{name!r} cannot be the name of a sample; give a plain word.")
    if isinstance(sample, Audio):
        return write_audio(sample, folder / f"{name}.wav")
    if isinstance(sample, Path):
        target = folder / f"{name}{sample.suffix}"
        with atomic_write(target) as temporary:
            shutil.copyfile(sample, temporary)
        return target
    if isinstance(sample, np.ndarray) and sample.dtype == np.uint8 and sample.ndim == 3 and sample.shape[2] in (3, 4):
        from matplotlib.image import imsave

        target = folder / f"{name}.png"
        with atomic_write(target) as temporary:
            imsave(temporary, sample)
        return target
    raise OptionError(
        f"The sample {name!r} is neither Audio, nor the path of a picture, nor uint8 [height, width, 3 or 4]."
    )


def publish_sample(board: Any, name: str, path: Path, step: int) -> None:
    """Shows a file that `write_sample` wrote in TensorBoard; pictures that are no pixels, such as SVG, are left out."""
    if path.suffix == ".wav":
        audio = read_audio(path, mono=True)
        board.add_audio(name, audio.samples, step, sample_rate=audio.rate)
    elif path.suffix.lower() in (".png", ".jpg", ".jpeg"):
        from matplotlib.image import imread

        pixels = imread(path)
        board.add_image(name, pixels if pixels.ndim == 3 else pixels[..., None], step, dataformats="HWC")
