"""Diffusion over noise levels in place of steps (Karras et al. 2022, "Elucidating the design space").

For any network that is called as network(x, c_time, condition); its inputs and targets have variance 1 at every level.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from orchestrion.paradigms.denoisers import denoiser, edm_scaling, mean_square, multiscale_square, scaled_loss
from orchestrion.paradigms.guidance import Network, classifier_free
from orchestrion.paradigms.known_parts import known_part
from orchestrion.paradigms.noise import NoiseSource, noise_from, normal_like, start_noise, uniform
from orchestrion.paradigms.noise_levels import log_normal
from orchestrion.paradigms.repaint import released
from orchestrion.paradigms.repaint import repaint as repainted
from orchestrion.paradigms.samplers import Progress, Watch, watching
from orchestrion.paradigms.schedules import karras_sigmas
from orchestrion.paradigms.sigma_solvers import SOLVERS


def soft_min_snr(sigma: Float[Tensor, " batch"], *, sigma_data: float = 0.5) -> Float[Tensor, " batch"]:
    """(σ·σ_data)²/(σ² + σ_data²)², a weight that favours middle levels (Crowson et al. 2024, HDiT, equation 7)."""
    return (sigma * sigma_data) ** 2 / (sigma.square() + sigma_data**2) ** 2


def snr_weight(sigma: Float[Tensor, " batch"], *, sigma_data: float = 0.5) -> Float[Tensor, " batch"]:
    """σ_data²/(σ² + σ_data²): the error of the clean sample times the ratio of signal to noise, which is that of ε."""
    return sigma_data**2 / (sigma.square() + sigma_data**2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edm:
    """A diffusion process over noise levels.

    Attributes:
        sigma_data: standard deviation of the data.
        levels: turns uniform draws into the levels of training, as those of `noise_levels`.
        stratified: spreads the draws of a batch evenly.
        weighting: uniform, which is that of Karras et al., soft_min_snr, or snr.
        loss_scales: above 1, errors of low frequencies count up to so many times as much (Crowson et al. 2024, HDiT,
            section 4.5).
        time: what the network is told of the level: log(σ)/4 or σ.
        sigma_min, sigma_max, rho: Karras levels of sampling.
    """

    sigma_data: float = 0.5
    levels: Callable[[Tensor], Tensor] = field(default=log_normal)
    stratified: bool = False
    weighting: str = "uniform"
    loss_scales: float = 1.0
    time: str = "quarter_log"
    sigma_min: float = 0.002
    sigma_max: float = 80.0
    rho: float = 7.0

    def __post_init__(self) -> None:
        if self.weighting not in ("uniform", "soft_min_snr", "snr"):
            raise ValueError(f"unknown weighting {self.weighting!r}; take uniform, soft_min_snr or snr")

    def losses(
        self,
        network: Network,
        x: Float[Tensor, "batch ..."],
        condition: Any,
        sigma: Float[Tensor, " batch"],
        noise: Float[Tensor, "batch ..."],
    ) -> Float[Tensor, " batch"]:
        """The weighted error of each item at given levels and noise, mean over its elements."""
        scaling = edm_scaling(sigma_data=self.sigma_data, time=self.time)
        measure = mean_square if self.loss_scales == 1 else partial(multiscale_square, scales=self.loss_scales)
        error = scaled_loss(network, condition, scaling, x, noise, sigma, measure=measure)
        if self.weighting == "uniform":
            return error
        weight = soft_min_snr if self.weighting == "soft_min_snr" else snr_weight
        return error * weight(sigma, sigma_data=self.sigma_data)

    def loss(
        self,
        network: Network,
        x: Float[Tensor, "batch ..."],
        condition: Any = None,
        *,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, ""]:
        """Mean weighted error at drawn levels, one an item."""
        sigma = self.levels(uniform(x.shape[0], generator=generator, stratified=self.stratified)).to(x)
        return self.losses(network, x, condition, sigma, normal_like(x, generator)).mean()

    @torch.no_grad()
    def sample(
        self,
        network: Network,
        shape: tuple[int, ...],
        condition: Any = None,
        *,
        steps: int,
        guidance: float = 1.0,
        unconditional: Any = None,
        eta: float | None = None,
        generator: torch.Generator | None = None,
        known: Float[Tensor, "*known"] | None = None,
        mask: Float[Tensor, "*mask"] | None = None,
        paste: bool = True,
        progress: Progress | None = None,
        sampler: str = "heun",
        clip: float | None = None,
        repaint: int = 1,
        soft: Float[Tensor, "*mask"] | None = None,
        start: Float[Tensor, "*start"] | None = None,
        noise: NoiseSource = None,
        device: torch.device | None = None,
        watch: Watch | None = None,
    ) -> Float[Tensor, "*made"]:
        """Makes something of a shape.

        Args:
            sampler: one of `sigma_solvers.SOLVERS`.
            repaint: how often each step is done; see `paradigms.repaint`.
            soft: in place of a mask: from which share of the steps on a place of `known` is free to change; 0 is free
                from the start, above 1 kept to the end.
            Others: as of `Diffusion.sample`.
        """
        if soft is not None and mask is not None:
            raise ValueError("give a mask or a soft one, not both")
        part = known_part(known, mask if soft is None else (soft > 1).to(torch.float32))
        if sampler not in SOLVERS:
            raise ValueError(f"unknown sampler {sampler!r}; take one of {', '.join(SOLVERS)}")
        sigmas = karras_sigmas(steps, sigma_min=self.sigma_min, sigma_max=self.sigma_max, rho=self.rho)
        draw = noise_from(generator if noise is None else noise)
        start = start_noise(shape, start=start, known=known, generator=generator, device=device)
        model = classifier_free(network, scale=guidance, unconditional=unconditional)
        scaling = edm_scaling(sigma_data=self.sigma_data, time=self.time)
        places = {sigma: number for number, sigma in enumerate(sigmas.tolist())}

        def constrain(x: Tensor, sigma: float) -> Tensor:
            now = part
            if known is not None and soft is not None:
                now = known_part(known, (~released(soft, places[sigma], steps)).to(x))
            return x if now is None else now.noised(x, 1.0, sigma, draw)

        x = repainted(
            SOLVERS[sampler],
            denoiser(model, condition, scaling, clip=clip),
            start * self.sigma_max,
            sigmas,
            repeats=repaint,
            eta=eta,
            noise=draw,
            constrain=None if part is None else constrain,
            watch=watching(watch, progress, steps * repaint),
        )
        return part.paste(x) if part is not None and paste else x
