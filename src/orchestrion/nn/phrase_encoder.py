"""A short melody as one vector: what Theme Transformer finds its themes with (Shih et al. 2023, section III).

The published network was never released; this one is ours: intervals, lengths and places of the notes are embedded and
added, a small transformer reads them, and the mean over the notes is projected to unit length. Absolute pitch is not
seen, so that a transposed phrase is the same phrase.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from orchestrion.nn.encoder import Encoder

WIDEST = 36  # semitones of an interval; greater ones count as this
LONGEST = 64  # sixteenths of a note, and of a phrase


class PhraseEncoder(nn.Module):
    """Notes → a vector of length 1.

    Args:
        width, num_layers, num_heads, feed_forward: sizes of the transformer.
        dim: length of the vector.
        dropout: in training.
        most_notes: longest phrase.
    """

    def __init__(
        self,
        *,
        width: int = 64,
        num_layers: int = 2,
        num_heads: int = 4,
        feed_forward: int = 128,
        dim: int = 64,
        dropout: float = 0.0,
        most_notes: int = 64,
    ) -> None:
        super().__init__()
        self.most_notes = most_notes
        self.step, self.rise = nn.Embedding(2 * WIDEST + 1, width), nn.Embedding(2 * WIDEST + 1, width)
        self.length, self.place = nn.Embedding(LONGEST + 1, width), nn.Embedding(LONGEST, width)
        self.encoder = Encoder(
            width=width,
            num_layers=num_layers,
            num_heads=num_heads,
            feed_forward=feed_forward,
            max_length=most_notes,
            dropout=dropout,
        )
        self.out = nn.Linear(width, dim)

    def forward(
        self, notes: Int[Tensor, "batch notes 3"], real: Bool[Tensor, "batch notes"]
    ) -> Float[Tensor, "batch dim"]:
        """Vectors of phrases.

        Args:
            notes: rows of (onset from the beginning of the phrase, length, pitch), times in sixteenths, in order.
            real: False at padding; every phrase has at least one note.
        """
        onset, length, pitch = notes.unbind(-1)
        step = torch.diff(pitch, dim=1, prepend=pitch[:, :1])
        rise = pitch - pitch[:, :1]
        x = (
            self.step(step.clamp(-WIDEST, WIDEST) + WIDEST)
            + self.rise(rise.clamp(-WIDEST, WIDEST) + WIDEST)
            + self.length(length.clamp(0, LONGEST))
            + self.place(onset.clamp(0, LONGEST - 1))
        )
        x = self.encoder(x, real[:, None, :].expand(-1, real.shape[1], -1))
        weight = real[..., None].to(x.dtype)
        mean = (x * weight).sum(1) / weight.sum(1)
        return functional.normalize(self.out(mean), dim=-1)
