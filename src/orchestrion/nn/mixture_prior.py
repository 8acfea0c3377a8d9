"""Gaussian blocks of latents, and a mixture of Gaussians to draw them towards (Jiang et al. 2017)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Gaussian:
    """Independent normal distributions.

    Attributes:
        mean: [batch, dim].
        scale: standard deviations, of the same shape.
    """

    mean: Tensor
    scale: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """μ + σ·ε for standard normal `noise`."""
        return self.mean + self.scale * noise


class MixturePrior(nn.Module):
    """Learned means of the components of a mixture of equal weights, with a fixed spread.

    Args:
        components: how many.
        dim: of the latent.
        scale: standard deviation of every component.
    """

    log_variance: Tensor

    def __init__(self, *, components: int, dim: int, scale: float = math.exp(-2)) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.empty(components, dim))
        nn.init.xavier_uniform_(self.mean)
        self.register_buffer("log_variance", torch.full((components, dim), 2 * math.log(scale)))

    def component_logits(self, z: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch components"]:
        """log N(z; μ_y, σ_y²) + log(1/K); their softmax over y is q(y|x) (Jiang et al. 2017, equation 16)."""
        squared = (z[:, None] - self.mean) ** 2 / self.log_variance.exp()
        log_density = -0.5 * (squared + self.log_variance + math.log(2 * math.pi)).sum(-1)
        return log_density - math.log(len(self.mean))

    def components(self, *, quirks: str = "none") -> Gaussian:
        """The components [components, dim].

        Args:
            quirks: "official" takes the variance for the standard deviation, as the published code does here.
        """
        factor = 1.0 if quirks == "official" else 0.5
        return Gaussian(self.mean, (factor * self.log_variance).exp())
