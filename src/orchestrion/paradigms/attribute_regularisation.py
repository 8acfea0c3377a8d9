"""Latents that move with an attribute: by the order of the items of a batch, or by the slope of what is decoded."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

SEPARATOR = 0.9  # probability from which a step separates onsets


def ordering_loss(z: Float[Tensor, " batch"], attribute: Float[Tensor, " batch"]) -> Float[Tensor, ""]:
    """Mean over all pairs of (tanh(z_i − z_j) − sign(a_i − a_j))² (Pati & Lerch 2019, equation 3).

    Pairs of equal attribute are drawn together. Very small batches order little.
    """
    steps = attribute[:, None] - attribute[None]
    return functional.mse_loss(torch.tanh(z[:, None] - z[None]), torch.sign(steps))


def slope_loss(
    above: Float[Tensor, " batch"], below: Float[Tensor, " batch"], delta: Float[Tensor, " batch"]
) -> Float[Tensor, ""]:
    """−log N((a⁺ − a⁻)/2Δ; 0, 1), mean over items: what GLSR (Hadjeres et al. 2017) penalises.

    Args:
        above, below: attribute of what is decoded from z + Δ and z − Δ on the regularised dimension.
    """
    slope = (above - below) / (2 * delta)
    return (0.5 * slope.square() + 0.5 * torch.log(torch.tensor(2 * torch.pi))).mean()


def soft_note_density(logits: Float[Tensor, "batch time classes"], note_ons: slice) -> Float[Tensor, " batch"]:
    """Expected number of note-ons."""
    return logits.softmax(-1)[..., note_ons].sum((-1, -2))


def soft_rhythm_density(
    logits: Float[Tensor, "batch time classes"], note_ons: slice, separators: slice, *, quirks: str = "none"
) -> Float[Tensor, " batch"]:
    """Onsets over time shifts, counted so that gradients pass where they can.

    Between two steps that are separators (probability ≥ 0.9) there is an onset if note-ons are expected; less than
    0.01 of one counts as it is.

    Args:
        separators: ids of the shifts that count; in the paper those of 30 ms and more.
        quirks: "official" counts the notes of the first item for every item.
    """
    p = logits.softmax(-1)
    notes, shifts = p[..., note_ons].sum(-1), p[..., separators].sum(-1)
    found = []
    for item in range(len(p)):
        played = notes[0 if quirks == "official" else item]
        total, current = logits.new_zeros(()), logits.new_zeros(())
        for step, shift in enumerate(shifts[item]):
            if float(shift.detach()) < SEPARATOR:
                current = current + played[step]
                continue
            if float(current.detach()) != 0:
                total = total + (current / current if float(current.detach()) > 1e-2 else current)
            current = logits.new_zeros(())
        found.append(total / shifts[item].sum())
    return torch.stack(found)
