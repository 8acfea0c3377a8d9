"""Diffusion over classes, after VQ-Diffusion (Gu et al. 2022, arXiv 2111.14822; Austin et al. 2021, D3PM).

A class stays as it is, changes to any other class, or becomes MASK, the last class, from which it does not return. All
log-probabilities are [batch, cells, classes]; a one-hot log-probability has log 1e-30 where it is zero. A step t counts
from 0: x at t = 0 has been noised once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

LOG_FLOOR = -70.0
"""Log-probabilities are clamped to [-70, 0]."""

Predict = Callable[[Tensor, Tensor], Tensor]
"""Tokens [batch, cells] and steps [batch] → logits [batch, cells, classes − unpredicted]."""


@dataclass(frozen=True, slots=True)
class DiffusionLoss:
    """Per item of the batch: the loss to be summed; −log p(x_0 | x_t) over the cells; the bare KL part, for time
    sampling."""

    loss: Float[Tensor, " batch"]
    decoder_nll: Float[Tensor, " batch"]
    divergence: Float[Tensor, " batch"]


@dataclass(frozen=True, slots=True)
class TimeSample:
    """Steps and the probabilities with which they were drawn."""

    t: Int[Tensor, " batch"]
    probability: Float[Tensor, " batch"]


def log_one_hot(tokens: Int[Tensor, "*shape"], classes: int) -> Float[Tensor, "*shape classes"]:
    """log of one-hot vectors, with log 1e-30 for the zeros."""
    return functional.one_hot(tokens.long(), classes).float().clamp(min=1e-30).log()


def choose_by_gumbel(
    log_probabilities: Float[Tensor, "*shape classes"], uniform: Float[Tensor, "*shape classes"]
) -> Int[Tensor, "*shape"]:
    """A class a cell, drawn with Gumbel noise −log(−log u) from uniform draws."""
    return (log_probabilities + gumbel(uniform)).argmax(-1)


def gumbel(uniform: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Gumbel noise from uniform draws in [0, 1)."""
    return -torch.log(-torch.log(uniform + 1e-30) + 1e-30)


