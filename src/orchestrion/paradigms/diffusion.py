"""Learning to take noise away (Ho et al. 2020), and making something from noise with what was learned.

For any network that is called as network(x, t, condition), with t whole steps of shape [batch].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from orchestrion.paradigms.denoisers import Denoiser, denoiser, schedule_scaling
from orchestrion.paradigms.guidance import Network, classifier_free
from orchestrion.paradigms.known_parts import known_part
from orchestrion.paradigms.noise import NoiseSource, noise_from, normal_like, start_noise
from orchestrion.paradigms.parametrisation import (
    Prediction,
    check_parametrisation,
    read_prediction,
    target,
)
from orchestrion.paradigms.samplers import Predict, Progress, Watch, ddim, ddpm, watching
from orchestrion.paradigms.schedules import NoiseSchedule, karras_sigmas, timesteps
from orchestrion.paradigms.sigma_solvers import SOLVERS

WEIGHTINGS = ("uniform", "min_snr", "min_snr_as_epsilon")


@dataclass(frozen=True, slots=True, kw_only=True)
class Diffusion:
    """A diffusion process over the steps of a schedule.

    Attributes:
        schedule: how much of the data is left at each step.
        parametrisation: what the network predicts.
        weighting: of the loss by steps: uniform; min_snr: min(SNR, γ) over the clean sample's error, that is divided by
            SNR for ε and by SNR + 1 for v (Hang et al. 2023); min_snr_as_epsilon: min(SNR, γ)/SNR whatever is
            predicted, as the code of Tango and Mustango has it for v.
        gamma: γ.
        norm: of the error: l2 is its square, l1 its size.
    """

    schedule: NoiseSchedule
    parametrisation: str = "epsilon"
    weighting: str = "uniform"
    gamma: float = 5.0
    norm: str = "l2"

    def __post_init__(self) -> None:
        check_parametrisation(self.parametrisation)
        if self.weighting not in WEIGHTINGS:
            raise ValueError(f"unknown weighting {self.weighting!r}; take one of {', '.join(WEIGHTINGS)}")
        if self.norm not in ("l2", "l1"):
            raise ValueError(f"unknown norm {self.norm!r}; take l2 or l1")
        if self.parametrisation == "epsilon" and float(self.schedule.alphas_cumprod[-1]) == 0:
            raise ValueError("a schedule that ends in pure noise needs parametrisation v or sample, not epsilon")

    def weights(self, t: Int[Tensor, " batch"]) -> Float[Tensor, " batch"]:
        """What the loss at these steps is multiplied with."""
        if self.weighting == "uniform":
            return torch.ones(t.shape, device=t.device)
        snr = self.schedule.snr[t.to(self.schedule.alphas_cumprod.device)].to(t.device)
        clipped = snr.clamp(max=self.gamma)
        if self.parametrisation == "epsilon" or self.weighting == "min_snr_as_epsilon":
            # Where nothing is left of the data, SNR is 0 and the limit of min(SNR, γ)/SNR is 1.
            return torch.where(snr > 0, clipped / snr, 1.0).float()
        return (clipped / (snr + 1) if self.parametrisation == "v" else clipped).float()

    def losses(
        self,
        network: Network,
        x: Float[Tensor, "batch ..."],
        condition: Any,
        t: Int[Tensor, " batch"],
        noise: Float[Tensor, "batch ..."],
    ) -> Float[Tensor, " batch"]:
        """The weighted error of each item at given steps and noise, mean over its elements."""
        kept, spread = self.schedule.scales(t, x)
        error = network(kept * x + spread * noise, t, condition) - target(self.parametrisation, x, noise, kept, spread)
        size = error.square() if self.norm == "l2" else error.abs()
        return size.flatten(1).mean(1) * self.weights(t)

    def loss(
        self,
        network: Network,
        x: Float[Tensor, "batch ..."],
        condition: Any = None,
        *,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, ""]:
        """Mean weighted error at steps drawn uniformly, one an item."""
        device = x.device if generator is None else generator.device
        t = torch.randint(self.schedule.steps, (x.shape[0],), generator=generator, device=device).to(x.device)
        return self.losses(network, x, condition, t, normal_like(x, generator)).mean()

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
        rescale: float = 0.0,
        eta: float | None = None,
        generator: torch.Generator | None = None,
        known: Float[Tensor, "*known"] | None = None,
        mask: Float[Tensor, "*mask"] | None = None,
        paste: bool = True,
        progress: Progress | None = None,
        sampler: str = "ddim",
        spacing: str | None = None,
        offset: int = 0,
        end_at_first: bool = False,
        karras: bool = False,
        clip: float | None = None,
        start: Float[Tensor, "*start"] | None = None,
        noise: NoiseSource = None,
        device: torch.device | None = None,
        watch: Watch | None = None,
    ) -> Float[Tensor, "*made"]:
        """Makes something of a shape.

        Args:
            shape: [batch, ...].
            steps: how many times the network is asked (samplers of second order ask twice a step).
            guidance: scale w of classifier-free guidance away from `unconditional`, which may be the embedding of a
                negative prompt; 1 is none.
            rescale: amount by which guidance is brought back in strength (Lin et al. 2024).
            eta: how much noise the sampler draws; none for ddim, the sampler's own for others, where it is not given.
            known, mask: where the mask is 1 the known sample is kept: before each step x ← q(known, t)·m + x·(1 − m),
                with fresh noise.
            paste: the known part replaces what came out at the end; the code of MusicLDM does not do that.
            sampler: ddim, ddpm, or one of `sigma_solvers.SOLVERS`.
            spacing: of steps, as in `timesteps`; leading for ddim and ddpm, linspace for others by default.
            offset: added to leading and strided steps.
            end_at_first: ddim and ddpm end at ᾱ_0 in place of 1, as latent diffusion's code does.
            karras: the solver visits Karras levels between the schedule's extremes.
            clip: bounds the clean sample to ± this at each step.
            start: unit noise to start from; drawn by default.
            noise: draws for all later noise in order of use, in place of the generator: in each step first that of the
                known part, then the sampler's.
        """
        part = known_part(known, mask)
        draw = noise_from(generator if noise is None else noise)
        model = classifier_free(network, scale=guidance, unconditional=unconditional, rescale=rescale)
        start = start_noise(shape, start=start, known=known, generator=generator, device=device)
        if sampler in ("ddim", "ddpm"):
            visited = timesteps(self.schedule.steps, steps, spacing=spacing or "leading", offset=offset)

            def constrain(x: Tensor, t: float) -> Tensor:
                assert part is not None
                kept = float(self.schedule.alphas_cumprod[int(t)])
                return part.noised(x, kept**0.5, (1 - kept) ** 0.5, draw)

            shared: dict[str, Any] = {
                "final_alpha": float(self.schedule.alphas_cumprod[0]) if end_at_first else 1.0,
                "noise": draw,
                "constrain": None if part is None else constrain,
                "watch": watching(watch, progress, len(visited)),
            }
            predict = self.predict(model, condition, clip=clip)
            if sampler == "ddim":
                x = ddim(predict, start, self.schedule, visited, eta=eta or 0.0, **shared)
            else:
                x = ddpm(predict, start, self.schedule, visited, **shared)
        elif sampler in SOLVERS:
            sigmas = self.solver_sigmas(steps, spacing=spacing or "linspace", offset=offset, karras=karras)
            x = SOLVERS[sampler](
                self.denoiser(model, condition, clip=clip),
                start * float((sigmas[0] ** 2 + 1).sqrt()),
                sigmas,
                eta=eta,
                noise=draw,
                constrain=None if part is None else lambda x, sigma: part.noised(x, 1.0, sigma, draw),
                watch=watching(watch, progress, steps),
            )
        else:
            raise ValueError(f"unknown sampler {sampler!r}; take ddim, ddpm, {', '.join(SOLVERS)}")
        return part.paste(x) if part is not None and paste else x

    def predict(self, network: Network, condition: Any, *, clip: float | None = None) -> Predict:
        """What a network says at step t, for samplers over steps. A clipped clean sample leaves the noise as it is."""
        table = self.schedule.alphas_cumprod.tolist()

        def predict(x: Tensor, t: float) -> Prediction:
            kept = table[int(t)]
            step = torch.full((x.shape[0],), int(t), dtype=torch.long, device=x.device)
            seen = read_prediction(self.parametrisation, network(x, step, condition), x, kept**0.5, (1 - kept) ** 0.5)
            return seen if clip is None else Prediction(seen.clean.clamp(-clip, clip), seen.noise)

        return predict

    def denoiser(
        self, network: Network, condition: Any, *, clip: float | None = None, rounded: bool = True
    ) -> Denoiser:
        """What a network says at noise level σ, for samplers over levels."""
        scaling = schedule_scaling(self.schedule, self.parametrisation, rounded=rounded)
        return denoiser(network, condition, scaling, clip=clip)

    def solver_sigmas(
        self, steps: int, *, spacing: str = "linspace", offset: int = 0, karras: bool = False
    ) -> Float[Tensor, " levels"]:
        """The levels a solver visits: at whole steps without the lowest, or Karras levels between the extremes; then 0.

        Raises:
            ValueError: the schedule ends in pure noise, where σ is infinite.
        """
        table = self.schedule.sigmas
        if karras:
            if not bool(table.isfinite().all()):
                raise ValueError("Karras levels need a schedule that does not end in pure noise; take ddim")
            return karras_sigmas(steps, sigma_min=float(table[0]), sigma_max=float(table[-1]))
        visited = timesteps(self.schedule.steps, steps, spacing=spacing, offset=offset, without_last=True)
        found = self.schedule.sigmas_at(torch.tensor(visited))
        if not bool(found.isfinite().all()):
            raise ValueError("a solver over levels cannot start from pure noise; take ddim, or leading spacing")
        return torch.cat([found, found.new_zeros(1)])
