"""Tunes of phrases as tensors: their skeletons, what a decoder is told at each step, and what it should write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from orchestrion.representations.phrase_notes import BARS_LEFT, PHRASES, PITCHES, POSITIONS, REST, PhraseNotes


@dataclass(frozen=True, slots=True)
class Skeleton:
    """Skeleton notes of a batch: fields (pitch, length − 1, position, bar in the phrase), phrase, which are real."""

    fields: Int[Tensor, "batch entries 4"]
    phrase: Int[Tensor, "batch entries"]
    mask: Bool[Tensor, "batch entries"]

    def to(self, device: torch.device) -> Skeleton:
        """The same on a device."""
        return Skeleton(self.fields.to(device), self.phrase.to(device), self.mask.to(device))


@dataclass(frozen=True, slots=True)
class Steps:
    """What the decoder is told at each step.

    Attributes:
        last: pitch and length − 1 of the token before; −1 before the first.
        place: position in the bar, bar in the phrase, bars left of the phrase (−1: not told).
        phrase: number of the phrase.
        bar: sixteenths of a bar.
    """

    last: Int[Tensor, "batch time 2"]
    place: Int[Tensor, "batch time 3"]
    phrase: Int[Tensor, "batch time"]
    bar: Int[Tensor, "batch time"]

    def to(self, device: torch.device) -> Steps:
        """The same on a device."""
        return Steps(self.last.to(device), self.place.to(device), self.phrase.to(device), self.bar.to(device))


@dataclass(frozen=True, slots=True)
class TuneBatch:
    """Tunes side by side: skeletons, what the decoder is told, what it should write, and which tokens are real."""

    skeleton: Skeleton
    steps: Steps
    targets: dict[str, Int[Tensor, "batch time"]]
    mask: Bool[Tensor, "batch time"]

    def to(self, device: torch.device) -> TuneBatch:
        """The same on a device."""
        targets = {name: value.to(device) for name, value in self.targets.items()}
        return TuneBatch(self.skeleton.to(device), self.steps.to(device), targets, self.mask.to(device))


def make_batch(
    tunes: Sequence[PhraseNotes],
    rng: np.random.Generator | None = None,
    *,
    plan_known: bool,
    transposition: int = 0,
    skeleton_dropout: float = 0.0,
    bare_share: float = 0.0,
) -> TuneBatch:
    """Tunes as tensors; with `rng` moved, and with skeleton notes left out, as in training.

    Args:
        plan_known: whether the decoder is told how many bars of the phrase are left.
        transposition: semitones by which tunes are moved at most, up or down.
        skeleton_dropout: share of skeleton notes left out.
        bare_share: share of tunes without any skeleton.
    """
    rows = []
    for tune in tunes:
        move = int(rng.integers(-transposition, transposition + 1)) if rng is not None else 0
        pitch = tune.pitch + move * (tune.pitch != REST)
        pitch = np.where(tune.pitch == REST, REST, pitch.clip(1, PITCHES - 1))
        kept = tune.kept.copy()
        if rng is not None:
            kept &= (rng.random(len(tune)) >= skeleton_dropout) & (rng.random() >= bare_share)
        rows.append((tune, pitch, kept))
    longest = max(len(tune) for tune in tunes)
    entries = max(1, max(int(kept.sum()) for _, _, kept in rows))
    steps = {name: np.zeros((len(rows), longest, n), np.int64) for name, n in (("last", 2), ("place", 3))}
    phrase, bars, mask = (np.zeros((len(rows), longest), np.int64) for _ in range(3))
    targets = {name: np.zeros((len(rows), longest), np.int64) for name in ("pitch", "length", "end")}
    fields, of = np.zeros((len(rows), entries, 4), np.int64), np.zeros((len(rows), entries), np.int64)
    real = np.zeros((len(rows), entries), bool)
    for row, (tune, pitch, kept) in enumerate(rows):
        size = slice(len(tune))
        place = _places(tune, plan_known)
        last = np.stack([pitch, tune.length - 1], 1)
        steps["last"][row, size] = np.concatenate([np.full((1, 2), -1), last[:-1]])
        steps["place"][row, size] = place
        phrase[row, size], bars[row, size], mask[row, size] = tune.phrase % PHRASES, tune.bar, 1
        targets["pitch"][row, size], targets["length"][row, size] = pitch, tune.length - 1
        targets["end"][row, size] = tune.ends
        count = int(kept.sum())
        fields[row, :count] = np.concatenate([last, place[:, :2]], 1)[kept]
        of[row, :count], real[row, :count] = (tune.phrase % PHRASES)[kept], True
    put = torch.from_numpy
    told = Steps(put(steps["last"]), put(steps["place"]), put(phrase), put(bars))
    wanted = {name: put(value) for name, value in targets.items()}
    return TuneBatch(Skeleton(put(fields), put(of), put(real)), told, wanted, put(mask > 0))


def _places(tune: PhraseNotes, plan_known: bool) -> Int[np.ndarray, "tokens 3"]:
    """Position in the bar, bar in the phrase, and bars left of the phrase, or −1 where that is not told."""
    first = np.array([int(np.argmax(tune.phrase == number)) for number in tune.phrase], np.int64)
    begun = tune.start[first] // tune.bar
    left = np.full(len(tune), -1, np.int64)
    if plan_known:
        stops = dict(zip(tune.phrase[tune.ends].tolist(), tune.phrase_stop.tolist(), strict=True))
        stop = np.array([stops[number] for number in tune.phrase.tolist()], np.int64)
        left = np.minimum((stop - tune.start - 1) // tune.bar, BARS_LEFT - 1)
    position = tune.start % tune.bar % POSITIONS
    return np.stack([position, np.minimum(tune.start // tune.bar - begun, BARS_LEFT - 1), left], 1)


def make_skeleton(tokens: PhraseNotes, *, begin: int, stops: Sequence[int]) -> Skeleton:
    """The notes kept of one tune, with the phrases that end at `stops`; the first of them begins at `begin`."""
    kept, bar = np.flatnonzero(tokens.kept), tokens.bar
    starts = np.array([begin, *stops[:-1]], np.int64)
    start = tokens.start[kept]
    phrase = np.searchsorted(np.asarray(stops), start, side="right").clip(max=len(stops) - 1)
    inside = np.minimum(start // bar - starts[phrase] // bar, BARS_LEFT - 1).clip(0)
    fields = np.stack([tokens.pitch[kept], tokens.length[kept] - 1, start % bar % POSITIONS, inside], 1)
    real = np.ones((1, len(kept)), bool)
    if not len(kept):
        fields, phrase, real = np.zeros((1, 4), np.int64), np.zeros(1, np.int64), np.zeros((1, 1), bool)
    return Skeleton(*(torch.from_numpy(array) for array in (fields[None], (phrase % PHRASES)[None], real)))
