"""SSM-Net (Peeters, ISMIR 2023, arXiv 2309.02243): self-similarity and novelty of a recording, both learned."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

WIDTH, HEADS = 128, 8
BLOCKS = ((32, (5, 5), (2, 2)), (32, (5, 5), (2, 2)), (64, (5, 5), (2, 2)), (64, (5, 5), (2, 2)), (128, (5, 2), (5, 2)))
"""Channels, kernel and pooling of each block: 80 mel bands by 40 frames become one vector."""
KERNEL_SCALE = 0.05


def checkerboard(half: int, sigma: float) -> Float[np.ndarray, "size size"]:
    """Foote's kernel of 2 · `half` + 1 cells: +1 in the quadrants on the diagonal, −1 beside it, 0 between, under a
    Gaussian of standard deviation `sigma`; all 0 if that is 0."""
    if sigma == 0:
        return np.zeros((2 * half + 1, 2 * half + 1))
    offset = np.arange(-half, half + 1)
    side = np.sign(offset) * np.exp(-(offset**2) / (2 * sigma**2))
    return np.outer(side, side)


class SsmNetwork(nn.Module):
    """Log-mel patches of a piece → embeddings, their self-similarity, and the probability of a boundary.

    Args:
        step: seconds between patches.
        num_attention: layers of attention among the patches.
        kernels: checkerboards that are learned.
        half_seconds, sigma_seconds: half size and taper of the checkerboards; the taper of each is a step narrower.
        checkerboards: whether they begin as such.
        frozen: whether they stay so.
        dropout: in the attention layers.
    """

    def __init__(
        self,
        *,
        step: float,
        num_attention: int = 3,
        kernels: int = 3,
        half_seconds: float = 10.0,
        sigma_seconds: float = 5.0,
        checkerboards: bool = True,
        frozen: bool = False,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        before, blocks = 1, []
        for channels, kernel, pool in BLOCKS:
            convolution = nn.Conv2d(before, channels, kernel, padding="same")
            blocks.append(nn.Sequential(convolution, nn.PReLU(), nn.MaxPool2d(pool)))
            before = channels
        self.blocks = nn.Sequential(*blocks)
        self.attention = nn.Sequential(
            *(nn.TransformerEncoderLayer(WIDTH, HEADS, WIDTH, dropout=dropout) for _ in range(num_attention))
        )
        half, sigma = round(half_seconds / step), round(sigma_seconds / step)
        self.kernels = nn.Conv2d(1, kernels, 2 * half + 1, padding="same")
        self.mix = nn.Conv2d(kernels, 1, 1)
        if checkerboards:
            made = np.stack([KERNEL_SCALE * checkerboard(half, float(sigma - number)).T for number in range(kernels)])
            self.kernels.weight.data.copy_(torch.from_numpy(made[:, None]))
            self.kernels.weight.requires_grad_(not frozen)

    def patches(self, features: Float[Tensor, "patches 80 40"]) -> Float[Tensor, "patches 128"]:
        """A vector of each patch on its own."""
        return self.blocks(features[:, None]).flatten(1)

    def forward(self, features: Float[Tensor, "patches 80 40"]) -> Float[Tensor, "patches 128"]:
        """Embeddings of unit length."""
        return functional.normalize(torch.tanh(self.attention(self.patches(features))), dim=1)

    def similarity(self, features: Float[Tensor, "patches 80 40"]) -> Float[Tensor, "patches patches"]:
        """1 − d²/4 of the embeddings: 1 for equal ones, 0 for opposite ones."""
        embedded = self(features)
        return 1 - torch.cdist(embedded, embedded) ** 2 / 4

    def novelty(self, matrix: Float[Tensor, "patches patches"]) -> Float[Tensor, " patches"]:
        """Probability of a boundary at each patch, from the self-similarity."""
        return torch.sigmoid(self.mix(self.kernels(matrix[None, None])))[0, 0].diagonal()
