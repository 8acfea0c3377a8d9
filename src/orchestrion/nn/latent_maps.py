"""From what an encoder gives to the latents that are exported, and back to what a decoder takes: both treat every frame
alike, so that they stream as they are."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from orchestrion.nn.latent_space import LatentSpace


class ToCoordinates(nn.Module):
    """The first principal coordinates of latents.

    Args:
        point: from the encoder's output to latents.
        space: of the latents.
        size: coordinates.
    """

    pointwise = True

    def __init__(self, point: Callable[[Tensor], Tensor], space: LatentSpace, size: int) -> None:
        super().__init__()
        self._point = [point]  # no submodule, so that weights are not copied with it
        self.register_buffer("axes", space.axes[:size].detach().clone(), persistent=False)
        self.register_buffer("mean", space.mean[:, None].detach().clone(), persistent=False)

    def forward(self, raw: Float[Tensor, "batch wide frames"]) -> Float[Tensor, "batch size frames"]:
        mean = self.get_buffer("mean")
        return self.get_buffer("axes") @ (self._point[0](raw).to(mean.dtype) - mean)


class FromCoordinates(nn.Module):
    """Latents for a decoder: coordinates that are missing, and channels of noise that it was trained with, are drawn.

    Args:
        space: of the latents.
        size: coordinates that are given.
        noise_channels: drawn beside the latents.
    """

    pointwise = True

    def __init__(self, space: LatentSpace, size: int, noise_channels: int = 0) -> None:
        super().__init__()
        self.missing, self.noise_channels = space.dim - size, noise_channels
        self.generator: torch.Generator | None = None
        self.register_buffer("axes", space.axes.T.detach().clone().contiguous(), persistent=False)
        self.register_buffer("mean", space.mean[:, None].detach().clone(), persistent=False)

    def forward(self, coordinates: Float[Tensor, "batch size frames"]) -> Float[Tensor, "batch wide frames"]:
        full = torch.cat([coordinates, self._noise(coordinates, self.missing)], 1)
        z = self.get_buffer("axes") @ full + self.get_buffer("mean")
        return torch.cat([z, self._noise(coordinates, self.noise_channels)], 1)

    def _noise(self, like: Tensor, channels: int) -> Tensor:
        shape = (like.shape[0], channels, like.shape[-1])
        if channels == 0:
            return like.new_zeros(shape)
        return torch.randn(shape, generator=self.generator, device=like.device, dtype=like.dtype)


def to_angles(unit: Float[Tensor, "batch dim frames"]) -> Float[Tensor, "batch angles frames"]:
    """Hyperspherical angles of vectors of unit length, one fewer than dimensions, each brought from its range to
    [−1, 1]."""
    lengths = unit.square().flip(1).cumsum(1).flip(1)[:, :-1].sqrt()
    angles = torch.arccos((unit[:, :-1] / lengths).clamp(-1, 1))
    last = torch.where(unit[:, -1:] >= 0, angles[:, -1:], 2 * math.pi - angles[:, -1:])
    shares = torch.cat([angles[:, :-1] / math.pi, last / (2 * math.pi)], 1)
    return 2 * shares - 1


def from_angles(angles: Float[Tensor, "batch angles frames"]) -> Float[Tensor, "batch dim frames"]:
    """Its inverse; values beyond ±1 come in again on the other side."""
    shares = (angles / 2 + 0.5) % 1
    radians = torch.cat([shares[:, :-1] * math.pi, shares[:, -1:] * (2 * math.pi)], 1)
    one = torch.ones_like(radians[:, :1])
    sines = torch.cat([one, radians.sin().cumprod(1)], 1)
    return torch.cat([radians.cos(), one], 1) * sines


class ToAngles(nn.Module):
    """Latents of unit length as angles.

    Args:
        point: from the encoder's output to latents.
    """

    pointwise = True

    def __init__(self, point: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self._point = [point]

    def forward(self, raw: Float[Tensor, "batch wide frames"]) -> Float[Tensor, "batch angles frames"]:
        return to_angles(self._point[0](raw))


class FromAngles(nn.Module):
    """Its inverse."""

    pointwise = True

    def forward(self, angles: Float[Tensor, "batch angles frames"]) -> Float[Tensor, "batch dim frames"]:
        return from_angles(angles)
