"""What an autoencoder's latents must go through: a Gaussian posterior, a prior that their crowd must resemble, a
sphere, or codebooks. Each draws latents from what an encoder gives, with the penalty for the loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from orchestrion.errors import OptionError
from orchestrion.nn.quantize import ResidualQuantizer
from orchestrion.paradigms.variational import gaussian_kl, maximum_mean_discrepancy, to_sphere


@dataclass(frozen=True, slots=True)
class Bottled:
    """Latents, and what the loss has to add for them (before its weight β)."""

    z: Float[Tensor, "batch dim frames"]
    penalty: Float[Tensor, ""]


class Gaussian(nn.Module):
    """Half of the channels are means, half raw scales s with σ = softplus(s) + 1e-4; the penalty is the KL divergence
    without ½, summed over dimensions (RAVE, arXiv 2111.05011, eq. 4)."""

    widths = 2

    def split(
        self, raw: Float[Tensor, "batch wide frames"]
    ) -> tuple[Float[Tensor, "batch dim frames"], Float[Tensor, "batch dim frames"]]:
        """Means and standard deviations."""
        mean, scale = raw.chunk(2, 1)
        return mean, functional.softplus(scale) + 1e-4

    def forward(
        self, raw: Float[Tensor, "batch wide frames"], noise: Float[Tensor, "batch dim frames"] | None = None
    ) -> Bottled:
        """Args:
        noise: standard normal; drawn by default.
        """
        mean, scale = self.split(raw)
        noise = torch.randn_like(mean) if noise is None else noise
        return Bottled(mean + scale * noise, gaussian_kl(mean, scale, convention="rave"))

    def point(self, raw: Float[Tensor, "batch wide frames"]) -> Float[Tensor, "batch dim frames"]:
        """The means."""
        return raw.chunk(2, 1)[0]


class Crowd(nn.Module):
    """Latents as they are; the penalty is the maximum mean discrepancy between those of a batch and a normal prior
    (Tolstikhin et al. 2018, arXiv 1711.01558)."""

    widths = 1

    def forward(
        self, raw: Float[Tensor, "batch dim frames"], noise: Float[Tensor, "count dim"] | None = None
    ) -> Bottled:
        """Args:
        noise: drawn from the prior by default.
        """
        vectors = raw.transpose(1, 2).flatten(0, 1)
        noise = torch.randn_like(vectors) if noise is None else noise
        return Bottled(raw, maximum_mean_discrepancy(vectors, noise))

    def point(self, raw: Float[Tensor, "batch dim frames"]) -> Float[Tensor, "batch dim frames"]:
        """The latents."""
        return raw


class Sphere(nn.Module):
    """Latents of unit length; no penalty."""

    widths = 1

    def forward(self, raw: Float[Tensor, "batch dim frames"], noise: Tensor | None = None) -> Bottled:
        return Bottled(to_sphere(raw), raw.new_zeros(()))

    def point(self, raw: Float[Tensor, "batch dim frames"]) -> Float[Tensor, "batch dim frames"]:
        """The latents."""
        return to_sphere(raw)


class Codes(nn.Module):
    """Latents rounded to sums of code vectors; the penalty draws them there.

    Args:
        arguments: of `ResidualQuantizer`.

    Attributes:
        enabled: 0 lets latents through as they are, without a penalty.
    """

    widths = 1
    enabled: Tensor

    def __init__(self, **arguments: Any) -> None:
        super().__init__()
        self.quantizer = ResidualQuantizer(**arguments)
        self.register_buffer("enabled", torch.ones(()))

    def forward(self, raw: Float[Tensor, "batch dim frames"], noise: Tensor | None = None) -> Bottled:
        if not self.enabled:
            return Bottled(raw, raw.new_zeros(()))
        found = self.quantizer(raw)
        return Bottled(found.values, found.commitment)

    def point(self, raw: Float[Tensor, "batch dim frames"]) -> Float[Tensor, "batch dim frames"]:
        """The sums of code vectors."""
        return self.quantizer(raw).values if self.enabled else raw

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        state_dict.setdefault(f"{prefix}enabled", torch.ones(()))  # weights from before there was a choice
        super()._load_from_state_dict(state_dict, prefix, *rest)


def bottleneck(
    name: str, *, dim: int, stages: int = 16, size: int = 1024, code_dim: int | None = None
) -> Gaussian | Crowd | Sphere | Codes:
    """A bottleneck by name: "gaussian", "wasserstein", "spherical" or "discrete".

    Args:
        dim: of the latents.
        stages, size, code_dim: codebooks, codes in each and dimensions of a code, of "discrete".

    Raises:
        OptionError: there is no such bottleneck.
    """
    if name == "discrete":
        return Codes(stages=stages, size=size, dim=dim, code_dim=code_dim)
    known = {"gaussian": Gaussian, "wasserstein": Crowd, "spherical": Sphere}
    if name not in known:
        raise OptionError(f"There is no bottleneck {name!r}; choose one of {', '.join([*known, 'discrete'])}.")
    return known[name]()
