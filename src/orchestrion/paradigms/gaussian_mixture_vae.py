"""Variational autoencoders whose prior is a mixture of Gaussians, with a label for each component (Jiang et al. 2017).

Latents are Gaussian blocks; q(y|x), the weight of each component, is found from one sample z by Bayes' rule. Labels,
where there are some, choose the component; elsewhere all count by their weights (Music FaderNets, section 3.3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from orchestrion.nn.mixture_prior import Gaussian, MixturePrior


def mean_kl(q: Gaussian, p: Gaussian) -> Tensor:
    """KL(q ‖ p) of Gaussians that broadcast, averaged over their last axis (Music FaderNets' code; not summed)."""
    ratio = (q.scale / p.scale).square()
    return 0.5 * (ratio + ((q.mean - p.mean) / p.scale).square() - 1 - ratio.log()).mean(-1)


def mixture_kl(
    q: Gaussian, prior: MixturePrior, logits: Float[Tensor, "batch components"], *, quirks: str = "none"
) -> Float[Tensor, ""]:
    """Σ_y q(y|x)·KL(q(z|x) ‖ p(z|y)), mean over items: of items without labels."""
    each = mean_kl(Gaussian(q.mean[:, None], q.scale[:, None]), prior.components(quirks=quirks))
    return (logits.softmax(-1) * each).sum(-1).mean()


def component_kl(logits: Float[Tensor, "batch components"], *, quirks: str = "none") -> Float[Tensor, ""]:
    """KL(q(y|x) ‖ 1/K), mean over items.

    Args:
        quirks: "official" averages q·log q over the components where the divergence sums them.
    """
    terms = logits.softmax(-1) * logits.log_softmax(-1)
    found = terms.mean(-1) if quirks == "official" else terms.sum(-1)
    return (found + math.log(logits.shape[1])).mean()


def labelled_kl(
    q: Gaussian, prior: MixturePrior, labels: Int[Tensor, " batch"], *, quirks: str = "none"
) -> Float[Tensor, ""]:
    """KL(q(z|x) ‖ p(z|y)) for the labels y, mean over items."""
    held = prior.components(quirks=quirks)
    return mean_kl(q, Gaussian(held.mean[labels], held.scale[labels])).mean()


def mixture_divergence(
    latents: Sequence[Gaussian],
    z: Sequence[Float[Tensor, "batch dim"]],
    priors: Sequence[MixturePrior],
    labels: Int[Tensor, " batch"] | None,
    *,
    quirks: str = "none",
) -> Float[Tensor, ""]:
    """Of blocks of latents, each with its sample and its prior: `labelled_kl` where there are labels, else `mixture_kl`
    and `component_kl`."""
    total = z[0].new_zeros(())
    for q, one, prior in zip(latents, z, priors, strict=True):
        if labels is not None:
            total = total + labelled_kl(q, prior, labels, quirks=quirks)
            continue
        logits = prior.component_logits(one)
        total = total + mixture_kl(q, prior, logits, quirks=quirks)
        total = total + component_kl(logits, quirks=quirks)
    return total


def normal_divergence(latents: Sequence[Gaussian]) -> Float[Tensor, ""]:
    """Of blocks of latents whose prior is the standard normal distribution, mean over items."""
    total = latents[0].mean.new_zeros(())
    for q in latents:
        total = total + mean_kl(q, Gaussian(torch.zeros_like(q.mean), torch.ones_like(q.scale))).mean()
    return total


def label_loss(
    logits: Float[Tensor, "batch components"], labels: Int[Tensor, " batch"], *, quirks: str = "none"
) -> Float[Tensor, ""]:
    """Cross-entropy of q(y|x).

    Args:
        quirks: "official" takes probabilities for logits, so that the softmax is applied twice.
    """
    return functional.cross_entropy(logits.softmax(-1) if quirks == "official" else logits, labels)


def annealed_beta(
    step: int, *, beta: float, start: int = 1000, offset: int = 10_000, rise: int = 10_000, quirks: str = "none"
) -> float:
    """The weight of the divergence: 0 up to step `offset`, then along a line to `beta` in `rise` steps.

    Args:
        start: with quirks="official", the step from which the line counts: β is below 0 from there to `offset`.
    """
    line = min((step - offset) / rise * beta, beta)
    if quirks == "official":
        return 0.0 if step < start else line
    return max(0.0, line)
