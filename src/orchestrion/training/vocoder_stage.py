"""How a vocoder is trained against discriminators (HiFi-GAN, Kong et al. 2020, arXiv 2010.05646, section 2.4)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from orchestrion.paradigms.adversarial import (
    feature_matching,
    least_squares_discriminator,
    least_squares_generator,
)
from orchestrion.training.stage import Data, Loss, Objective, Stage

MATCHING, SPECTRAL = 2.0, 45.0  # weights of feature matching and of the mel distance
BETAS, DECAY = (0.8, 0.99), 0.999  # of Adam; of the learning rate, each epoch


def weight_normed(network: nn.Module) -> nn.Module:
    """A copy whose convolutions are split into length and direction, as HiFi-GAN's generator is trained."""
    split = copy.deepcopy(network)
    for part in list(split.modules()):
        if isinstance(part, nn.Conv1d | nn.ConvTranspose1d):
            weight_norm(part)
    return split


def fold_into(split: nn.Module, network: nn.Module) -> None:
    """Writes the weights of a copy that `weight_normed` made into the network that it is a copy of."""

    def entry(key: str) -> Tensor:
        found: Any = reduce(getattr, key.split("."), split)
        return found.detach()

    network.load_state_dict({key: entry(key) for key in network.state_dict()})


def vocoder_stage(
    vocoder: nn.Module,
    discriminator: nn.Module,
    *,
    pictures: Callable[[Float[Tensor, "batch samples"]], Float[Tensor, "batch n_mels frames"]],
    data: Data,
    held_out: Callable[[], Float[Tensor, "batch samples"]],
    steps: int,
    learning_rate: float = 2e-4,
    epoch: int = 1000,
    precision: str = "float32",
) -> Stage:
    """Least-squares GAN, feature matching and mel distance; the discriminator goes first in every step.

    The stage trains a weight-normed copy, one of its helpers, and folds it into `vocoder` at the end.

    Args:
        vocoder: mel frames → samples.
        discriminator: waveforms [batch, 1, samples] → features of each of its parts, the last of each its scores.
        pictures: the mel frames that the vocoder plays, which are also what sounds are compared by.
        data: step → waveforms [batch, samples].
        held_out: waveforms for figures.
        epoch: steps after which the learning rate is multiplied by 0.999.
    """
    split = weight_normed(vocoder)

    def played(waves: Tensor) -> Tensor:
        return split(pictures(waves))[:, : waves.shape[1]].float()

    def judge(waves: Tensor, made: Tensor) -> Loss:
        real, fake = _features(discriminator, waves, made)
        value = len(real) * least_squares_discriminator(_scores(real), _scores(fake))
        return Loss(value, len(waves))

    def play(waves: Tensor, made: Tensor) -> Loss:
        real, fake = _features(discriminator, waves, made)
        adversarial = len(fake) * least_squares_generator(_scores(fake))
        matching = torch.stack([len(f) * feature_matching([r], [f]) for r, f in zip(real, fake, strict=True)]).sum()
        distance = (pictures(waves) - pictures(made)).abs().mean()
        parts = {"mel": distance, "matching": matching, "adversarial": adversarial}
        value = adversarial + MATCHING * matching + SPECTRAL * distance
        return Loss(value, len(waves), {name: float(part.detach()) for name, part in parts.items()})

    def validate() -> Mapping[str, float]:
        waves = held_out()
        with torch.no_grad():
            return {"mel": float((pictures(waves) - pictures(played(waves))).abs().mean())}

    def adam(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.AdamW(parameters, lr=learning_rate, betas=BETAS)

    common = {"optimiser": adam, "schedule": lambda step: DECAY ** (step // epoch), "clip": None}
    return Stage(
        name="vocoder",
        steps=steps,
        data=data,
        objectives=[
            Objective("discriminator", judge, discriminator.parameters(), **common),
            Objective("vocoder", play, split.parameters(), through=True, **common),
        ],
        shared=played,
        validate=validate,
        precision=precision,
        helpers={"split vocoder": split, "vocoder discriminator": discriminator},
        end=lambda: fold_into(split, vocoder),
    )


def _features(discriminator: nn.Module, real: Tensor, made: Tensor) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
    """Features of both, computed together."""
    found = [[layer.chunk(2) for layer in part] for part in discriminator(torch.cat([real, made])[:, None])]
    return [[pair[0] for pair in part] for part in found], [[pair[1] for pair in part] for part in found]


def _scores(features: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    return [part[-1] for part in features]
