"""Sound of any length, block by block, so that a recording of hours takes no more memory than one of a minute."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from orchestrion.errors import InputError
from orchestrion.media.audio import MOST_SECONDS, Audio, check_header, no_sound
from orchestrion.media.files import check_input

BLOCK_SECONDS = 60.0
SHORTEST_REST = 5.0  # seconds: a shorter last block goes with the one before


def audio_blocks(
    path: str | Path, *, seconds: float = BLOCK_SECONDS, rest: float = SHORTEST_REST, mono: bool = True
) -> Iterator[Audio]:
    """The sound of a file in blocks of so many seconds at its own rate; the last may be shorter, or longer by `rest`.

    Args:
        mono: mixes the channels to one.

    Raises:
        InputError: the file is missing, empty, damaged, longer than three hours, or no sound; what came before the
            damage has been given by then.
    """
    import soundfile

    found = check_input(path)
    try:
        with soundfile.SoundFile(found) as file:
            check_header(found, file)
            rate, done, held = file.samplerate, 0, None
            size = max(int(seconds * rate), 1)
            least = min(max(int(rest * rate), 1), size)  # a whole block is no rest
            while len(block := file.read(size, dtype="float32", always_2d=True)):
                done += len(block)
                if done > MOST_SECONDS * rate:
                    raise InputError(f"The file {found} is longer than {MOST_SECONDS / 60:g} minutes; cut it first.")
                if not np.isfinite(block).all():
                    raise InputError(f"The file {found} holds samples that are no numbers; export it again.")
                samples = np.ascontiguousarray(block.T)
                samples = samples.mean(0, keepdims=True, dtype=np.float32) if mono else samples
                if held is not None and samples.shape[1] < least:
                    samples, held = np.concatenate([held, samples], axis=1), None
                if held is not None:
                    yield Audio(held, rate)
                held = samples
            if held is None:
                raise InputError(f"The file {found} holds no sound at all.")
            yield Audio(held, rate)
    except (soundfile.SoundFileError, RuntimeError, OSError) as error:
        raise no_sound(found) from error