class DiscreteDiffusion(nn.Module):
    """Schedules, forward and backward probabilities, and the loss.

    Args:
        classes: number of classes, MASK (the last) included.
        steps: T.
        keep, mask: cumulative probabilities ᾱ_t that a class is kept and γ̄_t that it is masked, at t = 0 and t = T −
            1, linear between. What is left, β̄_t = (1 − ᾱ_t − γ̄_t) / (classes − 1), goes to each other class.
        unpredicted: how many of the last classes the network never predicts.
        auxiliary_weight: of the auxiliary loss, times 2 − t/T if `adaptive`.
    """

    log_keep: Tensor
    log_swap: Tensor
    log_mask: Tensor
    log_unmasked: Tensor
    log_keep_total: Tensor
    log_swap_total: Tensor
    log_mask_total: Tensor
    log_unmasked_total: Tensor
    loss_history: Tensor
    loss_count: Tensor

    def __init__(
        self,
        *,
        classes: int,
        steps: int = 100,
        keep: tuple[float, float] = (0.99999, 0.000009),
        mask: tuple[float, float] = (0.000009, 0.99999),
        unpredicted: int = 1,
        auxiliary_weight: float = 0.0,
        adaptive: bool = True,
    ) -> None:
        super().__init__()
        if steps < 2:
            raise ValueError(f"a diffusion of {steps} steps has no schedule; take at least 2")
        self.classes, self.steps, self.unpredicted = classes, steps, unpredicted
        self.auxiliary_weight, self.adaptive = auxiliary_weight, adaptive
        for name, table in _schedule(classes - 1, steps, keep, mask).items():
            self.register_buffer(name, torch.from_numpy(table).float(), persistent=False)
        self.register_buffer("loss_history", torch.zeros(steps))
        self.register_buffer("loss_count", torch.zeros(steps))

    @property
    def mask_token(self) -> int:
        """The id of MASK."""
        return self.classes - 1

    def marginal(
        self, log_x0: Float[Tensor, "batch cells classes"], t: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch cells classes"]:
        """log q(x_t | x_0), also for a distribution over x_0; t = −1 means no noise."""
        t = t % (self.steps + 1)  # the entry after the last is the identity
        return _step(
            log_x0,
            *(
                table[t]
                for table in (self.log_keep_total, self.log_swap_total, self.log_mask_total, self.log_unmasked_total)
            ),
        )

    def transition(
        self, log_x: Float[Tensor, "batch cells classes"], t: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch cells classes"]:
        """log q(x_t | x_{t−1})."""
        return _step(log_x, *(table[t] for table in (self.log_keep, self.log_swap, self.log_mask, self.log_unmasked)))

    def posterior(
        self, log_x0: Float[Tensor, "batch cells classes"], xt: Int[Tensor, "batch cells"], t: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch cells classes"]:
        """log q(x_{t−1} | x_t, x_0), mixed over a distribution of x_0 (VQ-Diffusion, equations 5 and 11)."""
        log_xt = log_one_hot(xt, self.classes)
        masked = (xt == self.mask_token)[..., None]
        zero = torch.full_like(log_xt[..., :1], 1e-30).log()
        total = torch.where(masked, self.log_mask_total[t][:, None, None], self.marginal(log_xt, t)[..., :-1])
        one = torch.cat([self.transition(log_xt, t)[..., :-1], zero], -1)
        of_mask = torch.cat([self.log_mask[t][:, None, None].expand_as(total), torch.zeros_like(zero)], -1)
        one = torch.where(masked, of_mask, one)
        unnormalised = torch.cat([log_x0[..., :-1] - total, zero], -1)
        norm = unnormalised.logsumexp(-1, keepdim=True)
        return (self.marginal(unnormalised - norm, t - 1) + one + norm).clamp(LOG_FLOOR, 0)

    def log_prediction(self, logits: Float[Tensor, "*shape predicted"]) -> Float[Tensor, "*shape classes"]:
        """log p(x_0 | x_t) from logits; the classes that are not predicted get the floor."""
        log_p = torch.log_softmax(logits.double(), -1).float()
        return functional.pad(log_p, (0, self.unpredicted), value=LOG_FLOOR).clamp(LOG_FLOOR, 0)

    def add_noise(
        self, x0: Int[Tensor, "batch cells"], t: Int[Tensor, " batch"], uniform: Float[Tensor, "batch cells classes"]
    ) -> Int[Tensor, "batch cells"]:
        """Draws x_t from q(x_t | x_0)."""
        return choose_by_gumbel(self.marginal(log_one_hot(x0, self.classes), t), uniform)

    def draw_mask(
        self, shape: tuple[int, int], t: Int[Tensor, " batch"], generator: torch.Generator | None = None
    ) -> Bool[Tensor, "batch cells"]:
        """Which cells are masked at step t: the forward process without its vanishing uniform part."""
        chance = self.log_mask_total[t].exp()[:, None]
        return torch.rand(shape, generator=generator, device=t.device) < chance

    def loss(
        self,
        predict: Predict,
        x0: Int[Tensor, "batch cells"],
        xt: Int[Tensor, "batch cells"],
        time: TimeSample,
        weight: Float[Tensor, "batch cells"],
    ) -> DiffusionLoss:
        """The variational bound and the auxiliary loss, per item, divided by the number of cells with a weight.

        L = 1/(cells · p(t)) · [ Σ w·KL(q(x_{t−1}|x_t, x_0) ‖ p(x_{t−1}|x_t)) + λ(t) Σ w·KL(x_0 ‖ x̂_0) ], with −log
        p(x_0|x_1) for both at t = 0, and λ(t) = `auxiliary_weight` · (2 − t/T).
        """
        t, first = time.t, (time.t == 0).float()
        log_x0 = log_one_hot(x0, self.classes)
        log_prediction = self.log_prediction(predict(xt, t))
        log_model = self.posterior(log_prediction, xt, t)
        bound = (divergence(self.posterior(log_x0, xt, t), log_model) * weight).sum(-1)
        decoder = (-(log_x0.exp() * log_model).sum(-1) * weight).sum(-1)
        bound = first * decoder + (1 - first) * bound
        learned = slice(None, self.classes - 2)  # the published code leaves the last two classes out of this sum
        auxiliary = (divergence(log_x0[..., learned], log_prediction[..., learned]) * weight).sum(-1)
        auxiliary = first * decoder + (1 - first) * auxiliary
        return self._scaled(bound, auxiliary, decoder, time, weight)

    def absorbing_loss(
        self,
        cross_entropy: Float[Tensor, "batch cells"],
        masked: Bool[Tensor, "batch cells"],
        time: TimeSample,
        weight: Float[Tensor, "batch cells"],
        auxiliary: Float[Tensor, "batch cells"] | None = None,
    ) -> DiffusionLoss:
        """What `loss` becomes where no class ever changes to another (β̄ = 0): no tensor over classes is needed.

        The KL of a masked cell is its chance to be revealed in this step, (ᾱ_{t−1} − ᾱ_t) / (1 − ᾱ_t), times its
        cross-entropy; that of a visible cell is 0 (Austin et al. 2021, appendix A.3). `loss` scores visible cells, too,
        however small β̄, as the published mixture divides by it.

        Args:
            cross_entropy: −log p(x_0) of the masked cells; others are not read for the bound.
            auxiliary: −log p(x_0) of all cells for the auxiliary loss, for instance 0 or an unbiased estimate on those
                not computed; `cross_entropy` by default.
        """
        t, first = time.t, (time.t == 0).float()
        kept, before = self.log_keep_total[t].exp(), self.log_keep_total[(t - 1) % (self.steps + 1)].exp()
        reveal = torch.where(t > 0, (before - kept) / (1 - kept), 1.0)
        on_masks = (torch.where(masked, cross_entropy, 0) * weight).sum(-1)
        everywhere = ((cross_entropy if auxiliary is None else auxiliary) * weight).sum(-1)
        everywhere = first * on_masks + (1 - first) * everywhere
        return self._scaled(reveal * on_masks, everywhere, on_masks, time, weight)

    def _scaled(
        self, bound: Tensor, auxiliary: Tensor, decoder: Tensor, time: TimeSample, weight: Tensor
    ) -> DiffusionLoss:
        part = self.auxiliary_weight * (2 - time.t / self.steps if self.adaptive else 1)
        cells = (weight != 0).sum(-1)
        scale = torch.where(cells > 0, 1 / cells.clamp(min=1), 0.0)
        return DiffusionLoss((bound + part * auxiliary) / time.probability * scale, decoder * scale, bound)

    @torch.no_grad()
    def remember(self, t: Int[Tensor, " batch"], divergence: Float[Tensor, " batch"]) -> None:
        """Takes the squared KL parts of a batch into the moving average from which steps are drawn: 0.9 old, 0.1
        new."""
        squared = 0.1 * divergence.detach().pow(2) + 0.9 * self.loss_history[t]
        self.loss_history.scatter_(0, t, squared)
        self.loss_count.scatter_add_(0, t, torch.ones_like(squared))

    def time_probabilities(self) -> Float[Tensor, " steps"]:
        """p(t) ∝ √(mean squared KL part) + 1e-4, entry 0 as entry 1 (Nichol & Dhariwal 2021); uniform until every t was
        seen 11 times."""
        if not bool((self.loss_count > 10).all()):
            return torch.full_like(self.loss_history, 1 / self.steps)
        size = (self.loss_history + 1e-10).sqrt() + 1e-4
        size = torch.cat([size[1:2], size[1:]])
        return size / size.sum()

    def sample_time(self, batch: int, generator: torch.Generator | None = None) -> TimeSample:
        """Draws a step for each item from `time_probabilities`."""
        probabilities = self.time_probabilities()
        t = torch.multinomial(probabilities, batch, replacement=True, generator=generator)
        return TimeSample(t, probabilities[t])


def divergence(
    log_p: Float[Tensor, "batch cells classes"], log_q: Float[Tensor, "batch cells classes"]
) -> Float[Tensor, "batch cells"]:
    """KL(p ‖ q) of each cell, in nats."""
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def _step(log_x: Tensor, keep: Tensor, swap: Tensor, mask: Tensor, unmasked: Tensor) -> Tensor:
    keep, swap, mask, unmasked = (table[:, None, None] for table in (keep, swap, mask, unmasked))
    changed = torch.logaddexp(log_x[..., :-1] + keep, swap)
    return torch.cat([changed, torch.logaddexp(log_x[..., -1:] + unmasked, mask)], -1)


def _schedule(others: int, steps: int, keep: tuple[float, float], mask: tuple[float, float]) -> dict[str, np.ndarray]:
    """Logarithms of the one-step and the cumulative probabilities; the cumulative ones end with an entry for no
    noise."""
    share = np.arange(steps) / (steps - 1)
    kept = np.concatenate([[1], share * (keep[1] - keep[0]) + keep[0]])
    masked = np.concatenate([[0], share * (mask[1] - mask[0]) + mask[0]])
    alpha, gamma = kept[1:] / kept[:-1], 1 - (1 - masked[1:]) / (1 - masked[:-1])
    beta = (1 - alpha - gamma) / others
    kept, masked = np.append(kept[1:], 1), np.append(masked[1:], 0)
    swapped = (1 - kept - masked) / others
    with np.errstate(divide="ignore"):
        return {
            "log_keep": np.log(alpha),
            "log_swap": np.log(beta),
            "log_mask": np.log(gamma),
            "log_unmasked": np.log(1 - gamma + 1e-40),
            "log_keep_total": np.log(kept),
            "log_swap_total": np.log(swapped),
            "log_mask_total": np.log(masked),
            "log_unmasked_total": np.log(1 - masked + 1e-40),
        }
