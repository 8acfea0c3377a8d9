"""Latents as distributions: how far they may be from a prior, and how to draw from them.

Regularisers are named for what they sum and average, since a weight β means nothing without that.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from orchestrion.paradigms.noise import normal_like

CONVENTIONS = ("half_sum", "rave", "mean")


def gaussian_kl(
    mean: Float[Tensor, "batch dim *rest"],
    scale: Float[Tensor, "batch dim *rest"],
    *,
    convention: str = "half_sum",
) -> Float[Tensor, ""]:
    """KL(N(μ, σ²) ‖ N(0, 1)) in nats, with k = μ² + σ² − log σ² − 1 for each latent number.

    Args:
        scale: the standard deviation σ, above 0.
        convention: half_sum: ½ Σ k over all numbers of an item, mean over items (Kingma & Welling 2014; latent
            diffusion); rave: Σ k over the latent dimensions without ½, mean over items and time (RAVE); mean: ½ k,
            mean over everything (MusicLDM).
    """
    if convention not in CONVENTIONS:
        raise ValueError(f"unknown convention {convention!r} of the KL term; take half_sum, rave or mean")
    k = mean.square() + scale.square() - 2 * scale.log() - 1
    if convention == "rave":
        return k.sum(1).mean()
    return k.mean() / 2 if convention == "mean" else k.flatten(1).sum(1).mean() / 2


def reparameterize(
    mean: Float[Tensor, "*shape"], scale: Float[Tensor, "*shape"], *, generator: torch.Generator | None = None
) -> Float[Tensor, "*shape"]:
    """μ + σ·ε, through which gradients reach both."""
    return mean + scale * normal_like(mean, generator)


def maximum_mean_discrepancy(
    samples: Float[Tensor, "count dim"], prior: Float[Tensor, "others dim"]
) -> Float[Tensor, ""]:
    """Distance of two sets of vectors under the kernel exp(−‖x − y‖²/dim²), as RAVE's Wasserstein variant has it.

    k̄(x, x) + k̄(y, y) − 2·k̄(x, y), where k̄ is the mean over all pairs, an item with itself included.
    """

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return torch.exp(-torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").square() / x.shape[1] ** 2)

    between = kernel(samples, prior).mean()
    return kernel(samples, samples).mean() + kernel(prior, prior).mean() - 2 * between


def to_sphere(z: Float[Tensor, "batch dim *rest"]) -> Float[Tensor, "batch dim *rest"]:
    """Latents of unit length over the dimensions, the spherical bottleneck, which needs no regulariser."""
    return z / z.norm(dim=1, keepdim=True)


def log_interpolated(step: int, *, start: float, end: float, steps: int) -> float:
    """A weight β that grows from `start` to `end` along a line in log β over so many steps, and then stays."""
    share = min(max(step / steps, 0.0), 1.0)
    return start ** (1 - share) * end**share
