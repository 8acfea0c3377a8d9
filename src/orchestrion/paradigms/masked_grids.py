"""Learning to fill grids whose rows have classes of their own: which cells are masked, and what each costs to tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional


def draw_masks(
    chance: Float[Tensor, " batch"], begins: Bool[Tensor, "batch columns"], *, rows: int, held: slice
) -> Bool[Tensor, "batch rows columns"]:
    """Which cells are masked, each with the chance of its grid.

    Args:
        begins: columns in which a span begins.
        held: rows in which the cells of a span are masked together.
    """
    batch, columns = begins.shape
    draws = torch.rand((batch, rows, columns), device=chance.device)
    start = torch.where(begins, torch.arange(columns, device=chance.device), 0).cummax(1).values
    draws[:, held] = draws[:, held].gather(2, start[:, None].expand_as(draws[:, held]))
    return draws < chance[:, None, None]


def cell_cross_entropy(
    hidden: Float[Tensor, "batch rows columns channels"],
    tokens: Int[Tensor, "batch rows columns"],
    cells: Bool[Tensor, "batch rows columns"],
    *,
    head: Callable[[Tensor, Tensor], Tensor],
    classes: Sequence[Tensor],
) -> Float[Tensor, "batch rows columns"]:
    """−log p of the cells marked, among the classes of their rows; 0 elsewhere. Nothing else is computed.

    Args:
        head: hidden states [cells, channels] and classes → logits of these classes.
        classes: of each row, ascending.
    """
    found = torch.zeros(tokens.shape, device=tokens.device)
    # The numbers of cells vary, and kernels for bfloat16 are made for each.
    with torch.autocast(tokens.device.type, enabled=False):
        for row, own in enumerate(classes):
            chosen = cells[:, row]
            truth = torch.searchsorted(own, tokens[:, row][chosen])
            nats = functional.cross_entropy(head(hidden[:, row][chosen].float(), own), truth, reduction="none")
            found[:, row] = found[:, row].masked_scatter(chosen, nats)
    return found
