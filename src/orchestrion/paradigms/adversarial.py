"""A generator learns from a discriminator that tells its output from data.

Scores are a tensor, or a sequence of tensors, one from each of several discriminators, over which losses are averaged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Scores = Tensor | Sequence[Tensor]


def _mean(losses: Sequence[Tensor]) -> Float[Tensor, ""]:
    return torch.stack(list(losses)).mean()


def _each(scores: Scores) -> Sequence[Tensor]:
    return [scores] if isinstance(scores, Tensor) else scores


def _pairs(real: Scores, fake: Scores, loss: Callable[[Tensor, Tensor], Tensor]) -> Float[Tensor, ""]:
    return _mean([loss(r, f) for r, f in zip(_each(real), _each(fake), strict=True)])


def hinge_discriminator(real: Scores, fake: Scores) -> Float[Tensor, ""]:
    """max(0, 1 − D(x)) + max(0, 1 + D(x̂)), mean (Lim & Ye 2017); latent diffusion takes half of it."""
    return _pairs(real, fake, lambda r, f: torch.relu(1 - r).mean() + torch.relu(1 + f).mean())


def hinge_generator(fake: Scores) -> Float[Tensor, ""]:
    """−D(x̂), mean."""
    return _mean([-f.mean() for f in _each(fake)])


def least_squares_discriminator(real: Scores, fake: Scores) -> Float[Tensor, ""]:
    """(D(x) − 1)² + D(x̂)², mean (Mao et al. 2017)."""
    return _pairs(real, fake, lambda r, f: (r - 1).square().mean() + f.square().mean())


def least_squares_generator(fake: Scores) -> Float[Tensor, ""]:
    """(D(x̂) − 1)², mean."""
    return _mean([(f - 1).square().mean() for f in _each(fake)])


def nonsaturating_discriminator(real: Scores, fake: Scores) -> Float[Tensor, ""]:
    """−log σ(D(x)) − log(1 − σ(D(x̂))), mean (Goodfellow et al. 2014)."""
    return _pairs(real, fake, lambda r, f: functional.softplus(-r).mean() + functional.softplus(f).mean())


def nonsaturating_generator(fake: Scores) -> Float[Tensor, ""]:
    """−log σ(D(x̂)), mean."""
    return _mean([functional.softplus(-f).mean() for f in _each(fake)])


def feature_matching(
    real: Sequence[Sequence[Tensor]],
    fake: Sequence[Sequence[Tensor]],
    *,
    norm: str = "l1",
    relative: bool = False,
    skip: int = 0,
    eps: float = 0.0,
) -> Float[Tensor, ""]:
    """How far the discriminators' inner features of generated sound are from those of data (Larsen et al. 2016).

    Mean of |f − f̂| (or its square) over each layer, then over layers, then over discriminators. Gradients reach the
    generated side only.

    Args:
        real, fake: features by discriminator and layer.
        relative: divides by the mean of |f| (or of f²), so that layers with large features do not outweigh others.
        skip: how many first layers are left out.
        eps: added to that divisor.

    Raises:
        ValueError: the norm is unknown.
    """
    if norm not in ("l1", "l2"):
        raise ValueError(f"unknown norm {norm!r}; take l1 or l2")
    power = torch.abs if norm == "l1" else torch.square
    totals = []
    for true_layers, made_layers in zip(real, fake, strict=True):
        layers = []
        for true, made in list(zip(true_layers, made_layers, strict=True))[skip:]:
            distance = power(true.detach() - made).mean()
            layers.append(distance / (power(true.detach()).mean() + eps) if relative else distance)
        totals.append(_mean(layers))
    return _mean(totals)


def r1_penalty(scores: Scores, real: Float[Tensor, "batch ..."]) -> Float[Tensor, ""]:
    """½ E‖∇_x D(x)‖² at data, to be weighted by γ (Mescheder et al. 2018, equation 9).

    Args:
        real: what the scores were computed from, with gradients required.
    """
    total = torch.stack([score.sum() for score in _each(scores)]).sum()
    (gradient,) = torch.autograd.grad(total, real, create_graph=True)
    return gradient.square().flatten(1).sum(1).mean() / 2


def adaptive_weight(
    reconstruction: Float[Tensor, ""],
    adversarial: Float[Tensor, ""],
    last_layer: Float[Tensor, "*shape"],
    *,
    eps: float = 1e-4,
    limit: float = 1e4,
) -> Float[Tensor, ""]:
    """‖∇ rec‖/(‖∇ adv‖ + ε) at the decoder's last weights, at most `limit`: both losses then pull equally hard (Esser
    et al. 2021, VQGAN, equation 7). A constant: no gradient goes through it."""
    (wanted,) = torch.autograd.grad(reconstruction, last_layer, retain_graph=True)
    (got,) = torch.autograd.grad(adversarial, last_layer, retain_graph=True)
    return (wanted.norm() / (got.norm() + eps)).clamp(0, limit).detach()
