"""Segments of pieces as batches for sliders: events, rhythm, note counts, key, densities, and arousal for a few."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from orchestrion.data.piece import Piece
from orchestrion.representations.segments import Segment, cut_segments, key_vector, standardised
from orchestrion.training.stage import Share

LOW, HIGH = 0, 1  # arousal
NOTE_SHARE = 0.5  # of note density beside rhythm density in the stand-in for arousal
NOISE = 0.5  # deviation of what the stand-in adds to the sum, as listeners differ


@dataclass(frozen=True, slots=True)
class FaderBatch:
    """Segments.

    Attributes:
        events: [batch, time] ids, 0 after the end.
        rhythm, counts: [batch, 16] symbols.
        key: [batch, 24].
        densities: [batch, 2] rhythm density and note density.
        labels: [batch] arousal of a batch that is labelled; None: it is not.
        truth: [batch] arousal that only a measurement may see.
        step: of the training, where weights move with it.
    """

    events: Tensor
    rhythm: Tensor
    counts: Tensor
    key: Tensor
    densities: Tensor
    labels: Tensor | None = None
    truth: Tensor | None = None
    step: int = 0

    @classmethod
    def from_segments(
        cls, segments: Sequence[Segment], ids: Sequence[Sequence[int]], *, device: torch.device | None = None
    ) -> FaderBatch:
        """Segments with their events, filled up to the longest of them."""
        width = max(len(row) for row in ids)
        events = np.zeros((len(ids), width), np.int64)
        for number, row in enumerate(ids):
            events[number, : len(row)] = row
        return cls(
            events=torch.from_numpy(events).to(device),
            rhythm=torch.from_numpy(np.stack([one.rhythm for one in segments])).long().to(device),
            counts=torch.from_numpy(np.stack([one.note_counts for one in segments])).long().to(device),
            key=torch.from_numpy(np.stack([key_vector(one.histogram) for one in segments])).float().to(device),
            densities=torch.tensor([one.densities for one in segments]).float().to(device),
        )


@dataclass(frozen=True, slots=True)
class Training:
    """A segment with its events, and what its piece says of its arousal (None: nothing)."""

    segment: Segment
    ids: tuple[int, ...]
    arousal: int | None


def training_segments(
    pieces: Sequence[Piece],
    *,
    share: float,
    top_notes: int,
    most: int,
    longest: int,
    ids: Callable[[Segment], list[int]],
    timed: bool,
) -> list[Training]:
    """Segments of pieces in an order that mixes the corpus, until there are `most`.

    Of a piece with several tracks one choice is drawn: all pitched tracks, one of them, or the melody with another.
    """
    found: list[Training] = []
    for number in np.random.default_rng(0).permutation(len(pieces)):
        piece = pieces[int(number)]
        if piece.score is None:
            continue
        tracks = _choose(piece, np.random.default_rng(int(number)))
        words = piece.tags.get("arousal", [])
        arousal = HIGH if "high" in words else LOW if "low" in words else None
        for segment in cut_segments(piece.score, tracks, timed=timed):
            if segment.is_full(share, top_notes=top_notes) and len(held := ids(segment)) <= longest:
                found.append(Training(segment, tuple(held), arousal))
        if len(found) >= most:
            break
    return found[:most]


def _choose(piece: Piece, rng: np.random.Generator) -> list[int]:
    assert piece.score is not None
    pitched = [n for n, track in enumerate(piece.score.tracks) if not track.is_drum and len(track.notes)]
    kind = rng.integers(3)
    if kind == 0 or len(pitched) < 2:
        return pitched
    one = int(rng.choice(pitched))
    if kind == 1 or piece.melody not in pitched:
        return [one]
    return sorted({one, piece.melody})


def stand_in_arousal(densities: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
    """[segments] 1 where rhythm and half the note density, standardised, and a listener's noise sum to more than 0.

    It stands in for annotations, which the corpus has none of. Without `rng` there is no noise.
    """
    total = standardised(densities[:, 0]) + NOTE_SHARE * standardised(densities[:, 1])
    if rng is not None:
        total = total + NOISE * rng.standard_normal(len(total))
    return (total > 0).astype(np.int64)


class FaderData:
    """Batches of segments by step.

    Args:
        segments: what is trained on.
        batch_size, labelled_batch: items of a batch without and with labels.
        labelled_every: one batch in so many is labelled; 0: none.
        labels: share of segments whose label is known.
        longest: ids in a row.
        device: where batches go.
    """

    def __init__(
        self,
        segments: Sequence[Training],
        *,
        batch_size: int,
        labelled_batch: int,
        labelled_every: int,
        labels: float,
        longest: int,
        device: Callable[[], torch.device],
    ) -> None:
        self.batch_size, self.labelled_batch, self.labelled_every = batch_size, labelled_batch, labelled_every
        self.device = device
        if not segments:
            self.arrays: dict[str, np.ndarray] = {"rhythm": np.zeros((0, 16))}
            return
        whole = FaderBatch.from_segments([one.segment for one in segments], [one.ids for one in segments])
        names = ("events", "rhythm", "counts", "key", "densities")
        self.arrays = {name: getattr(whole, name).numpy() for name in names}
        self.scale = torch.from_numpy(self.arrays["densities"].std(0)).clamp(min=1e-6)
        rng = np.random.default_rng(0)
        told = np.array([-1 if one.arousal is None else one.arousal for one in segments])
        known = np.flatnonzero(told >= 0)
        if len(known):
            self.truth, self.known = told, known
        else:
            self.truth = stand_in_arousal(self.arrays["densities"], rng)
            count = max(min(len(segments), labelled_batch), round(labels * len(segments)))
            self.known = np.sort(rng.permutation(len(segments))[:count])

    def __len__(self) -> int:
        return len(self.arrays["rhythm"])

    def batch(self, step: int, share: Share) -> FaderBatch:
        """The share of the batch of a step."""
        labelled = self.labelled_every > 0 and step % self.labelled_every == 0
        rows, size = (self.known, self.labelled_batch) if labelled else (np.arange(len(self)), self.batch_size)
        size = min(size, len(rows))
        epoch, place = divmod(step * size, len(rows) - len(rows) % size)
        order = np.random.default_rng([epoch, int(labelled)]).permutation(rows)
        chosen = share.of([int(row) for row in order[place : place + size]])
        return self._rows(np.array(chosen), labelled, step)

    def all(self, size: int = 256) -> Iterator[FaderBatch]:
        """All segments in order, without labels."""
        for start in range(0, len(self), size):
            yield self._rows(np.arange(start, min(start + size, len(self))), False, 0)

    def labelled(self, size: int = 256) -> Iterator[FaderBatch]:
        """All segments whose labels are known, in order."""
        for start in range(0, len(self.known), size):
            yield self._rows(self.known[start : start + size], True, 0)

    def _rows(self, rows: np.ndarray, labelled: bool, step: int) -> FaderBatch:
        device = self.device()
        held = {name: torch.from_numpy(array[rows]).to(device) for name, array in self.arrays.items()}
        used = int((held["events"] > 0).any(0).nonzero().max()) + 1
        truth = torch.from_numpy(self.truth[rows]).to(device)
        held["events"] = held["events"][:, :used]
        return FaderBatch(**held, labels=truth if labelled else None, truth=truth, step=step)
