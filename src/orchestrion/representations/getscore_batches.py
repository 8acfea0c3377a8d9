"""Batches for training GETMusic: windows with their sources and targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from orchestrion.representations.getscore import GetVocabulary
from orchestrion.representations.getscore_conditions import Draws, choose_chords, choose_tracks, give_outside
from orchestrion.representations.getscore_windows import Window


@dataclass(frozen=True, slots=True)
class Batch:
    """Training items: tokens and which of them are given [batch, 14, columns], places in bars [batch, columns, 2]."""

    tokens: Int[Tensor, "batch rows columns"]
    source: Bool[Tensor, "batch rows columns"]
    places: Int[Tensor, "batch columns 2"]

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        return Batch(self.tokens.to(device), self.source.to(device), self.places.to(device))


def make_batch(
    windows: Sequence[Window],
    vocabulary: GetVocabulary,
    draws: Draws,
    *,
    single_share: float,
    chord_share: float,
    chord_target_share: float,
    span_share: float,
) -> Batch:
    """Chooses sources and targets for each window.

    Args:
        single_share, chord_share: as `choose_tracks`.
        chord_target_share: of the items have the chords as their target (`choose_chords`).
        span_share: of the items have a span of bars as their target only (`give_outside`).
    """
    chosen = []
    for window in windows:
        if draws.chance(chord_target_share):
            condition = choose_chords(window.grid, vocabulary, draws)
        else:
            condition = choose_tracks(
                window.grid, vocabulary, draws, single_share=single_share, chord_share=chord_share
            )
        if draws.chance(span_share):
            condition = give_outside(condition, window.bars, draws)
        chosen.append(condition)
    tokens = np.stack([condition.tokens for condition in chosen]).astype(np.int64)
    source = np.stack([condition.source for condition in chosen])
    places = np.stack([window.places for window in windows]).astype(np.int64)
    return Batch(torch.from_numpy(tokens), torch.from_numpy(source), torch.from_numpy(places))
