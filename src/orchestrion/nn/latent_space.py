"""Latent vectors seen from their principal axes, of which only those are kept that carry the sound."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from orchestrion.errors import OptionError


class LatentSpace(nn.Module):
    """Mean, principal axes and fidelity of latents (RAVE, arXiv 2111.05011, section 3.3), found after a training.

    Args:
        dim: of the latents.
        measure: what fidelity is the share of. "variance": squares of the singular values of the centred means, as the
            published code has it; "singular_values": the values themselves, as the paper says, which asks for more
            dimensions.
    """

    mean: Tensor
    axes: Tensor
    fidelity: Tensor

    def __init__(self, dim: int, *, measure: str = "variance") -> None:
        super().__init__()
        if measure not in ("variance", "singular_values"):
            raise OptionError(f"Fidelity is a share of 'variance' or of 'singular_values', not of {measure!r}.")
        self.dim = dim
        self.measure: str = measure
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("axes", torch.eye(dim))
        self.register_buffer("fidelity", torch.zeros(dim))

    @torch.no_grad()
    def fit(self, means: Float[Tensor, "frames dim"]) -> None:
        """Takes mean and axes from posterior means; samples would show the noise of dead dimensions instead.

        Raises:
            OptionError: there are fewer than two frames.
        """
        if len(means) < 2:
            raise OptionError("Principal axes need at least two frames of latents; give more sound.")
        centre = means.double().mean(0)
        centred = means.double() - centre
        # the spectrum of the covariance is that of the means squared, and has dim numbers however many frames there are
        power, axes = torch.linalg.eigh(centred.T @ centred)
        power, axes = power.flip(0).clamp(min=0), axes.flip(1).T
        largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
        self.mean.copy_(centre)
        self.axes.copy_(axes * torch.where(largest < 0, -1.0, 1.0))  # signs that do not depend on the solver
        shares = power if self.measure == "variance" else power.sqrt()
        self.fidelity.copy_(shares.cumsum(0) / shares.sum().clamp(min=1e-30))

    def dims(self, fidelity: float) -> int:
        """The fewest dimensions that together exceed a fidelity; all where none do.

        Raises:
            OptionError: the fidelity is not between 0 and 1.
        """
        if not 0 <= fidelity <= 1:
            raise OptionError(f"Fidelity is {fidelity:g}; give a number between 0 and 1.")
        return min(int((self.fidelity <= fidelity).sum()) + 1, self.dim)

    def published_dims(self, fidelity: float) -> int:
        """As the published export counts: one dimension fewer than `dims`, at least one, rounded up to a power of
        two."""
        return min(1 << (max(self.dims(fidelity) - 1, 1) - 1).bit_length(), self.dim)

    def rotate(self, z: Float[Tensor, "batch dim frames"], size: int) -> Float[Tensor, "batch size frames"]:
        """The first `size` principal coordinates."""
        return self.axes[:size] @ (z - self.mean[:, None])

    def restore(
        self,
        coordinates: Float[Tensor, "batch size frames"],
        *,
        generator: torch.Generator | None = None,
        noise: Float[Tensor, "batch missing frames"] | None = None,
    ) -> Float[Tensor, "batch dim frames"]:
        """Latents again; what is missing is drawn from the prior, since a decoder has never seen it still.

        Args:
            noise: takes the place of what would be drawn.
        """
        batch, size, frames = coordinates.shape
        if noise is None and size < self.dim:
            shape = (batch, self.dim - size, frames)
            noise = torch.randn(shape, generator=generator, device=coordinates.device, dtype=coordinates.dtype)
        full = coordinates if noise is None else torch.cat([coordinates, noise], 1)
        return self.axes.T @ full + self.mean[:, None]
