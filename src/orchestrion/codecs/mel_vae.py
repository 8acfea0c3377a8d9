"""The variational autoencoder of mel spectrograms (AudioLDM, arXiv 2301.12503; MusicLDM, arXiv 2308.01546): a picture
of sound to latents of a quarter of its size on both axes, and back; and what it is trained with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from orchestrion.nn.conv_coder import ConvDecoder, ConvEncoder
from orchestrion.paradigms.adversarial import adaptive_weight, hinge_generator
from orchestrion.paradigms.variational import gaussian_kl, reparameterize

Perceptual = Callable[[Tensor, Tensor], Tensor]
"""Two pictures to a distance for each item, [batch, 1, 1, 1], such as LPIPS."""


@dataclass(frozen=True, slots=True)
class Posterior:
    """A normal distribution over latents."""

    mean: Float[Tensor, "batch z_channels time bands"]
    log_variance: Float[Tensor, "batch z_channels time bands"]

    def sample(self, generator: torch.Generator | None = None) -> Float[Tensor, "batch z_channels time bands"]:
        """A draw."""
        return reparameterize(self.mean, (0.5 * self.log_variance).exp(), generator=generator)

    def kl(self) -> Float[Tensor, ""]:
        """To the standard normal distribution: half the *mean* over all latent numbers, as MusicLDM has it; other
        latent diffusion takes the sum."""
        return gaussian_kl(self.mean, (0.5 * self.log_variance).exp(), convention="mean")


class MelVae(nn.Module):
    """Log-mel pictures [batch, 1, frames, bands] ↔ latents of 1 / `reduction` of both axes.

    Args:
        width: channels after the first convolution.
        channels: of each level, from the finest; each but the last halves both axes.
        blocks: residual blocks a level in the encoder; one more in the decoder.
        z_channels: of the features that the encoder ends with.
        latent_channels: of the latents; None: as many.
        in_channels, out_channels: of the picture.
        attention_levels, middle_attention, long_levels, learned_resampling, groups, dropout, bounded: as of
            `ConvEncoder` and `ConvDecoder`.
        projections: whether 1 × 1 convolutions stand around the latents.
    """

    def __init__(
        self,
        *,
        width: int = 128,
        channels: Sequence[int] = (128, 256, 512),
        blocks: int = 2,
        z_channels: int = 8,
        latent_channels: int | None = None,
        in_channels: int = 1,
        out_channels: int = 1,
        attention_levels: Sequence[int] = (),
        middle_attention: bool = True,
        long_levels: Sequence[int] = (),
        learned_resampling: bool = True,
        groups: int = 32,
        dropout: float = 0.0,
        bounded: bool = False,
        projections: bool = True,
    ) -> None:
        super().__init__()
        shared = {
            "channels": channels,
            "blocks": blocks,
            "attention_levels": attention_levels,
            "middle_attention": middle_attention,
            "long_levels": long_levels,
            "learned_resampling": learned_resampling,
            "groups": groups,
            "dropout": dropout,
        }
        self.latent_channels = latent_channels or z_channels
        self.reduction = 2 ** (len(channels) - 1)
        halvings = range(len(channels) - 1)  # nothing follows the last level, long or not
        self.time_reduction = self.reduction * 2 ** sum(level in long_levels for level in halvings)
        self.encoder = ConvEncoder(in_channels=in_channels, out_channels=2 * z_channels, width=width, **shared)
        self.decoder = ConvDecoder(in_channels=z_channels, out_channels=out_channels, bounded=bounded, **shared)
        self.to_moments: nn.Module = nn.Identity()
        self.from_latents: nn.Module = nn.Identity()
        if projections:
            self.to_moments = nn.Conv2d(2 * z_channels, 2 * self.latent_channels, 1)
            self.from_latents = nn.Conv2d(self.latent_channels, z_channels, 1)

    def encode(self, mel: Float[Tensor, "batch in_channels frames bands"]) -> Posterior:
        """The distribution of latents. At lengths that are no multiples of the reduction, each halving rounds down (a
        convolution of a long level to the nearest).

        Raises:
            ValueError: the picture is shorter than the reduction.
        """
        if mel.shape[-2] < self.time_reduction or mel.shape[-1] < self.reduction:
            raise ValueError(
                f"frames and bands, {tuple(mel.shape[-2:])}, must be at least {self.time_reduction} and "
                f"{self.reduction}"
            )
        mean, log_variance = self.to_moments(self.encoder(mel)).chunk(2, dim=1)
        return Posterior(mean, log_variance.clamp(-30, 20))

    def decode(
        self, latents: Float[Tensor, "batch latent_channels time bands"]
    ) -> Float[Tensor, "batch out_channels frames mel_bands"]:
        """The picture that latents stand for."""
        return self.decoder(self.from_latents(latents))


@dataclass(frozen=True, slots=True)
class VaeLoss:
    """Loss of the autoencoder and its parts.

    Attributes:
        total: what is minimised.
        likelihood: Σ (|x − x̂| + perceptual) / e^v + v over an item, mean over items, where v is a learned scalar.
        reconstruction: |x − x̂| + perceptual, mean.
        kl: mean over latent numbers.
        adversarial: of the generator; 0 without a discriminator.
        adversarial_weight: the adaptive factor; 0 without a discriminator.
    """

    total: Float[Tensor, ""]
    likelihood: Float[Tensor, ""]
    reconstruction: Float[Tensor, ""]
    kl: Float[Tensor, ""]
    adversarial: Float[Tensor, ""]
    adversarial_weight: Float[Tensor, ""]


def vae_loss(
    target: Float[Tensor, "batch channels frames bands"],
    made: Float[Tensor, "batch channels frames bands"],
    posterior: Posterior,
    *,
    log_scale: Float[Tensor, ""] | float = 0.0,
    kl_weight: float = 1.0,
    perceptual: Perceptual | None = None,
    scores: Float[Tensor, "batch 1 h w"] | None = None,
    last_layer: Float[Tensor, ...] | None = None,
    adversarial_weight: float = 0.5,
) -> VaeLoss:
    """The loss of the generator (Esser et al. 2021; MusicLDM).

    Args:
        log_scale: v, learned.
        perceptual: a distance that is added to every element of |x − x̂|.
        scores: of the discriminator for `made`; None before the adversarial term starts.
        last_layer: weights of the decoder's last convolution, at which the two gradients are compared.
        adversarial_weight: factor beside the adaptive one.
    """
    distance = (target - made).abs()
    if perceptual is not None:
        distance = distance + perceptual(target, made)
    scale = torch.as_tensor(log_scale, device=made.device, dtype=made.dtype)
    likelihood = (distance / scale.exp() + scale).sum() / len(target)
    kl = posterior.kl()
    total = likelihood + kl_weight * kl
    zero = total.new_zeros(())
    if scores is None or last_layer is None:
        return VaeLoss(total, likelihood, distance.mean(), kl, zero, zero)
    adversarial = hinge_generator(scores)
    factor = adversarial_weight * adaptive_weight(likelihood, adversarial, last_layer)
    return VaeLoss(total + factor * adversarial, likelihood, distance.mean(), kl, adversarial, factor)
