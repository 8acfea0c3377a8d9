"""Attention of each phrase of a sequence to what is known of that phrase, and a decoder that has it."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from orchestrion.nn.attention import SelfAttention, merge_heads, split_heads
from orchestrion.nn.cache import KeyValueCache

KINDS = ("none", "full", "phrase", "phrase+summary", "soft")


class PhraseCrossAttention(nn.Module):
    """Cross-attention in which step i of phrase φ(i) attends to entries j of the memory by their phrases φ(j).

    A learned null entry belongs to every phrase, so that a phrase without entries attends to something.

    Args:
        width, num_heads, dropout: as usual.
        kind: "phrase": only φ(j) = φ(i). "full": all. "soft": the score loses λ·|φ(i) − φ(j)|, λ learned.
            "phrase+summary": "phrase", and beside it attention to the mean entry of every phrase, by a learned gate.
            "none": to the null entry alone.
        most_phrases: that can be told apart by the summaries.
    """

    def __init__(
        self, *, width: int, num_heads: int, kind: str = "phrase", dropout: float = 0.0, most_phrases: int = 32
    ) -> None:
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"attention between phrases is one of {', '.join(KINDS)}, not {kind!r}")
        self.kind, self.num_heads, self.dropout, self.most_phrases = kind, num_heads, dropout, most_phrases
        self.to_q = nn.Linear(width, width)
        self.to_kv = nn.Linear(width, 2 * width)
        self.to_out = nn.Linear(width, width)
        self.null = nn.Parameter(torch.randn(1, 1, width) * width**-0.5)
        if kind == "soft":
            self.distance = nn.Parameter(torch.zeros(()))
        if kind == "phrase+summary":
            self.places = nn.Embedding(most_phrases, width)
            self.summary = PhraseCrossAttention(width=width, num_heads=num_heads, kind="full", dropout=dropout)
            self.gate = nn.Parameter(torch.full((), 0.1))

    def forward(
        self,
        x: Float[Tensor, "batch time width"],
        memory: Float[Tensor, "batch entries width"],
        phrase: Int[Tensor, "batch time"],
        memory_phrase: Int[Tensor, "batch entries"],
        memory_mask: Bool[Tensor, "batch entries"],
    ) -> Float[Tensor, "batch time width"]:
        """Attends; `memory_mask` is True where an entry is real."""
        batch, time = phrase.shape
        entries = torch.cat([self.null.expand(batch, -1, -1), memory], 1)
        keys, values = (split_heads(part, self.num_heads) for part in self.to_kv(entries).chunk(2, -1))
        seen = memory_mask[:, None].expand(-1, time, -1)
        apart = (phrase[:, :, None] - memory_phrase[:, None]).abs()
        if self.kind in ("phrase", "phrase+summary"):
            seen = seen & (apart == 0)
        elif self.kind == "none":
            seen = torch.zeros_like(seen)
        bias = torch.zeros(seen.shape, device=x.device, dtype=x.dtype)
        if self.kind == "soft":
            bias = bias - functional.softplus(self.distance) * apart
        bias = functional.pad(bias.masked_fill(~seen, -torch.inf), (1, 0))[:, None]
        query = split_heads(self.to_q(x), self.num_heads)
        dropout = self.dropout if self.training else 0.0
        out = functional.scaled_dot_product_attention(query, keys, values, attn_mask=bias, dropout_p=dropout)
        out = self.to_out(merge_heads(out))
        if self.kind != "phrase+summary":
            return out
        summaries, known = self._summaries(memory, memory_phrase, memory_mask)
        numbers = torch.arange(summaries.shape[1], device=x.device).expand(batch, -1)
        return out + self.gate.tanh() * self.summary(x, summaries + self.places(numbers), phrase, numbers, known)

    def _summaries(
        self, memory: Tensor, memory_phrase: Tensor, memory_mask: Tensor
    ) -> tuple[Float[Tensor, "batch phrases width"], Bool[Tensor, "batch phrases"]]:
        """The mean entry of every phrase, and which phrases have any."""
        member = functional.one_hot(memory_phrase.clamp(max=self.most_phrases - 1), self.most_phrases)
        member = member.to(memory.dtype) * memory_mask[..., None]
        count = member.sum(1)
        return member.transpose(1, 2) @ memory / count.clamp(min=1)[..., None], count > 0


class PhraseDecoderLayer(nn.Module):
    """Causal self-attention, `PhraseCrossAttention`, feed-forward; each normalised before and with a residual."""

    def __init__(
        self, *, width: int, num_heads: int, feed_forward: int, kind: str, dropout: float, most_phrases: int
    ) -> None:
        super().__init__()
        self.own = SelfAttention(width=width, num_heads=num_heads, dropout=dropout)
        self.cross = PhraseCrossAttention(
            width=width, num_heads=num_heads, kind=kind, dropout=dropout, most_phrases=most_phrases
        )
        self.feed = nn.Sequential(
            nn.Linear(width, feed_forward), nn.GELU(), nn.Dropout(dropout), nn.Linear(feed_forward, width)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Float[Tensor, "batch time width"],
        memory: Float[Tensor, "batch entries width"],
        phrase: Int[Tensor, "batch time"],
        memory_phrase: Int[Tensor, "batch entries"],
        memory_mask: Bool[Tensor, "batch entries"],
        rotary: Float[Tensor, "2 time half"] | None = None,
        cache: KeyValueCache | None = None,
    ) -> Float[Tensor, "batch time width"]:
        """The layer; with a `cache`, `x` are the steps after those in it."""
        x = x + self.dropout(self.own(self.norms[0](x), rotary, cache))
        x = x + self.dropout(self.cross(self.norms[1](x), memory, phrase, memory_phrase, memory_mask))
        return x + self.dropout(self.feed(self.norms[2](x)))
