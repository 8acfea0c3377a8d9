"""Sampling from an absorbing discrete diffusion by revealing a fixed number of cells a step.

GETMusic (Lv et al. 2023) decides beforehand how many masked cells of each group (a track) are revealed at each step.
`reveal_exactly` follows the published code draw by draw; `reveal` gives results of the same distribution and evaluates
the head of the network only for cells that can be revealed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from orchestrion.paradigms.discrete_diffusion import LOG_FLOOR, DiscreteDiffusion, choose_by_gumbel, gumbel


def reveal_schedule(masked: Sequence[int], steps: int) -> Int[Tensor, "steps groups"]:
    """How many cells of each group are revealed at step t, row t, so that all are by t = 1.

    Each of the T − 1 rows gets ⌊masked / (T − 1)⌋; the remainder is spread over every k-th row from t = 1 on, k = ⌈T /
    remainder⌉, until none is left. Row 0, the last step, is for what may be left over and stays 0 here.
    """
    table = torch.zeros(steps, len(masked), dtype=torch.long)
    for group, count in enumerate(masked):
        table[1:, group] = count // (steps - 1)
        left = count % (steps - 1)
        while left > 0:
            rows = table[1 :: math.ceil(steps / left), group]
            rows += 1
            left -= len(rows)
    return table


@dataclass(frozen=True, slots=True)
class ExactStep:
    """One call of the network in `reveal_exactly`: t, tokens before and after, and the cells revealed so far in this
    step."""

    t: int
    before: Int[Tensor, " cells"]
    after: Int[Tensor, " cells"]
    counts: Int[Tensor, " groups"]


def reveal_exactly(
    diffusion: DiscreteDiffusion,
    predict: Callable[[Tensor, Tensor], Tensor],
    tokens: Int[Tensor, " cells"],
    *,
    targets: Bool[Tensor, " cells"],
    groups: Sequence[slice],
    legal: Bool[Tensor, "cells classes"],
    table: Int[Tensor, "steps groups"],
    uniform: Callable[[tuple[int, int]], Tensor],
    exponential: Callable[[int], Tensor],
    most: int = 1024,
) -> Iterator[ExactStep]:
    """The published sampler, one draw after another; yields every call of the network.

    Args:
        predict: tokens [1, cells] and t [1] → logits [1, cells, predicted classes].
        tokens: what all cells hold but the targets, which begin as MASK whatever they hold.
        targets: the cells to be sampled; others are put back before every call.
        groups: the cells of each group, as slices.
        legal: classes that a cell may take; illegal ones get exactly −70 after the Gumbel noise was added.
        table: `reveal_schedule`; groups are done while any has revealed fewer cells than its row says.
        uniform: draws for one call, [classes, cells].
        exponential: draws for choosing without replacement among the cells of one group: the largest weight / draw
            first.
        most: cells that a group may reveal in one call.
    """
    fixed, mask = tokens, diffusion.mask_token
    tokens = torch.where(targets, mask, tokens)
    for t in range(diffusion.steps - 1, -1, -1):
        counts = torch.zeros(table.shape[1], dtype=torch.long)
        wanted = table[t] if t else torch.ones_like(table[0])
        while bool((counts < wanted).any()):
            before = torch.where(targets, tokens, fixed)
            time = torch.tensor([t], device=tokens.device)
            log_x0 = diffusion.log_prediction(predict(before[None], time))
            log_p = log_x0 if t else diffusion.posterior(log_x0, before[None], time)
            noisy = log_p[0] + gumbel(uniform((diffusion.classes, len(tokens))).T)
            drawn = noisy.masked_fill(~legal, LOG_FLOOR).argmax(-1)
            if t == 0:
                yield ExactStep(t, before, drawn, torch.full_like(counts, -1))
                return
            weight = log_x0[0].exp().amax(-1).softmax(-1)
            weight = torch.where(targets & (before == mask), weight, 0)
            after = before.clone()
            for number, cells in enumerate(groups):
                left = int(wanted[number] - counts[number])
                count = left if left <= most + 1 else most
                if count <= 0 or not bool((weight[cells] > 0).any()):
                    continue
                chosen = (weight[cells] / exponential(cells.stop - cells.start)).topk(count).indices + cells.start
                after[chosen] = drawn[chosen]
                counts[number] += int((after[cells] != mask).sum() - (before[cells] != mask).sum())
            tokens = after
            yield ExactStep(t, before, after, counts.clone())


def choose_units(
    masked: Bool[Tensor, "batch groups units"],
    count: Int[Tensor, "batch groups"],
    confidence: Callable[[Tensor], Tensor] | None,
    generator: torch.Generator | None = None,
) -> Int[Tensor, " chosen"]:
    """Draws `count` masked units of each group without replacement, with weights exp(confidence), confidence in [0, 1].

    This is drawing by an exponential race: the units with the smallest e / weight win, e exponential. A weight lies
        between 1 and
    exp 1, so a unit with e / exp(1) above the count-th smallest e cannot win, and its confidence is not asked for.

    Args:
        confidence: indices into the flattened grid → confidence of those units; all weigh the same by default.

    Returns:
        Places in the flattened grid, ascending.
    """
    race = torch.empty(masked.shape, device=masked.device).exponential_(generator=generator)
    race = race.masked_fill(~masked, torch.inf)
    ordered = race.sort(-1).values
    limit = ordered.gather(-1, (count - 1).clamp(min=0)[..., None])
    open_ = (race <= limit) if confidence is None else (race <= limit * math.e)
    open_ = open_ & masked & (count > 0)[..., None]
    index = open_.flatten().nonzero().squeeze(-1)
    if confidence is not None and len(index):
        race = (
            torch.full_like(race, torch.inf)
            .flatten()
            .scatter(0, index, race.flatten()[index] / confidence(index).exp())
            .view_as(race)
        )
        limit = race.sort(-1).values.gather(-1, (count - 1).clamp(min=0)[..., None])
        keep = ((race <= limit) & open_).flatten()[index]
        index = index[keep]
    return index


def draw(
    logits: Float[Tensor, "cells classes"],
    legal: Bool[Tensor, "cells classes"],
    *,
    temperature: float = 1.0,
    top_p: float = 1.0,
    generator: torch.Generator | None = None,
) -> Int[Tensor, " cells"]:
    """A legal class a cell; temperature 0 takes the likeliest.

    Args:
        top_p: only the likeliest classes are drawn that together have this probability, one at least (Holtzman et al.
            2020).
    """
    logits = logits.masked_fill(~legal, -torch.inf)
    if temperature == 0:
        return logits.argmax(-1)
    logits = logits / temperature
    if top_p < 1:
        ordered, order = logits.softmax(-1).sort(-1, descending=True)
        left_out = ordered.cumsum(-1) - ordered >= top_p
        logits = logits.masked_fill(torch.zeros_like(left_out).scatter(-1, order, left_out), -torch.inf)
    uniform = torch.rand(logits.shape, generator=generator, device=logits.device)
    return choose_by_gumbel(logits, uniform)
