"""Attention over all places of a picture: plain, and as a small transformer that can also attend to contexts."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from orchestrion.nn.attention import attend, merge_heads, split_heads
from orchestrion.nn.image_blocks import zeroed
from orchestrion.nn.planar_convolution import plainly

PLACES = 256  # at once in a feed-forward layer, where no gradient is wanted


def to_tokens(x: Float[Tensor, "batch channels *axes"]) -> Float[Tensor, "batch places channels"]:
    """Places in rows; a view where channels lie last in memory."""
    return x.flatten(2).transpose(1, 2)


def from_tokens(tokens: Float[Tensor, "batch places channels"], like: Tensor) -> Float[Tensor, "batch channels *axes"]:
    """The inverse of `to_tokens`, with the axes of `like`."""
    return tokens.transpose(1, 2).unflatten(2, like.shape[2:])


class SpatialSelfAttention(nn.Module):
    """Group norm, attention of all places over all places, projection; plus the input.

    Args:
        channels: in and out.
        num_heads: heads.
        groups, eps: of the norm.
        zero: whether the last projection begins at 0.
    """

    def __init__(
        self, channels: int, *, num_heads: int = 1, groups: int = 32, eps: float = 1e-6, zero: bool = False
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm = nn.GroupNorm(groups, channels, eps)
        self.to_qkv = nn.Linear(channels, 3 * channels)
        self.to_out = nn.Linear(channels, channels)
        if zero:
            zeroed(self.to_out)

    def forward(self, x: Float[Tensor, "batch channels *axes"]) -> Float[Tensor, "batch channels *axes"]:
        """Scale 1 / √(channels a head)."""
        qkv = self.to_qkv(to_tokens(self.norm(x)))
        q, k, v = (split_heads(part, self.num_heads) for part in qkv.chunk(3, dim=-1))
        return x + from_tokens(self.to_out(merge_heads(attend(q, k, v))), x)


class TokenAttention(nn.Module):
    """Attention over the tokens themselves, or over a context of another width. Queries, keys and values have no bias.

    Args:
        width: of the tokens.
        num_heads, head_width: heads and channels of each.
        context_width: of the context; None: the tokens themselves.
        dropout: after the last projection.
    """

    def __init__(
        self, *, width: int, num_heads: int, head_width: int, context_width: int | None = None, dropout: float = 0.0
    ) -> None:
        super().__init__()
        inner = num_heads * head_width
        self.num_heads, self.context_width = num_heads, context_width
        if context_width is None:
            self.to_qkv = nn.Linear(width, 3 * inner, bias=False)
        else:
            self.to_q = nn.Linear(width, inner, bias=False)
            self.to_kv = nn.Linear(context_width, 2 * inner, bias=False)
        self.to_out = nn.Linear(inner, width)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Float[Tensor, "batch places width"],
        context: Float[Tensor, "batch items context_width"] | None = None,
        mask: Bool[Tensor, "batch items"] | None = None,
    ) -> Float[Tensor, "batch places width"]:
        """`mask` is True where the context is real.

        Raises:
            ValueError: the context is missing, or given where none is attended to.
        """
        if (self.context_width is None) != (context is None):
            raise ValueError("a context is missing" if context is None else "this attention takes no context")
        packed = self.to_qkv(x).chunk(3, -1) if context is None else (self.to_q(x), *self.to_kv(context).chunk(2, -1))
        q, k, v = (split_heads(part, self.num_heads) for part in packed)
        real = mask[:, None, None, :] if mask is not None else None
        return self.dropout(self.to_out(merge_heads(attend(q, k, v, mask=real))))


class GatedFeedForward(nn.Module):
    """value · gelu(gate), four times as wide (GEGLU; Shazeer 2020, arXiv 2002.05202)."""

    def __init__(self, width: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.expand = nn.Linear(width, 8 * width)
        self.dropout = nn.Dropout(dropout)
        self.contract = nn.Linear(4 * width, width)

    def forward(self, x: Float[Tensor, "batch places width"]) -> Float[Tensor, "batch places width"]:
        if plainly(x) and not self.training:
            return self._in_parts(x)
        value, gate = self.expand(x).chunk(2, dim=-1)
        return self.contract(self.dropout(value * functional.gelu(gate)))

    def _in_parts(self, x: Float[Tensor, "batch places width"]) -> Float[Tensor, "batch places width"]:
        """So few places at once that what is eight times as wide stays in the cache."""
        places = x.flatten(0, 1)
        made = torch.empty_like(places)
        for part, place in zip(places.split(PLACES), made.split(PLACES), strict=True):
            value, gate = self.expand(part).chunk(2, dim=-1)
            torch.addmm(self.contract.bias, functional.gelu(gate).mul_(value), self.contract.weight.T, out=place)
        return made.view_as(x)


class TransformerBlock(nn.Module):
    """Self-attention, then attention to a context or once more to itself, then a feed-forward layer, each after its
    layer norm and added."""

    def __init__(
        self, *, width: int, num_heads: int, head_width: int, context_width: int | None = None, dropout: float = 0.0
    ) -> None:
        super().__init__()
        sizes = {"width": width, "num_heads": num_heads, "head_width": head_width, "dropout": dropout}
        self.norm_first = nn.LayerNorm(width)
        self.first = TokenAttention(**sizes)
        self.norm_second = nn.LayerNorm(width)
        self.second = TokenAttention(**sizes, context_width=context_width)
        self.norm_feed_forward = nn.LayerNorm(width)
        self.feed_forward = GatedFeedForward(width, dropout=dropout)

    def forward(
        self,
        x: Float[Tensor, "batch places width"],
        context: Float[Tensor, "batch items context_width"] | None = None,
        mask: Bool[Tensor, "batch items"] | None = None,
    ) -> Float[Tensor, "batch places width"]:
        x = x + self.first(self.norm_first(x))
        x = x + self.second(self.norm_second(x), context, mask)
        return x + self.feed_forward(self.norm_feed_forward(x))


class SpatialTransformer(nn.Module):
    """Transformer blocks over the places of a picture (Rombach et al. 2022, section 3.3); without a context width, the
    second attention of each block attends to the picture itself as well.

    Args:
        channels: in and out; the tokens are num_heads · head_width wide.
        depth: blocks.
        groups: of the norm at the entry, whose eps is 1e-6.
    """

    def __init__(
        self,
        channels: int,
        *,
        num_heads: int,
        head_width: int,
        depth: int = 1,
        context_width: int | None = None,
        groups: int = 32,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        width = num_heads * head_width
        self.context_width = context_width
        self.norm = nn.GroupNorm(groups, channels, eps=1e-6)
        self.to_tokens = nn.Linear(channels, width)
        self.blocks = nn.ModuleList(
            TransformerBlock(
                width=width, num_heads=num_heads, head_width=head_width, context_width=context_width, dropout=dropout
            )
            for _ in range(depth)
        )
        self.from_tokens = zeroed(nn.Linear(width, channels))

    def forward(
        self,
        x: Float[Tensor, "batch channels *axes"],
        context: Float[Tensor, "batch items context_width"] | None = None,
        mask: Bool[Tensor, "batch items"] | None = None,
    ) -> Float[Tensor, "batch channels *axes"]:
        """`mask` is True where the context is real."""
        tokens = self.to_tokens(to_tokens(self.norm(x)))
        for block in self.blocks:
            tokens = block(tokens, context, mask)
        return x + from_tokens(self.from_tokens(tokens), x)
