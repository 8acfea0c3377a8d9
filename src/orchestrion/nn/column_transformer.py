"""A transformer over the columns of a grid of tokens, as GETMusic (Lv et al. 2023, section 3.2) has it."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from orchestrion.nn.encoder import Encoder, band_mask
from orchestrion.nn.packed_linear import Linear
from orchestrion.nn.positions import timestep_features

TIME_FEATURES = 128


class ColumnTransformer(nn.Module):
    """RoFormer over columns: the tokens of a column are fused into one vector, and taken apart again.

    Args:
        rows: tokens of a column.
        classes: tokens with EMPTY and MASK, the last two, which are never predicted.
        embedding: channels of a token.
        width, num_layers, num_heads, feed_forward: sizes of the encoder.
        max_columns: of a grid.
        longest_bar: columns of it, for `bar_places`.
        dropout: in training.
        condition_flags: whether the network is told which cells are sources.
        bar_places: whether it is told where a column stands in its bar, and how long the bar is. Not in the paper,
            which knows 4/4 only; positions are relative, so that nothing else says where a bar begins.
        quiet_start: whether flags and time, which are added to every cell, begin small, so that they do not drown the
            tokens.
        band_from, band_reach: in grids with more columns than `band_from`, a column attends to `band_reach` columns on
            either side.
        norm_eps: of all normalisations.
        activation, rotary_values: of the encoder's layers.
    """

    def __init__(
        self,
        *,
        rows: int,
        classes: int,
        embedding: int,
        width: int,
        num_layers: int,
        num_heads: int,
        feed_forward: int,
        max_columns: int,
        longest_bar: int = 32,
        dropout: float = 0.1,
        condition_flags: bool = True,
        bar_places: bool = False,
        quiet_start: bool = False,
        band_from: int = 512,
        band_reach: int = 255,
        norm_eps: float = 1e-12,
        activation: str = "gelu",
        rotary_values: bool = False,
    ) -> None:
        super().__init__()
        column = rows * embedding
        self.rows = rows
        self.predicted = classes - 2
        self.band_from, self.band_reach = band_from, band_reach
        self.tokens = nn.Embedding(classes, embedding, padding_idx=classes - 2)
        self.flags = nn.Embedding(2, embedding) if condition_flags else None
        self.places = nn.ModuleList(nn.Embedding(longest_bar + 1, width) for _ in range(2)) if bar_places else None
        self.time = nn.Sequential(nn.Linear(TIME_FEATURES, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.norm = nn.LayerNorm(column, eps=norm_eps)
        self.dropout = nn.Dropout(dropout)
        self.columns_in = nn.Sequential(Linear(column, width), nn.SiLU(), Linear(width, width))
        self.encoder = Encoder(
            width=width,
            num_layers=num_layers,
            num_heads=num_heads,
            feed_forward=feed_forward,
            max_length=max_columns,
            dropout=dropout,
            norm_eps=norm_eps,
            activation=activation,
            rotary_values=rotary_values,
        )
        self.columns_out = nn.Sequential(Linear(width, column), nn.SiLU(), Linear(column, column))
        self.head_bias = nn.Parameter(torch.zeros(classes))
        nn.init.normal_(self.tokens.weight, std=embedding**-0.5)
        if quiet_start:
            if self.flags is not None:
                nn.init.normal_(self.flags.weight, std=0.02)
            nn.init.zeros_(self.time[2].get_parameter("weight"))
            nn.init.zeros_(self.time[2].get_parameter("bias"))
        for places in self.places or ():
            nn.init.normal_(places.get_parameter("weight"), std=0.1)

    def embed_columns(
        self,
        tokens: Int[Tensor, "batch rows columns"],
        t: Int[Tensor, " batch"],
        source: Bool[Tensor, "batch rows columns"],
        places: Int[Tensor, "batch columns 2"] | None = None,
    ) -> Float[Tensor, "batch columns width"]:
        """Token, flag and time embeddings, summed, fused by column."""
        cells = self.tokens(tokens) + self.time(timestep_features(t, TIME_FEATURES))[:, None, None]
        if self.flags is not None:
            cells = cells + self.flags(source.long())
        columns = self.columns_in(self.dropout(self.norm(cells.transpose(1, 2).flatten(2))))
        if self.places is not None:
            if places is None:
                raise ValueError("this network has to be told the places of columns in their bars")
            columns = columns + sum(table(places[..., n]) for n, table in enumerate(self.places))
        return columns

    def hidden(
        self,
        tokens: Int[Tensor, "batch rows columns"],
        t: Int[Tensor, " batch"],
        source: Bool[Tensor, "batch rows columns"],
        places: Int[Tensor, "batch columns 2"] | None = None,
    ) -> Float[Tensor, "batch rows columns embedding"]:
        """What the head reads, cell by cell."""
        columns = tokens.shape[-1]
        banded = not self.training and columns > self.band_from
        mask = band_mask(columns, self.band_reach, tokens.device) if banded else None
        out = self.columns_out(self.encoder(self.embed_columns(tokens, t, source, places), mask))
        return out.unflatten(-1, (self.rows, -1)).transpose(1, 2)

    def head(
        self, hidden: Float[Tensor, "*cells embedding"], classes: Int[Tensor, " chosen"] | None = None
    ) -> Float[Tensor, "*cells logits"]:
        """Logits of all classes but EMPTY and MASK, or of those chosen, by the token embeddings."""
        chosen = slice(self.predicted) if classes is None else classes
        return functional.linear(hidden, self.tokens.weight[chosen], self.head_bias[chosen])

    def forward(
        self,
        tokens: Int[Tensor, "batch rows columns"],
        t: Int[Tensor, " batch"],
        source: Bool[Tensor, "batch rows columns"],
        places: Int[Tensor, "batch columns 2"] | None = None,
    ) -> Float[Tensor, "batch rows columns predicted"]:
        """Logits of x_0 in every cell of x_t at step t; `source` marks the cells that are given, `places` are those of
        `Ruler.places`."""
        return self.head(self.hidden(tokens, t, source, places))
