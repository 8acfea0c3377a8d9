"""Revealing cells that hold for a span of columns, such as the chord of a bar: all cells of a span take one class."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Int
from torch import Tensor


def reveal_spans(
    grid: Int[Tensor, "batch rows columns"],
    row: int,
    spans: Int[Tensor, "batch columns"],
    hidden: Callable[[Tensor], Tensor],
    head: Callable[[Tensor], Tensor],
    classes: Int[Tensor, " classes"],
    *,
    mask: int,
    rounds: int,
    draw: Callable[[Tensor, Tensor], Tensor],
    generator: torch.Generator | None = None,
) -> None:
    """Fills the masked spans of one row of grids, in place, in random order, an equal share in each round.

    Args:
        spans: number of the span that each column belongs to.
        hidden: grids -> hidden states [batch, rows, columns, channels]; those of a span are averaged.
        head: hidden states [cells, channels] -> logits of `classes`.
        classes: tokens that the row may hold.
        mask: the token for "not known".
        rounds: calls of the network.
        draw: logits and legal classes -> a class a cell.
    """
    for number in range(rounds):
        open_ = grid[:, row] == mask
        if not bool(open_.any()):
            return
        states = hidden(grid)[:, row]
        for item in range(len(grid)):
            left = spans[item][open_[item]].unique()
            count = -(-len(left) // (rounds - number))
            for span in left[torch.randperm(len(left), generator=generator)[:count]]:
                cells = spans[item] == span
                logits = head(states[item, cells].mean(0, keepdim=True))
                chosen = draw(logits, torch.ones_like(logits, dtype=torch.bool))
                grid[item, row, cells] = classes[chosen]
