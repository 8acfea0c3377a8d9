"""From files of sound to embeddings, with any embedder, at constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from orchestrion.data.embeddings import Embeddings
from orchestrion.errors import InputError
from orchestrion.evaluation.embedding_sets import EmbeddingSet, EmbeddingSettings
from orchestrion.media.audio import Audio

SHORTEST = 0.1  # seconds that can be heard as music
SILENCE = 1e-5  # greatest amplitude of a silent sound, −100 dB
RESAMPLER = "soxr HQ"  # of `Audio.resample`, which embedders use


class Embedder(Protocol):
    """What turns sound into vectors; systems that embed are such."""

    def embed(self, audio: Audio, *, hop: float | None = None, pooling: str = "mean") -> Embeddings:
        """One vector a window, or their mean."""
        ...


@dataclass(frozen=True, slots=True)
class Heard:
    """Embeddings of a sound, its length in seconds, its rate in Hz, and whether all of it is silent."""

    embeddings: Embeddings
    seconds: float
    rate: int
    silent: bool


def embed_sound(
    blocks: Iterable[Audio], embedder: Embedder, *, name: str, hop: float | None = None, rate: int | None = None
) -> Heard:
    """One vector a window of a sound that comes in blocks.

    Args:
        name: of the sound, for sentences.
        hop: seconds between windows; the embedder's own by default.
        rate: Hz to bring the sound to first.

    Raises:
        InputError: the sound is too short, or the embedder makes no numbers of it.
    """
    vectors, starts, seconds, peak, native, window, space = [], [], 0.0, 0.0, 0, 0.0, ""
    for block in blocks:
        if seconds + block.seconds < SHORTEST:
            break
        native = block.rate
        peak = max(peak, float(np.abs(block.samples).max(initial=0)))
        found = embedder.embed(block if rate is None else block.resample(rate), hop=hop, pooling="none")
        vectors.append(np.asarray(found.vectors, np.float32))
        starts += [start + seconds for start in found.starts]
        window, space = found.window, found.space
        seconds += block.seconds
    if not vectors:
        raise InputError(
            f"The sound {name} is shorter than {SHORTEST:g} seconds, too short to be heard; give more of it."
        )
    joined = np.concatenate(vectors)
    if not np.isfinite(joined).all():
        raise InputError(f"The embedder makes no numbers of the sound {name}; leave it out.")
    return Heard(Embeddings(joined, tuple(starts), window, space), seconds, rate or native, peak < SILENCE)


def embedding_set(
    sounds: Sequence[Heard], names: Sequence[str], *, embedder_rate: int, hop: float | None = None
) -> EmbeddingSet:
    """The embeddings of several sounds as one set.

    Raises:
        InputError: there is none, or the sounds have unlike rates.
    """
    if not sounds:
        raise InputError("There is no sound to measure.")
    rates = sorted({sound.rate for sound in sounds})
    if len(rates) > 1:
        raise InputError(
            f"The sounds have unlike rates ({' and '.join(map(str, rates[:4]))} Hz), which distances would measure; "
            f"bring all to one with --rate, like --rate {rates[0]}."
        )
    first = sounds[0].embeddings
    window = round(first.window, 6)
    settings = EmbeddingSettings(
        space=first.space,
        sample_rate=rates[0],
        embedder_rate=embedder_rate,
        resampler="none" if rates[0] == embedder_rate else RESAMPLER,
        window=window,
        hop=round(hop, 6) if hop is not None else window,
    )
    counts = [len(sound.embeddings.vectors) for sound in sounds]
    return EmbeddingSet(
        np.concatenate([sound.embeddings.vectors for sound in sounds]),
        settings,
        np.repeat(np.arange(len(sounds)), counts),
        tuple(names),
    )


def hear_files(
    paths: Sequence[Path],
    hear: Callable[[Path], Heard],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Path], list[Heard], list[tuple[str, str]]]:
    """Those files that can be heard, what was heard, and the others with the reasons."""
    heard, sounds, failures = [], [], []
    for done, path in enumerate(paths):
        if progress is not None:
            progress(done, len(paths))
        try:
            sounds.append(hear(path))
            heard.append(path)
        except InputError as error:
            failures.append((str(path), str(error)))
    return heard, sounds, failures
