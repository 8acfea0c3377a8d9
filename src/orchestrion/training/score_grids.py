"""Pieces as windows of grids with sources and targets, for systems that learn to write some tracks from others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from orchestrion.data.piece import Piece
from orchestrion.errors import InputError
from orchestrion.representations.getscore import GetVocabulary
from orchestrion.representations.getscore_batches import Batch, make_batch
from orchestrion.representations.getscore_conditions import RandomDraws
from orchestrion.representations.getscore_windows import Groups, read_groups, training_windows
from orchestrion.training.stage import Share


def readable(pieces: Sequence[Piece]) -> Iterator[Groups]:
    """Those of the pieces whose metre can be served, read."""
    for piece in pieces:
        if piece.score is not None:
            try:
                yield read_groups(piece.score, melody=piece.melody)
            except InputError:
                continue


class ScoreGrids:
    """Windows of the pieces whose metre can be served.

    Args:
        columns: of a window.
        batch_size: windows of a batch.
        single_share, chord_share, chord_target_share, span_share: of the windows, see `getscore_batches.make_batch`.
    """

    def __init__(
        self, pieces: Sequence[Piece], vocabulary: GetVocabulary, *, columns: int, batch_size: int, **shares: float
    ) -> None:
        self.vocabulary, self.batch_size, self.shares = vocabulary, batch_size, shares
        self.windows = [w for piece in readable(pieces) for w in training_windows(piece, vocabulary, columns=columns)]

    def __len__(self) -> int:
        return len(self.windows)

    def draw(self, chosen: Sequence[int], rng: np.random.Generator) -> Batch:
        """Some of the windows, each with sources and targets drawn anew."""
        return make_batch([self.windows[n] for n in chosen], self.vocabulary, RandomDraws(rng), **self.shares)

    def batch(self, step: int, share: Share) -> Batch:
        """The share of the batch of a step. What its sources are is drawn from torch's generator."""
        epoch, place = divmod(step * self.batch_size, max(len(self) - self.batch_size + 1, 1))
        order = np.random.default_rng(epoch).permutation(len(self))
        chosen = share.of([int(order[(place + n) % len(self)]) for n in range(self.batch_size)])
        return self.draw(chosen, np.random.default_rng(int(torch.randint(2**62, ()))))

    def all(self, size: int = 32) -> Iterator[Batch]:
        """All windows in order, the same each time."""
        rng = np.random.default_rng(0)
        for start in range(0, len(self), size):
            yield self.draw(range(start, min(start + size, len(self))), rng)
