"""Vector quantisers whose codebooks follow what they code as moving averages (VQ-VAE, arXiv 1711.00937, appendix A.1;
SoundStream, arXiv 2107.03312, algorithm 1)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from orchestrion.errors import OptionError

QUIRKS = ("none", "official", "xcodec")
SMOOTHING = 1e-5  # of cluster sizes, so that no average is divided by 0


@dataclass(frozen=True, slots=True)
class Quantized:
    """What a quantiser makes of vectors.

    Attributes:
        values: sums of code vectors; gradients go through to what was quantised.
        codes: indices, stage by stage.
        commitment: Σ over stages of the mean squared distance between a residual and its code vector.
    """

    values: Float[Tensor, "batch dim frames"]
    codes: Int[Tensor, "batch stages frames"]
    commitment: Float[Tensor, ""]


class MovingCodebook(nn.Module):
    """One table of code vectors.

    Args:
        size: codes.
        dim: of the vectors.
        decay: of the moving averages.
        dead_below: codes whose moving cluster size is smaller are replaced by vectors of the batch; 0: never.
        kmeans_steps: of k-means on the first batch, where the table begins; 0: it begins at random.
        quirks: "official" replaces dead codes before the averages are written over the table, which undoes it, as
            EnCodec's code and its descendants do; "xcodec" replaces them afterwards, but in the table only, so that the
            next update undoes it unless the code is used.
    """

    table: Tensor
    sums: Tensor
    counts: Tensor
    started: Tensor

    def __init__(
        self,
        size: int,
        dim: int,
        *,
        decay: float = 0.99,
        dead_below: float = 2.0,
        kmeans_steps: int = 50,
        quirks: str = "none",
    ) -> None:
        super().__init__()
        self.size, self.decay, self.dead_below, self.kmeans_steps = size, decay, dead_below, kmeans_steps
        if quirks not in QUIRKS:
            raise OptionError(f"There is no quirk {quirks!r} of codebooks; choose one of {', '.join(QUIRKS)}.")
        self.quirks, self.draw = quirks, drawn
        table = torch.zeros(size, dim)
        if not kmeans_steps:
            nn.init.kaiming_uniform_(table)
        self.register_buffer("table", table)
        self.register_buffer("sums", table.clone())
        self.register_buffer("counts", torch.zeros(size))
        self.register_buffer("started", torch.tensor([float(not kmeans_steps)]))

    def nearest(self, vectors: Float[Tensor, "count dim"]) -> Int[Tensor, " count"]:
        """The code of each vector."""
        distance = self.table.square().sum(1) - 2 * vectors @ self.table.T
        return distance.argmin(1)

    def forward(self, vectors: Float[Tensor, "count dim"]) -> tuple[Float[Tensor, "count dim"], Int[Tensor, " count"]]:
        """Code vectors, and codes. In training the table moves, after it was used."""
        vectors = vectors.detach()
        if not bool(self.started):
            self._start(vectors)
        codes = self.nearest(vectors)
        values = self.table[codes]
        if self.training:
            self._follow(vectors, codes)
        return values, codes

    @torch.no_grad()
    def _follow(self, vectors: Tensor, codes: Tensor) -> None:
        chosen = functional.one_hot(codes, self.size).to(vectors.dtype)
        dead = self.counts < self.dead_below if self.dead_below else torch.zeros_like(self.counts, dtype=torch.bool)
        if self.quirks == "official" and bool(dead.any()):
            self.draw(vectors, self.size)  # drawn in vain, but drawn
        self.counts.lerp_(chosen.sum(0), 1 - self.decay)
        self.sums.lerp_(chosen.T @ vectors, 1 - self.decay)
        total = self.counts.sum()
        smooth = (self.counts + SMOOTHING) / (total + self.size * SMOOTHING) * total
        self.table.copy_(self.sums / smooth[:, None])
        dead = self.counts < self.dead_below
        if self.quirks != "official" and bool(dead.any()):
            new = self.draw(vectors, self.size)
            self.table.copy_(torch.where(dead[:, None], new, self.table))
            if self.quirks == "xcodec":
                return
            self.sums.copy_(torch.where(dead[:, None], new * self.dead_below, self.sums))
            self.counts.masked_fill_(dead, self.dead_below)

    @torch.no_grad()
    def _start(self, vectors: Tensor) -> None:
        """k-means; empty clusters stay where they are."""
        means = self.draw(vectors, self.size)
        counts = self.counts
        for _ in range(self.kmeans_steps):
            codes = torch.cdist(vectors, means).argmin(1)
            counts = torch.bincount(codes, minlength=self.size).to(vectors.dtype)
            sums = torch.zeros_like(means).index_add_(0, codes, vectors)
            means = torch.where(counts[:, None] > 0, sums / counts.clamp(min=1)[:, None], means)
        self.table.copy_(means)
        self.sums.copy_(means if self.quirks != "none" else means * counts[:, None])
        self.counts.copy_(counts)
        self.started.fill_(1.0)


def drawn(vectors: Tensor, count: int) -> Tensor:
    """So many of the vectors, each at most once where there are enough."""
    held = len(vectors)
    chosen = torch.randperm(held)[:count] if held >= count else torch.randint(held, (count,))
    return vectors[chosen.to(vectors.device)]


class ResidualQuantizer(nn.Module):
    """Codebooks one after the other, each for what the ones before left over.

    Args:
        stages: codebooks.
        size, decay, dead_below, kmeans_steps, quirks: of each, as of `MovingCodebook`.
        dim: of the input.
        code_dim: of the code vectors; linear layers go there and back where it differs from `dim`.
    """

    def __init__(
        self,
        *,
        stages: int,
        size: int,
        dim: int,
        code_dim: int | None = None,
        decay: float = 0.99,
        dead_below: float = 2.0,
        kmeans_steps: int = 50,
        quirks: str = "none",
    ) -> None:
        super().__init__()
        code_dim = code_dim or dim

        def linear(into: int, out: int) -> nn.Module:
            return nn.Linear(into, out) if into != out else nn.Identity()

        self.into = nn.ModuleList([linear(dim, code_dim) for _ in range(stages)])
        self.out = nn.ModuleList([linear(code_dim, dim) for _ in range(stages)])
        self.books = nn.ModuleList(
            [
                MovingCodebook(
                    size, code_dim, decay=decay, dead_below=dead_below, kmeans_steps=kmeans_steps, quirks=quirks
                )
                for _ in range(stages)
            ]
        )

    def forward(self, x: Float[Tensor, "batch dim frames"], stages: int | None = None) -> Quantized:
        """Args:
        stages: how many codebooks to use; all by default.
        """
        batch, _, frames = x.shape
        residual = x.transpose(1, 2).reshape(batch * frames, -1)
        total = torch.zeros_like(residual)
        commitment = x.new_zeros(())
        codes = []
        for into, book, out in list(zip(self.into, self.books, self.out, strict=True))[:stages]:
            inner = into(residual)
            values, chosen = book(inner)
            if self.training:
                commitment = commitment + functional.mse_loss(inner, values)
                values = inner + (values - inner).detach()
            values = out(values)
            residual, total = residual - values, total + values
            codes.append(chosen.view(batch, frames))
        return Quantized(total.view(batch, frames, -1).transpose(1, 2), torch.stack(codes, 1), commitment)

    def decode(self, codes: Int[Tensor, "batch stages frames"]) -> Float[Tensor, "batch dim frames"]:
        """The sums of code vectors; fewer stages than there are give a coarser sum."""
        total: Tensor | None = None
        for number in range(codes.shape[1]):
            values = self.out[number](functional.embedding(codes[:, number], self.books[number].table))  # type: ignore[arg-type]
            total = values if total is None else total + values
        assert total is not None
        return total.transpose(1, 2)
