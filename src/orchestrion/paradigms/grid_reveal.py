"""Filling the masked cells of grids: rows that hold for spans of columns first, such as the chords of bars, then rows
that come in pairs, such as what begins in a column and how long it lasts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from orchestrion.paradigms.paired_reveal import Draw, PairedReveal
from orchestrion.paradigms.span_reveal import reveal_spans


@dataclass(frozen=True, slots=True)
class GridReveal:
    """How grids [batch, rows, columns] are filled.

    Attributes:
        hidden: grids, steps [batch] and which cells are known → hidden states [batch, rows, columns, channels].
        head: hidden states [cells, channels] → logits of all classes, or of those given besides.
        legal: classes that a row may hold.
        paired: how many rows come in pairs; those after them hold for spans.
        steps: T of the diffusion.
        mask, empty, pad: the tokens for "not known", "no row here" and "nothing begins".
    """

    hidden: Callable[[Tensor, Tensor, Tensor], Tensor]
    head: Callable[..., Tensor]
    legal: Bool[Tensor, "rows classes"]
    paired: int
    steps: int
    mask: int
    empty: int
    pad: int
    generator: torch.Generator | None = None

    def known(self, grid: Int[Tensor, "batch rows columns"]) -> Bool[Tensor, "batch rows columns"]:
        """Which cells are known: those that are neither masked nor empty."""
        return (grid != self.mask) & (grid != self.empty)

    def fill_spans(
        self, grid: Int[Tensor, "batch rows columns"], spans: Int[Tensor, "batch columns"], *, rounds: int, draw: Draw
    ) -> Int[Tensor, "batch rows columns"]:
        """Fills the rows that hold for spans, one after the other, spans in random order. Other masked cells are empty
        meanwhile.

        Args:
            spans: number of the span that each column belongs to.
            rounds: calls of the network for a row.
        """
        above = slice(self.paired)
        x = grid.clone()
        x[:, above] = grid[:, above].masked_fill(grid[:, above] == self.mask, self.empty)
        known = self.known(x)
        total = int((grid[:, self.paired :] == self.mask).sum())

        def hidden(tokens: Tensor) -> Tensor:
            share = float((tokens[:, self.paired :] == self.mask).sum()) / total
            t = torch.full((len(tokens),), round(share * (self.steps - 1)), device=tokens.device)
            return self.hidden(tokens, t, known)

        for row in range(self.paired, grid.shape[1]):
            classes = self.legal[row].nonzero()[:, 0]
            reveal_spans(
                x,
                row,
                spans,
                hidden,
                lambda cells, classes=classes: self.head(cells, classes),
                classes,
                mask=self.mask,
                rounds=rounds,
                draw=draw,
                generator=self.generator,
            )
        x[:, above] = grid[:, above]
        return x

    def fill_pairs(
        self,
        grid: Int[Tensor, "batch rows columns"],
        *,
        calls: int,
        joint: bool,
        draw: Draw,
        progress: Callable[[int, int], None] | None = None,
    ) -> Int[Tensor, "batch rows columns"]:
        """Fills the rows that come in pairs, at each call of the network the scheduled number of cells.

        Args:
            calls: of the network; at most T.
            joint: reveal both cells of a column together, see `PairedReveal.pairs`.
        """
        x, above, known = grid.clone(), slice(self.paired), self.known(grid)
        reveal = PairedReveal(self.head, self.legal[above], mask=self.mask, pad=self.pad, generator=self.generator)
        table = reveal.schedule(x[:, above], calls, joint)
        step = reveal.pairs if joint else reveal.cells
        for number in range(calls):
            row = calls - 1 - number
            if bool((table[:, row] > 0).any()):
                t = torch.full((len(x),), round(row * (self.steps - 1) / (calls - 1)), device=x.device)
                x[:, above] = step(x[:, above], self.hidden(x, t, known)[:, above], table[:, row], draw)
            if progress is not None:
                progress(number + 1, calls)
        return x
