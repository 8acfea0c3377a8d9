"""Latents that move with an attribute: by the order of the items of a batch, or by the slope of what is decoded."""

from __future__ import annotations

from collections.abc import Callable

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


def decoded_slope_loss(
    measure: Callable[[Tensor], Tensor], z: Float[Tensor, "batch dim"], delta: Float[Tensor, " batch"], *, place: int
) -> Float[Tensor, ""]:
    """`slope_loss` along one dimension.

    Args:
        measure: latents → the attribute of what is decoded from them.
        place: the regularised dimension.
    """
    sides = []
    for sign in (1, -1):
        moved = z.clone()
        moved[:, place] += sign * delta
        sides.append(measure(moved))
    return slope_loss(sides[0], sides[1], delta)


def towards_end(values: Float[Tensor, " batch"], share: float, ends: Float[Tensor, " 2"]) -> Float[Tensor, " batch"]:
    """Values that go a share of the way to the upper end, or for a negative share to the lower end; what is beyond that
    end stays."""
    if share > 0:
        return values + share * (ends[1] - values).clamp(min=0)
    if share < 0:
        return values + share * (values - ends[0]).clamp(min=0)
    return values


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
