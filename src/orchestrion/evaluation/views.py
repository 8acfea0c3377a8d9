"""How good embeddings of two views of each item are, without labels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class ViewFigures:
    """Wang & Isola 2020 (arXiv 2005.10242), on embeddings of unit length.

    Attributes:
        alignment: mean squared distance of two views of an item; 0 is best, 2 is that of unrelated ones.
        uniformity: log of the mean of e^(−2 d²) over pairs of different items; lower is better, 0 if all are one point.
        found: share of first views whose nearest second view is their own item's.
    """

    alignment: float
    uniformity: float
    found: float


def view_figures(first: Float[Tensor, "items dim"], second: Float[Tensor, "items dim"]) -> ViewFigures:
    """Figures of two views of each of at least two items.

    Raises:
        ValueError: there are fewer.
    """
    if len(first) < 2 or first.shape != second.shape:
        raise ValueError("two views of at least two items are needed")
    one, two = functional.normalize(first.float(), dim=-1), functional.normalize(second.float(), dim=-1)
    alignment = (one - two).square().sum(-1).mean()
    spread = torch.stack([torch.pdist(view).square().mul(-2).exp().mean() for view in (one, two)]).mean().log()
    nearest = (one @ two.T).argmax(-1)
    found = (nearest == torch.arange(len(one), device=one.device)).float().mean()
    return ViewFigures(float(alignment), float(spread), float(found))
