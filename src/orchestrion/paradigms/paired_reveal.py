"""Revealing a grid in which two rows belong together: what begins in a column, and how long it lasts (GETMusic's
tracks).

Cells can be revealed one by one, as published, or in pairs, so that something that begins always has a length.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from orchestrion.paradigms.scheduled_reveal import choose_units, reveal_schedule

Draw = Callable[[Tensor, Tensor], Tensor]
"""Logits and legal classes [cells, classes] → a class a cell."""


@dataclass(frozen=True, slots=True)
class PairedReveal:
    """How the cells of grids [batch, 2 · groups, columns] are revealed; row 2i says what begins and row 2i + 1 how long
    it lasts.

    Attributes:
        head: hidden states [cells, channels] → logits [cells, classes].
        legal: classes that a row may hold.
        mask, pad: the tokens for "not known" and "nothing begins". In the second rows only `pad` and classes below it
            are legal.
    """

    head: Callable[[Tensor], Tensor]
    legal: Bool[Tensor, "rows classes"]
    mask: int
    pad: int
    generator: torch.Generator | None = None

    def schedule(
        self, grid: Int[Tensor, "batch rows columns"], steps: int, joint: bool
    ) -> Int[Tensor, "batch steps groups"]:
        """How many masked cells of each group or, if `joint`, columns with one, are revealed at each step."""
        pairs = (grid == self.mask).unflatten(1, (-1, 2))
        counts = (pairs.any(2) if joint else pairs.flatten(2)).sum(-1)
        return torch.stack([reveal_schedule(row.tolist(), steps) for row in counts]).to(grid.device)

    def cells(
        self,
        grid: Int[Tensor, "batch rows columns"],
        hidden: Float[Tensor, "batch rows columns channels"],
        count: Int[Tensor, "batch groups"],
        draw: Draw,
    ) -> Int[Tensor, "batch rows columns"]:
        """Reveals `count` cells of each group, each by itself."""
        rows, columns = grid.shape[1:]
        masked = (grid == self.mask).reshape(len(grid), rows // 2, 2 * columns)
        flat = hidden.reshape(-1, hidden.shape[-1])

        def legal(index: Tensor) -> Tensor:
            return self.legal[(index // columns) % rows]

        def confidence(index: Tensor) -> Tensor:
            return largest_probability(self.head(flat[index]), legal(index))

        index = choose_units(masked, count, confidence, self.generator)
        drawn = draw(self.head(flat[index]), legal(index))
        return grid.flatten().scatter(0, index, drawn).view_as(grid)

    def pairs(
        self,
        grid: Int[Tensor, "batch rows columns"],
        hidden: Float[Tensor, "batch rows columns channels"],
        count: Int[Tensor, "batch groups"],
        draw: Draw,
    ) -> Int[Tensor, "batch rows columns"]:
        """Reveals `count` columns of each group, both cells of each together: whether something begins is drawn from
        the first row, and a length among those longer than none exactly if it does. A cell that was known stays, and
        the other is drawn to fit it."""
        groups, columns = grid.shape[1] // 2, grid.shape[2]
        tokens = grid.unflatten(1, (groups, 2)).transpose(2, 3).flatten(0, 2)  # [batch · groups · columns, 2]
        cells = hidden.unflatten(1, (groups, 2)).transpose(2, 3).flatten(0, 2)
        masked = tokens == self.mask

        def legal(index: Tensor) -> Tensor:
            group = (index // columns) % groups
            return torch.stack([self.legal[2 * group], self.legal[2 * group + 1]], 1)

        def confidence(index: Tensor) -> Tensor:
            return largest_probability(self.head(cells[index]), legal(index)).mean(-1)

        open_ = masked.any(-1).view(len(grid), groups, columns)
        index = choose_units(open_, count, confidence, self.generator)
        logits, allowed = self.head(cells[index]), legal(index)
        unknown, held = masked[index], tokens[index]
        lasts = ~unknown[:, 1] & (held[:, 1] != self.pad)
        ends = ~unknown[:, 1] & (held[:, 1] == self.pad)
        first, second = allowed.unbind(1)
        first[ends] = False
        first[:, self.pad] = ~lasts
        first = torch.where(unknown[:, :1], draw(logits[:, 0], first)[:, None], held[:, :1])
        silent = first == self.pad
        second[:, : self.pad] &= ~silent
        second[:, self.pad] = silent[:, 0]
        second = torch.where(unknown[:, 1:], draw(logits[:, 1], second)[:, None], held[:, 1:])
        tokens = tokens.index_copy(0, index, torch.cat([first, second], 1))
        return tokens.view(len(grid), groups, columns, 2).transpose(2, 3).flatten(1, 2)


def largest_probability(
    logits: Float[Tensor, "*cells classes"], legal: Bool[Tensor, "*cells classes"]
) -> Float[Tensor, "*cells"]:
    """Of the likeliest legal class, among the legal ones."""
    logits = logits.masked_fill(~legal, -torch.inf)
    return (logits.amax(-1) - logits.logsumexp(-1)).exp()
