"""Solvers over noise levels that use what the network said in earlier steps: one call a step, second order or more.

In the formulas λ = −log σ and h is a step in λ. A network of a variance-preserving schedule is solved in the same way:
x/√ᾱ is the x of these solvers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from torch import Tensor

from orchestrion.paradigms.denoisers import Denoiser
from orchestrion.paradigms.noise import NoiseSource, noise_from
from orchestrion.paradigms.samplers import Constrain, Watch
from orchestrion.paradigms.solving import Step, walk


def lms(
    denoiser: Denoiser,
    x: Float[Tensor, "batch ..."],
    sigmas: Float[Tensor, " levels"],
    *,
    order: int = 4,
    constrain: Constrain | None = None,
    watch: Watch | None = None,
) -> Float[Tensor, "batch ..."]:
    """Linear multistep: the slope is the polynomial in σ through the last `order` slopes, integrated exactly."""
    levels = sigmas.tolist()
    slopes: list[Tensor] = []  # newest first

    def advance(step: Step, x: Tensor, clean: Tensor) -> Tensor:
        slopes[:] = [(x - clean) / step.sigma, *slopes][:order]
        nodes = [levels[step.number - back] for back in range(len(slopes))]
        for weight, slope in zip(_lagrange_integrals(nodes, step.sigma, step.following), slopes, strict=True):
            x = x + weight * slope
        return x

    return walk(advance, denoiser, x, sigmas, constrain=constrain, watch=watch)


def _lagrange_integrals(nodes: Sequence[float], start: float, end: float) -> list[float]:
    """∫ of each Lagrange basis polynomial over the nodes, from start to end."""
    found = []
    for node in nodes:
        others = [other for other in nodes if other != node]
        basis = np.poly1d(others, r=True) / math.prod(node - other for other in others)
        integral = basis.integ()
        found.append(float(integral(end) - integral(start)))
    return found


def dpmpp(
    denoiser: Denoiser,
    x: Float[Tensor, "batch ..."],
    sigmas: Float[Tensor, " levels"],
    *,
    order: int = 2,
    eta: float = 0.0,
    solver: str = "midpoint",
    final_orders: Sequence[int] = (),
    noise_scale: float = 1.0,
    noise: NoiseSource = None,
    constrain: Constrain | None = None,
    watch: Watch | None = None,
    quirks: str = "none",
) -> Float[Tensor, "batch ..."]:
    """DPM-Solver++, multistep (Lu et al. 2022, algorithm 2), and its stochastic form.

    Args:
        order: 1 is DDIM, 2 and 3 are 2M and 3M.
        eta: how stochastic; 0 is the ordinary equation, 1 the stochastic one.
        solver: how the second-order term is weighted: by the midpoint rule or exactly for a line in λ.
        final_orders: highest orders of the last steps, as (2, 1), which steadies samplers of few steps.
        noise: one draw a step where eta is above 0, but for a last step to σ = 0.
        quirks: "official" has the sign that diffusers gives to ½ in the third order of the stochastic form.

    Raises:
        ValueError: the order, the solver or the quirks are unknown.
    """
    if quirks not in ("none", "official"):
        raise ValueError(f"unknown quirks {quirks!r}; take none or official")
    half = -0.5 if quirks == "official" and eta else 0.5
    if order not in (1, 2, 3) or solver not in ("midpoint", "heun"):
        raise ValueError(f"unknown order {order} or solver {solver!r}; take 1 to 3, midpoint or heun")
    draw, steps = noise_from(noise), len(sigmas) - 1
    seen: list[tuple[float, Tensor]] = []  # λ and clean sample, newest first

    def advance(step: Step, x: Tensor, clean: Tensor) -> Tensor:
        seen[:] = [(-math.log(step.sigma), clean), *seen][:order]
        if step.following == 0:
            return clean
        late = step.number + len(final_orders) - steps
        limit = order if late < 0 else final_orders[late]
        h = math.log(step.sigma / step.following)
        fall = h * (1 + eta)  # how far the old sample decays, fresh noise included
        decayed = -math.expm1(-fall)
        x = step.following / step.sigma * math.exp(-h * eta) * x + decayed * clean
        taken = min(limit, len(seen)) if h else 1  # over no distance there is nothing to bend
        linear = 1 - decayed / fall if h else 0.0
        if taken == 2:
            weight = decayed / 2 if solver == "midpoint" else linear
            x = x + weight * _slope(seen[0], seen[1], h)
        elif taken == 3:
            near, far = _slope(seen[0], seen[1], h), _slope(seen[1], seen[2], h)
            recent = (seen[0][0] - seen[1][0]) / h
            bend = (near - far) / ((seen[0][0] - seen[2][0]) / h)
            x = x + linear * (near + bend * recent) - (linear / fall - half) * bend
        if eta:
            x = x + draw(x) * (step.following * math.sqrt(-math.expm1(-2 * h * eta)) * noise_scale)
        return x

    return walk(advance, denoiser, x, sigmas, constrain=constrain, watch=watch)


def _slope(newer: tuple[float, Tensor], older: tuple[float, Tensor], h: float) -> Tensor:
    """Change of the clean sample in a step of h."""
    return (newer[1] - older[1]) * (h / (newer[0] - older[0]))


def unipc(
    denoiser: Denoiser,
    x: Float[Tensor, "batch ..."],
    sigmas: Float[Tensor, " levels"],
    *,
    order: int = 2,
    variant: str = "bh2",
    lower_at_end: bool = True,
    constrain: Constrain | None = None,
    watch: Watch | None = None,
) -> Float[Tensor, "batch ..."]:
    """UniPC (Zhao et al. 2023): each prediction is corrected by what the network says there, at no further call.

    Args:
        order: of the predictor; the corrector reaches one more.
        variant: B(h) is h (bh1) or e^h − 1 (bh2).
        lower_at_end: the order falls towards the last step, as steadies samplers of few steps.

    Raises:
        ValueError: the variant is unknown.
    """
    if variant not in ("bh1", "bh2"):
        raise ValueError(f"unknown variant {variant!r} of UniPC; take bh1 or bh2")
    steps = len(sigmas) - 1
    seen: list[tuple[float, Tensor]] = []  # λ and clean sample, newest first
    before, used = x, 0

    def advance(step: Step, x: Tensor, clean: Tensor) -> Tensor:
        nonlocal before, used
        here = (-math.log(step.sigma), clean)
        if used:
            x = _unified(before, seen[:used], here[0], variant, here)
        seen[:] = [here, *seen][:order]
        if step.following == 0:
            return clean
        used = min(order, len(seen), steps - step.number if lower_at_end else order)
        before = x
        return _unified(x, seen[:used], -math.log(step.following), variant)

    return walk(advance, denoiser, x, sigmas, constrain=constrain, watch=watch)


def _unified(
    x: Tensor,
    seen: Sequence[tuple[float, Tensor]],
    target: float,
    variant: str,
    there: tuple[float, Tensor] | None = None,
) -> Tensor:
    """x at λ = target from x at the newest of `seen`: predicted, or corrected by what was seen `there` (equation 8)."""
    start, clean = seen[0]
    h = target - start
    others = [*seen[1:], *([] if there is None else [there])]
    decayed = math.expm1(-h)
    x = math.exp(-h) * x - decayed * clean
    if not others:
        return x
    places = np.array([(place - start) / h for place, _ in others])
    scale = -h if variant == "bh1" else decayed
    phi, factorial, wanted = decayed / -h - 1, 1, []
    for power in range(1, len(others) + 1):
        wanted.append(phi * factorial / scale)
        factorial *= power + 1
        phi = phi / -h - 1 / factorial
    # The published method takes ½ for a single difference, which differs from the solution at higher order only.
    weights = [0.5] if len(others) == 1 else np.linalg.solve(np.vander(places, increasing=True).T, wanted).tolist()
    for weight, place, (_, value) in zip(weights, places.tolist(), others, strict=True):
        x = x - scale * weight / place * (value - clean)
    return x
