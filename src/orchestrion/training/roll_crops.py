"""Pictures of piano rolls to train on: random crops of pieces that begin on bar lines.

Crops end before their piece does, as those of long songs nearly always do: a network that often sees music stop lets
it stop, the more so the more often a step is done again. Only where all pieces are shorter than a crop do they not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from orchestrion.data.piece import Piece
from orchestrion.media.timeline import Timeline
from orchestrion.representations.roll_picture import Notes, Picture, draw_notes, score_notes, stack

BLACK = -1.0


@dataclass(frozen=True, slots=True)
class Roll:
    """The notes of a piece on the grid.

    Attributes:
        notes: in columns.
        bars: columns in which a crop may begin: those of bars from which on the music fills it, or else the first.
        whole: whether it can be filled.
    """

    notes: Notes
    bars: np.ndarray
    whole: bool


class RollCrops:
    """Rolls of pieces that have notes.

    Args:
        columns: of a crop.
        lowest, pitches: of its rows.
        transpose: crops are moved by up to so many semitones in both directions.
        tracks: "all" pitched ones, or the "melody" and one more, the one with the most notes.
    """

    def __init__(
        self,
        pieces: Sequence[Piece],
        *,
        columns: int,
        columns_per_quarter: int,
        lowest: int,
        pitches: int,
        transpose: int,
        tracks: str = "all",
    ) -> None:
        self.columns, self.lowest, self.pitches, self.transpose = columns, lowest, pitches, transpose
        self.rolls = []
        for piece in pieces:
            if piece.score is None:
                continue
            notes = score_notes(
                piece.score,
                columns_per_quarter=columns_per_quarter,
                tracks=None if tracks == "all" else _two_tracks(piece),
            )
            if not len(notes):
                continue
            timeline = Timeline.from_score(piece.score)
            borders = timeline.bar_to_tick(np.arange(timeline.n_bars + 1, dtype=np.float64))
            bars = np.rint(timeline.tick_to_quarter(borders) * columns_per_quarter).astype(int)
            whole = bars[bars <= bars[-1] - columns]
            self.rolls.append(Roll(notes, whole if len(whole) else bars[:1], len(whole) > 0))
        if any(roll.whole for roll in self.rolls):
            self.rolls = [roll for roll in self.rolls if roll.whole]

    def __len__(self) -> int:
        return len(self.rolls)

    def draw(self, number: int, rng: np.random.Generator) -> Picture:
        """A crop of a roll."""
        roll = self.rolls[number]
        start = int(rng.choice(roll.bars))
        notes = roll.notes
        near = (notes[:, 0] < start + self.columns) & (notes[:, 0] + notes[:, 1] > start)
        shift = int(rng.integers(-self.transpose, self.transpose + 1))
        moved = notes[near] + np.array([-start, 0, shift, 0])
        return draw_notes(moved, self.columns, lowest=self.lowest, pitches=self.pitches)

    def batch(
        self, chosen: Sequence[int], rng: np.random.Generator, *, stacked: bool
    ) -> Float[Tensor, "batch 3 height width"]:
        """Crops from −1 (black) to 1, stacked where the network asks for that."""
        pictures = [self.draw(number, rng) for number in chosen]
        return to_tensor(np.stack([stack(one) if stacked else one for one in pictures]))


def to_tensor(pictures: np.ndarray) -> Float[Tensor, "batch 3 height width"]:
    """uint8 [batch, height, width, 3] → [batch, 3, height, width] from −1 to 1."""
    return (torch.from_numpy(pictures).movedim(-1, 1).float() / 127.5 - 1).contiguous()


def to_pictures(x: Float[Tensor, "batch 3 height width"]) -> np.ndarray:
    """The inverse, rounded."""
    return ((x.float().clamp(-1, 1) + 1) * 127.5).round().byte().movedim(1, -1).cpu().numpy()


def _two_tracks(piece: Piece) -> list[int]:
    """The melody, and of the other pitched tracks the one with the most notes."""
    tracks = [] if piece.score is None else piece.score.tracks
    pitched = [n for n, track in enumerate(tracks) if not track.is_drum and len(track.notes)]
    melody = piece.melody if piece.melody in pitched else None
    rest = sorted((n for n in pitched if n != melody), key=lambda n: -len(tracks[n].notes))
    return [*([] if melody is None else [melody]), *rest[: 1 if melody is not None else 2]]
