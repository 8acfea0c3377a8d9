"""Melodies over chords as windows of events, for systems that learn to write the next event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from orchestrion.data.piece import Piece
from orchestrion.representations.melody_events import LONGEST, cut_melody, elapsed_classes, to_classes
from orchestrion.training.plain_melodies import leads

MOST_TRIED = 64  # pieces; larger sets are taken to hold some in 4/4
FULL_BAR = LONGEST - 1  # class of the time that has passed when a bar is full
ANYWHERE = 0.6  # share of windows that may begin anywhere; the others begin with their piece


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Windows of events: rows, the classes that follow, time passed before each of those, and which of them count."""

    rows: Float[Tensor, "batch events inputs"]
    targets: Int[Tensor, "batch predicted 3"]
    elapsed: Int[Tensor, "batch predicted"]
    counted: Bool[Tensor, "batch predicted"]

    def to(self, device: torch.device) -> EventBatch:
        """The same on a device."""
        return EventBatch(*(part.to(device) for part in (self.rows, self.targets, self.elapsed, self.counted)))


def metres_to_learn(pieces: Sequence[Piece]) -> list[tuple[int, int]]:
    """4/4, and, for a set of few pieces, their other metres whose bars are whole sixteenths and no longer."""
    few = pieces if len(pieces) <= MOST_TRIED else ()
    return [(4, 4), *sorted({piece.metre for piece in few if piece.metre and _fits(piece.metre)} - {(4, 4)})]


def _fits(metre: tuple[int, int]) -> bool:
    return metre[1] in (1, 2, 4, 8, 16) and 0 < LONGEST * metre[0] // metre[1] <= LONGEST


def melody_classes(pieces: Sequence[Piece], most: int, *, metre: tuple[int, int]) -> list[Int[np.ndarray, "events 4"]]:
    """The classes of the events of melodies over chords, see `plain_melodies.leads`."""
    bar = LONGEST * metre[0] // metre[1]
    return [
        to_classes(cut_melody(lead.melody, lead.chords, quarters=lead.quarters, bar=bar))
        for lead in leads(pieces, most, metre=metre)
    ]


def make_windows(
    pieces: Sequence[Int[np.ndarray, "events 4"]],
    rng: np.random.Generator,
    *,
    rows: Callable[[Tensor, Tensor], Tensor],
    events: int,
    lead: int,
    flat: bool,
    padded: bool,
) -> EventBatch:
    """A window of each piece, from its beginning or from a place drawn at random.

    Args:
        rows: classes [events, 4] and those of the next event's chord [events] → rows [events, inputs].
        events: of a window; whole multiples of `lead` are taken.
        lead: events that come before the first that is predicted.
        flat: predict the event after each, the first included.
        padded: whether `lead` empty events come before each piece.
    """
    span = events // lead * lead
    empty = np.full((lead if padded else 0, 4), -1, np.int64)
    wanted, known = (slice(1, None), slice(None)) if flat else (slice(lead, -1), slice(lead - 1, -1))
    found, targets, passed, counted = [], [], [], []
    for piece in pieces:
        whole = np.concatenate([empty, piece])
        start = int(rng.integers(max(len(whole) - span, 0) + 1)) if rng.random() < ANYWHERE else 0
        following = np.append(whole[1:, 1], 0)
        before = np.concatenate([np.full(len(empty), FULL_BAR), elapsed_classes(piece[:, 0], piece[:, 2])])
        room = max(start + span + 1 - len(whole), 0)
        part = np.concatenate([whole, np.full((room, 4), -1, np.int64)])[start : start + span + 1]
        following = np.concatenate([following, np.full(room, -1)])[start : start + span]
        before = np.concatenate([before, np.zeros(room, np.int64)])[start : start + span]
        real = (np.arange(start, start + span + 1) >= len(empty)) & (part[:, 0] >= 0)
        found.append(rows(torch.from_numpy(part[:-1]), torch.from_numpy(following)))
        targets.append(part[wanted][:, [0, 2, 3]].clip(0))
        passed.append(before[known])
        counted.append(real[wanted])
    return EventBatch(torch.stack(found), *(torch.from_numpy(np.stack(part)) for part in (targets, passed, counted)))
