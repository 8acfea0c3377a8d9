"""The decoder of Text2midi (Bhandari et al. 2025, arXiv 2412.16526, section "Model architecture"): music tokens that
attend to encoded text, and the published self-attention, which views heads in its own way."""

from __future__ import annotations

import math
from typing import Any

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from orchestrion.errors import OptionError
from orchestrion.nn.attention import SelfAttention, merge_heads
from orchestrion.nn.cache import LayerCache
from orchestrion.nn.decoder import Decoder, DecoderLayer
from orchestrion.nn.packed_linear import Linear
from orchestrion.nn.positions import rotary_table, sinusoidal_table


class BlockSelfAttention(SelfAttention):
    """The published self-attention, which views [steps, heads · dim] as [heads, steps, dim] without transposing.

    "Head" j holds the j-th part of the sequence, its sub-vectors one after another, and is causal inside it only. The
    parts move as the sequence grows, so nothing can be cached. The public checkpoint was trained with this.
    """

    def forward(
        self, x: Float[Tensor, "batch time width"], rotary: Tensor | None = None, cache: Any = None
    ) -> Float[Tensor, "batch time width"]:
        """Attends inside blocks; `rotary` is not applied, as published."""
        if cache is not None:
            raise ValueError("the published attention cannot be cached; use quirks='none'")
        batch, time, width = x.shape
        q, k, v = (part.reshape(batch, self.num_heads, time, -1) for part in self.to_qkv(x).chunk(3, dim=-1))
        dropout = self.dropout if self.training else 0.0
        out = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=dropout)
        return self.to_out(out.reshape(batch, time, width) if out.shape[2] == time else merge_heads(out))


class Text2MidiNetwork(nn.Module):
    """Decoder over music tokens that attends to encoded text.

    Args:
        vocabulary_size: classes.
        width, num_layers, num_heads, feed_forward: sizes of the decoder.
        max_length: longest sequence.
        dropout: in training.
        activation: of the feed-forward parts.
        norm_first: normalise before each part instead of after its residual (the published network: after).
        bias: whether self-attention projections have one (the published network: no).
        other_biases: whether all other parts of the layers have one.
        norm_eps: of the normalisations.
        positions: "rotary", "sinusoidal" (added, by time), or "item" (the published code's: the table is indexed by
            the item of the batch, so that all steps get the same).
        blocks: use `BlockSelfAttention`.
    """

    positions: Tensor

    def __init__(
        self,
        *,
        vocabulary_size: int,
        width: int,
        num_layers: int,
        num_heads: int,
        feed_forward: int,
        max_length: int,
        dropout: float = 0.1,
        activation: str = "relu",
        norm_first: bool = False,
        bias: bool = False,
        other_biases: bool = True,
        norm_eps: float = 1e-5,
        positions: str = "sinusoidal",
        blocks: bool = False,
    ) -> None:
        super().__init__()
        if positions not in ("rotary", "sinusoidal", "item"):
            raise OptionError(f"positions is {positions!r}; it must be 'rotary', 'sinusoidal' or 'item'.")
        self.kind, self.max_length, self.width = positions, max_length, width
        self.tokens = nn.Embedding(vocabulary_size, width)
        attention = BlockSelfAttention if blocks else SelfAttention
        layers = [
            DecoderLayer(
                width=width,
                num_heads=num_heads,
                feed_forward=feed_forward,
                activation_name=activation,
                norm_first=norm_first,
                norm_eps=norm_eps,
                bias=other_biases,
                dropout=dropout,
                self_attention=attention(width=width, num_heads=num_heads, bias=bias, dropout=dropout),
            )
            for _ in range(num_layers)
        ]
        self.decoder = Decoder(layers, width=width, norm_eps=norm_eps, bias=other_biases)
        self.projection = Linear(width, vocabulary_size)
        self.dropout = nn.Dropout(dropout)
        if positions == "rotary":
            self.register_buffer("rotary", rotary_table(max_length, width // num_heads), persistent=False)
        else:
            self.rotary = None
            self.register_buffer("positions", sinusoidal_table(max_length, width)[:, None])
        nn.init.normal_(self.tokens.weight, std=width**-0.5)

    def embed(self, tokens: Int[Tensor, "batch time"], start: int = 0) -> Float[Tensor, "batch time width"]:
        """Token embeddings × √width, with positions `start` onwards added unless they are rotary."""
        x = self.tokens(tokens) * math.sqrt(self.width)
        if self.kind == "sinusoidal":
            x = x + self.positions[start : start + tokens.shape[1], 0]
        elif self.kind == "item":
            x = x + self.positions[: tokens.shape[0]]
        return self.dropout(x)

    def forward(
        self,
        tokens: Int[Tensor, "batch time"],
        memory: Float[Tensor, "batch memory width"],
        memory_mask: Bool[Tensor, "batch memory"] | None = None,
    ) -> Float[Tensor, "batch time classes"]:
        """Logits of the next token after each step. `memory_mask` is True where the text is real."""
        rotary = self.rotary[:, : tokens.shape[1]] if self.rotary is not None else None
        return self.projection(self.decoder(self.embed(tokens), memory, memory_mask, rotary))

    def step(
        self,
        tokens: Int[Tensor, "batch new"],
        caches: list[LayerCache],
        memory_mask: Bool[Tensor, "batch memory"] | None = None,
    ) -> Float[Tensor, "batch classes"]:
        """Logits after the newest tokens; `caches` (from `decoder.start`) hold what came before."""
        start = caches[0].own.length
        rotary = self.rotary[:, start : start + tokens.shape[1]] if self.rotary is not None else None
        x = self.decoder(self.embed(tokens, start), None, memory_mask, rotary, caches)
        return self.projection(x[:, -1])
