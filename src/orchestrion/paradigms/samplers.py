"""Samplers that walk down the steps of a schedule: DDPM and DDIM.

They know no network: `predict(x, t)` says what clean sample and what noise make up x at step t. Samplers over noise
levels σ are in `sigma_samplers`, `ancestral_samplers` and `multistep_samplers`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from orchestrion.paradigms.noise import NoiseSource, noise_from
from orchestrion.paradigms.parametrisation import Prediction
from orchestrion.paradigms.schedules import NoiseSchedule

Predict = Callable[[Tensor, float], Prediction]
"""x_t and t → clean sample and noise."""

Constrain = Callable[[Tensor, float], Tensor]
"""Called before each step with x and its step (or σ); gives the x to go on with, where a part of it is known."""


@dataclass(frozen=True, slots=True)
class SamplerStep:
    """What a sampler shows of a step: its number from 0, its step or σ, x before it, and the clean sample seen."""

    number: int
    level: float
    x: Tensor
    clean: Tensor


Watch = Callable[[SamplerStep], None]
Progress = Callable[[int, int], None]
"""Called with steps done and steps in all."""


def watching(watch: Watch | None, progress: Progress | None, total: int) -> Watch:
    """Tells both of each step."""

    def seen(step: SamplerStep) -> None:
        if watch is not None:
            watch(step)
        if progress is not None:
            progress(step.number + 1, total)

    return seen


def ddim(
    predict: Predict,
    x: Float[Tensor, "batch ..."],
    schedule: NoiseSchedule,
    timesteps: Sequence[float],
    *,
    previous: Sequence[float] | None = None,
    final_alpha: float = 1.0,
    eta: float = 0.0,
    noise: NoiseSource = None,
    constrain: Constrain | None = None,
    watch: Watch | None = None,
) -> Float[Tensor, "batch ..."]:
    """x ← √ᾱ_prev·x̂_0 + √(1 − ᾱ_prev − σ²)·ε̂ + σ·z, σ² = η²·(1−ᾱ_prev)/(1−ᾱ_t)·(1−ᾱ_t/ᾱ_prev) (Song et al. 2021).

    Args:
        x: unit noise.
        timesteps: whole steps, falling.
        previous: the step that each step leads to, below 0 for the end; the next of `timesteps` by default.
        final_alpha: ᾱ of the end: 1, or ᾱ_0 as latent diffusion's code has it.
        eta: 0 draws no noise, 1 as much as DDPM.
        noise: one draw a step where eta is above 0.
    """
    draw = noise_from(noise)
    for number, (t, kept, before) in enumerate(_walk(schedule, timesteps, previous, final_alpha)):
        x = x if constrain is None else constrain(x, t)
        seen = predict(x, t)
        if watch is not None:
            watch(SamplerStep(number, t, x, seen.clean))
        variance = eta**2 * (1 - before) / (1 - kept) * (1 - kept / before)
        x = math.sqrt(before) * seen.clean + math.sqrt(max(1 - before - variance, 0.0)) * seen.noise
        if eta:
            x = x + math.sqrt(variance) * draw(x)
    return x


def ddpm(
    predict: Predict,
    x: Float[Tensor, "batch ..."],
    schedule: NoiseSchedule,
    timesteps: Sequence[float],
    *,
    previous: Sequence[float] | None = None,
    final_alpha: float = 1.0,
    variance: str = "small",
    noise: NoiseSource = None,
    constrain: Constrain | None = None,
    watch: Watch | None = None,
) -> Float[Tensor, "batch ..."]:
    """Draws from the posterior q(x_prev | x_t, x̂_0) (Ho et al. 2020, equations 6 and 7), also over skipped steps.

    Args:
        variance: small: that of the posterior, β̃; large: β. None is added at step 0.
        noise: one draw a step but for step 0.
        Others: as of `ddim`.

    Raises:
        ValueError: the variance is unknown.
    """
    if variance not in ("small", "large"):
        raise ValueError(f"unknown variance {variance!r}; take small or large")
    draw = noise_from(noise)
    for number, (t, kept, before) in enumerate(_walk(schedule, timesteps, previous, final_alpha)):
        x = x if constrain is None else constrain(x, t)
        seen = predict(x, t)
        if watch is not None:
            watch(SamplerStep(number, t, x, seen.clean))
        alpha = kept / before
        beta = 1 - alpha
        x = math.sqrt(before) * beta / (1 - kept) * seen.clean + math.sqrt(alpha) * (1 - before) / (1 - kept) * x
        if t > 0:
            spread = beta if variance == "large" else (1 - before) / (1 - kept) * beta
            x = x + math.sqrt(spread) * draw(x)
    return x


def _walk(
    schedule: NoiseSchedule, timesteps: Sequence[float], previous: Sequence[float] | None, final_alpha: float
) -> Iterator[tuple[float, float, float]]:
    """Each step with its ᾱ and that of the step it leads to."""
    table = schedule.alphas_cumprod.tolist()
    following = [*timesteps[1:], -1] if previous is None else previous
    for t, to in zip(timesteps, following, strict=True):
        yield t, table[int(t)], table[int(to)] if to >= 0 else final_alpha
