"""RePaint (Lugmayr et al. 2022, algorithm 1): each step is done several times, with noise added in between, so that
what is made has more time to fit what is known.

`repaint` is for noise levels σ and any solver; `repaint_steps` for the steps of a schedule.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from orchestrion.paradigms.denoisers import Denoiser
from orchestrion.paradigms.noise import NoiseSource, noise_from
from orchestrion.paradigms.samplers import Constrain, Predict, SamplerStep, Watch
from orchestrion.paradigms.schedules import NoiseSchedule


def repaint(
    solver: Callable[..., Tensor],
    denoiser: Denoiser,
    x: Float[Tensor, "batch ..."],
    sigmas: Float[Tensor, " levels"],
    *,
    repeats: int,
    noise: NoiseSource = None,
    constrain: Constrain | None = None,
    watch: Watch | None = None,
    **options: object,
) -> Float[Tensor, "batch ..."]:
    """Every step `repeats` times; after all but the last of them, x ← x + √(σ² − σ′²)·ε goes back up.

    A solver remembers nothing from one repeat to the next, since its earlier estimates are of another x: all steps are
    of first order, or as high an order as the solver reaches within a step.

    Args:
        solver: as those of `sigma_solvers.SOLVERS`; `options` are handed to it.
        repeats: 1 leaves the solver as it is.
        watch: sees each repeat as a step of its own.

    Raises:
        ValueError: `repeats` is below 1.
    """
    if repeats < 1:
        raise ValueError(f"each step must be done at least once, not {repeats} times")
    draw = noise_from(noise)
    if repeats == 1:
        return solver(denoiser, x, sigmas, noise=draw, constrain=constrain, watch=watch, **options)
    for number, pair in enumerate(sigmas.unfold(0, 2, 1)):
        up = math.sqrt(float(pair[0]) ** 2 - float(pair[1]) ** 2)
        for repeat in range(repeats):
            seen = None if watch is None else _numbered(watch, number * repeats + repeat)
            x = solver(denoiser, x, pair, noise=draw, constrain=constrain, watch=seen, **options)
            if repeat < repeats - 1:
                x = x + up * draw(x)
    return x


def _numbered(watch: Watch, number: int) -> Watch:
    return lambda step: watch(SamplerStep(number, step.level, step.x, step.clean))


def released(values: Float[Tensor, "*shape"], number: int, steps: int) -> Bool[Tensor, "*shape"]:
    """Where a soft mask lets the sampler write in step `number` (from 0) of `steps`: values up to (number + 1)/steps.
    A place of value 0 is free from the start, one of value 1 in the last step only, above 1 never."""
    return values <= (number + 1) / steps


def repaint_steps(
    predict: Predict,
    x: Float[Tensor, "batch ..."],
    schedule: NoiseSchedule,
    *,
    known: Float[Tensor, "batch ..."],
    mask: Float[Tensor, "*mask"],
    repeats: int,
    noise: NoiseSource = None,
    quirks: str = "none",
) -> Float[Tensor, "batch ..."]:
    """Down all steps of a schedule with the DDPM posterior, each `repeats` times: x ← √(1−β_t)·x + √β_t·ε goes back up.

    Args:
        x: unit noise.
        known, mask: what is kept where the mask is 1.
        noise: in each repeat, where there is any: of the known part, of the step, of going back up.
        quirks: "official" does what Polyffusion's code does: the known part is noised to step t in place of t − 1 (and
            scaled but not noised at step 0); going back up takes β of step t − 1, and times the noise by β, not √β.

    Raises:
        ValueError: `repeats` is below 1, or the quirks are unknown.
    """
    if repeats < 1 or quirks not in ("none", "official"):
        raise ValueError(f"repeats ({repeats}) must be 1 or more, quirks ({quirks!r}) 'none' or 'official'")
    draw = noise_from(noise)
    table = schedule.alphas_cumprod.tolist()
    official = quirks == "official"
    for t in reversed(range(len(table))):
        kept, before = table[t], table[t - 1] if t else 1.0
        beta = 1 - kept / before
        for repeat in range(repeats if t > 0 else 1):  # nothing is drawn in the last step
            level = kept if official else before
            background = math.sqrt(level) * known
            if t > 0:
                background = background + math.sqrt(1 - level) * draw(x)
            seen = predict(x, t)
            x = math.sqrt(before) * beta / (1 - kept) * seen.clean + math.sqrt(1 - beta) * (1 - before) / (1 - kept) * x
            if t > 0:
                x = x + math.sqrt((1 - before) / (1 - kept) * beta) * draw(x)
            x = background * mask + x * (1 - mask)
            if repeat < repeats - 1 and t > 0:
                back = 1 - before / (table[t - 2] if t > 1 else 1.0) if official else beta
                x = math.sqrt(1 - back) * x + (back if official else math.sqrt(back)) * draw(torch.empty_like(x))
    return x
