"""Residual quantiser with a small search space and directions in the place of distances (DAC, arXiv 2306.06546, section
3.2; Yu et al. 2021, improved VQGAN). Codebooks are parameters, learned by their own loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from orchestrion.nn.convolution import Conv1d, normalised


@dataclass(frozen=True, slots=True)
class FactorizedCodes:
    """What the quantiser makes of vectors.

    Attributes:
        values: sums of the code vectors, projected back; gradients go through to what was quantised.
        codes: indices, stage by stage.
        latents: projected residuals of all stages, one after the other.
        commitment, codebook: Σ over stages of the mean squared distance between projected residual and code vector;
            the first moves the encoder, the second the codebooks.
    """

    values: Float[Tensor, "batch dim frames"]
    codes: Int[Tensor, "batch stages frames"]
    latents: Float[Tensor, "batch code_dims frames"]
    commitment: Float[Tensor, ""]
    codebook: Float[Tensor, ""]


class FactorizedStage(nn.Module):
    """One codebook between two projections.

    Args:
        dim: of the input.
        size: codes.
        code_dim: of the code vectors.
    """

    def __init__(self, dim: int, size: int, code_dim: int) -> None:
        super().__init__()
        self.into = normalised(Conv1d(dim, code_dim, 1), weight_norm_=True)
        self.out = normalised(Conv1d(code_dim, dim, 1), weight_norm_=True)
        self.table = nn.Parameter(torch.randn(size, code_dim))

    def search(self, inner: Float[Tensor, "batch code_dim frames"]) -> Int[Tensor, "batch frames"]:
        """The code vector of the nearest direction."""
        likeness = functional.normalize(self.table) @ functional.normalize(inner, dim=1)
        return likeness.argmax(1)

    def look_up(self, codes: Int[Tensor, "batch frames"]) -> Float[Tensor, "batch code_dim frames"]:
        """The code vectors as they are, not normalised."""
        return functional.embedding(codes, self.table).transpose(1, 2)


class FactorizedQuantizer(nn.Module):
    """Stages one after the other, each for what the ones before left over.

    Args:
        stages: codebooks.
        size: codes of each.
        dim: of the input.
        code_dim: of the code vectors, of all stages or of each.
        dropout: share of the items of a batch for which, in training, only the first n stages count, n drawn from 1 to
            all of them, so that a few codebooks suffice for coarse sound.
    """

    def __init__(
        self, *, stages: int, size: int, dim: int, code_dim: int | Sequence[int] = 8, dropout: float = 0.0
    ) -> None:
        super().__init__()
        dims = [code_dim] * stages if isinstance(code_dim, int) else list(code_dim)
        self.stages = nn.ModuleList([FactorizedStage(dim, size, inner) for inner in dims])
        self.code_dims, self.dropout = dims, dropout

    def forward(
        self,
        x: Float[Tensor, "batch dim frames"],
        stages: int | None = None,
        drawn: Int[Tensor, " items"] | None = None,
    ) -> FactorizedCodes:
        """Args:
        stages: how many codebooks to use; all by default.
        drawn: in training, the numbers of stages of the first items of the batch; drawn by default.
        """
        batch, count = x.shape[0], len(self.stages)
        wanted = torch.full((batch,), count if stages is None else stages, device=x.device)
        if self.training:
            if drawn is None:
                drawn = torch.randint(1, count + 1, (int(batch * self.dropout),), device=x.device)
            wanted[: len(drawn)] = drawn
        residual, total = x, torch.zeros_like(x)
        commitment = codebook = x.new_zeros(())
        codes, latents = [], []
        for number in range(count if self.training else int(wanted.max())):
            stage: FactorizedStage = self.stages[number]  # type: ignore[assignment]
            inner = stage.into(residual)
            chosen = stage.search(inner)
            found = stage.look_up(chosen)
            used = (number < wanted).to(x.dtype)
            commitment = commitment + ((inner - found.detach()).square().mean((1, 2)) * used).mean()
            codebook = codebook + ((found - inner.detach()).square().mean((1, 2)) * used).mean()
            values = stage.out(inner + (found - inner).detach())
            residual, total = residual - values, total + values * used[:, None, None]
            codes.append(chosen)
            latents.append(inner)
        return FactorizedCodes(total, torch.stack(codes, 1), torch.cat(latents, 1), commitment, codebook)

    def decode(self, codes: Int[Tensor, "batch stages frames"]) -> Float[Tensor, "batch dim frames"]:
        """What codes stand for; fewer stages than there are give a coarser sum."""
        total: Tensor | None = None
        for number in range(codes.shape[1]):
            stage: FactorizedStage = self.stages[number]  # type: ignore[assignment]
            values = stage.out(stage.look_up(codes[:, number]))
            total = values if total is None else total + values
        assert total is not None
        return total

    def decode_latents(self, latents: Float[Tensor, "batch code_dims frames"]) -> Float[Tensor, "batch dim frames"]:
        """What projected residuals stand for: each part is quantised anew."""
        parts = latents.split(self.code_dims[: _count(self.code_dims, latents.shape[1])], 1)
        codes = [stage.search(part) for stage, part in zip(self.stages, parts, strict=False)]  # type: ignore[operator]
        return self.decode(torch.stack(codes, 1))


def _count(dims: Sequence[int], total: int) -> int:
    """How many stages make up so many numbers."""
    reached = 0
    for number, dim in enumerate(dims, start=1):
        reached += dim
        if reached == total:
            return number
    raise ValueError(f"{total} numbers a frame are not those of a whole number of codebooks of {list(dims)}")
