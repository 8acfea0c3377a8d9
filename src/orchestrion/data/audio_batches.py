"""Batches of random crops by step: the same for the same seed, whatever the step was reached from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from jaxtyping import Float, Int

from orchestrion.errors import InputError, OptionError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from orchestrion.data.audio_factory import AudioFactory, ClipLabels

Augment = Callable[["Tensor", "torch.Generator"], "Tensor"]
MOST_TRIES = 20  # crops of one item that are looked at for one that is not silent


class Shared(Protocol):
    """Which share of a batch is wanted, as `training.stage.Share`."""

    @property
    def part(self) -> int: ...

    @property
    def parts(self) -> int: ...

    def of(self, items: Sequence[Any]) -> Sequence[Any]:
        """The items of this share."""
        ...


@dataclass(frozen=True, slots=True)
class CropBatch:
    """Crops.

    Attributes:
        audio: float32 [views × batch, channels, samples]; all first views, then all second ones, …
        items: which waveform each of the batch is from.
        starts: where each crop begins, in samples.
    """

    audio: Float[Tensor, "views_batch channels samples"]
    items: Int[np.ndarray, " batch"]
    starts: Int[np.ndarray, "views batch"]


class CropBatches:
    """Step and share → random crops of waveforms; every waveform comes once an epoch, in an order drawn anew.

    Crops depend on the seed, the step and the place in the whole batch only: shares of a batch together are the batch.
    What `augment` draws depends on the share, too.

    Args:
        waveforms: arrays [channels, samples] of float32 in [-1, 1] or of int16, of any lengths; `HeldClips` too.
        samples: length of a crop. Shorter waveforms are filled up with silence.
        batch: items of a whole batch.
        seed: of all draws.
        views: crops of each item.
        groups: for each waveform the group (song) it belongs to: an item of a batch is then a group, and each view a
            crop of one of its waveforms, drawn by length.
        augment: called with the crops and a generator of its own.
        loudness: a crop whose root mean square lies below is drawn again, a few times; 0 takes any.

    Raises:
        InputError: there are no waveforms, or they differ in channels.
        OptionError: a number is out of range.
    """

    def __init__(
        self,
        waveforms: Sequence[np.ndarray],
        *,
        samples: int,
        batch: int,
        seed: int = 0,
        views: int = 1,
        groups: Sequence[Any] | None = None,
        augment: Augment | None = None,
        loudness: float = 0.0,
    ) -> None:
        from orchestrion.data.held_clips import HeldClips

        held = waveforms.samples if isinstance(waveforms, HeldClips) else waveforms
        if not len(held):
            raise InputError("There are no waveforms to crop; give at least one.")
        if len({wave.shape[0] for wave in held}) > 1:
            raise InputError("The waveforms have unlike numbers of channels; make them all mono or all stereo.")
        if samples < 1 or batch < 1 or views < 1:
            raise OptionError(f"There is no batch of {batch} items, {views} views, {samples} samples; give 1 or more.")
        if groups is not None and len(groups) != len(held):
            raise OptionError(f"There are {len(held)} waveforms and {len(groups)} groups; give one group for each.")
        self.waveforms, self.samples, self.batch, self.seed, self.views = held, samples, batch, seed, views
        self.augment, self.loudness = augment, loudness
        members: dict[Any, list[int]] = {}
        for number, group in enumerate(range(len(held)) if groups is None else groups):
            members.setdefault(group, []).append(number)
        self.members = list(members.values())
        self._order = lru_cache(maxsize=4)(self._make_order)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_order"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._order = lru_cache(maxsize=4)(self._make_order)

    @property
    def steps_per_epoch(self) -> float:
        """How many batches until every item has come once."""
        return len(self.members) / self.batch

    def __call__(self, step: int, share: Shared) -> CropBatch:
        """The crops of a share of the batch of a step."""
        import torch

        places = list(share.of(range(self.batch)))
        audio = np.zeros((self.views, len(places), self.waveforms[0].shape[0], self.samples), np.float32)
        items = np.empty(len(places), np.int64)
        starts = np.empty((self.views, len(places)), np.int64)
        for row, place in enumerate(places):
            epoch, number = divmod(step * self.batch + place, len(self.members))
            items[row] = group = int(self._order(epoch)[number])
            rng = np.random.default_rng((self.seed, step, place, 1))
            for view in range(self.views):
                starts[view, row] = self._crop(audio[view, row], self.members[group], rng)
        crops = torch.from_numpy(audio.reshape(-1, *audio.shape[2:]))
        if self.augment is not None:
            entropy = np.random.SeedSequence((self.seed, step, share.part, share.parts, 2)).generate_state(1, np.uint64)
            crops = self.augment(crops, torch.Generator().manual_seed(int(entropy[0] >> np.uint64(1))))
        return CropBatch(crops, items, starts)

    def _make_order(self, epoch: int) -> np.ndarray:
        return np.random.default_rng((self.seed, epoch)).permutation(len(self.members))

    def _crop(self, out: np.ndarray, members: list[int], rng: np.random.Generator) -> int:
        """Fills `out` with a crop of one of the waveforms; returns where it begins."""
        lengths = np.array([self.waveforms[i].shape[1] for i in members], np.float64)
        for _ in range(MOST_TRIES):
            wave = self.waveforms[members[int(rng.choice(len(members), p=lengths / lengths.sum()))]]
            start = int(rng.integers(max(wave.shape[1] - self.samples, 0) + 1))
            piece = wave[:, start : start + self.samples]
            out[:] = 0
            out[:, : piece.shape[1]] = piece / np.float32(32767) if piece.dtype == np.int16 else piece
            if not self.loudness or float(np.sqrt(np.mean(np.square(out)))) >= self.loudness:
                break
        return start


@dataclass(frozen=True, slots=True)
class ClipBatch:
    """Rendered clips: float32 [batch, channels, samples], and what is known of each."""

    audio: Float[Tensor, "batch channels samples"]
    labels: tuple[ClipLabels, ...]


class FactoryBatches:
    """Step and share → clips of an `AudioFactory`, rendered when they are asked for; no clip comes twice.

    Args:
        batch: clips of a whole batch; step s holds the clips from s · batch on.
        augment: called with the clips and a generator of its own.
    """

    def __init__(self, factory: AudioFactory, *, batch: int, augment: Augment | None = None) -> None:
        if batch < 1:
            raise OptionError(f"There is no batch of {batch} clips; give 1 or more.")
        self.factory, self.batch, self.augment = factory, batch, augment

    def __call__(self, step: int, share: Shared) -> ClipBatch:
        """The clips of a share of the batch of a step."""
        import torch

        first = step * self.batch
        clips = list(self.factory.clips(share.of(range(first, first + self.batch))))
        audio = torch.from_numpy(np.stack([clip.audio.samples for clip in clips]))
        if self.augment is not None:
            seed = np.random.SeedSequence((self.factory.seed, step, share.part, share.parts, 3))
            generator = torch.Generator().manual_seed(int(seed.generate_state(1, np.uint64)[0] >> np.uint64(1)))
            audio = self.augment(audio, generator)
        return ClipBatch(audio, tuple(clip.labels for clip in clips))
