"""Clips kept in memory as 16-bit integers, with their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int16

from orchestrion.errors import InputError

if TYPE_CHECKING:
    from orchestrion.data.audio_factory import AudioFactory, ClipLabels

FULL_SCALE = 32767.0


def to_int16(samples: Float[np.ndarray, "channels samples"]) -> Int16[np.ndarray, "channels samples"]:
    """Sound in [-1, 1] as 16-bit integers; what lies beyond is cut."""
    return np.round(np.clip(samples, -1.0, 1.0) * FULL_SCALE).astype(np.int16)


def to_float(samples: np.ndarray) -> np.ndarray:
    """Its inverse, to half a step."""
    return samples.astype(np.float32) / np.float32(FULL_SCALE)


@dataclass(frozen=True, slots=True)
class HeldClips(Sequence[np.ndarray]):
    """Clips of one length. `clips[i]` is the sound of one as float32 [channels, samples].

    Attributes:
        samples: all sound.
        labels: what is known of each.
        rate: Hz.
    """

    samples: Int16[np.ndarray, "clips channels samples"]
    labels: list[ClipLabels]
    rate: int

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> np.ndarray:  # type: ignore[override]
        return to_float(self.samples[index])


def hold(factory: AudioFactory, indices: Sequence[int], *, workers: int = 1) -> HeldClips:
    """Renders clips into memory.

    Raises:
        InputError: no clip is asked for.
    """
    if not indices:
        raise InputError("No clips are asked for; give at least one index.")
    samples = np.empty((len(indices), factory.channels, factory.n_samples), np.int16)
    labels: list[ClipLabels] = []
    for place, (sound, label) in enumerate(_rendered(factory, indices, workers)):
        samples[place] = sound
        labels.append(label)
    return HeldClips(samples, labels, factory.rate)


def _rendered(factory: AudioFactory, indices: Sequence[int], workers: int):
    if workers <= 1 or len(indices) < 2 * workers:
        for index in indices:
            yield _one(factory, index)
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_take, initargs=(factory,)) as pool:
        yield from pool.map(_one_of_mine, indices, chunksize=max(1, min(8, len(indices) // (4 * workers))))


def _one(factory: AudioFactory, index: int) -> tuple[np.ndarray, ClipLabels]:
    clip = factory.clip(index)
    return to_int16(clip.audio.samples), clip.labels


_MINE: list[AudioFactory] = []


def _take(factory: AudioFactory) -> None:
    _MINE[:] = [factory]


def _one_of_mine(index: int) -> tuple[np.ndarray, ClipLabels]:
    return _one(_MINE[0], index)
