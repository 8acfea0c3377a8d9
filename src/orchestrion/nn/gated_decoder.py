"""A decoder whose attention to a memory is opened and closed by a label: Theme Transformer's parallel attention with
gates (Shih et al. 2023, arXiv 2111.04093, section IV), and the plainer decoders it is compared with.

The label of a step counts the steps since a region began, 0 outside. It opens the gate, and it is the position that
queries of the memory are given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from orchestrion.nn.attention import CrossAttention, SelfAttention
from orchestrion.nn.cache import KeyValueCache, LayerCache
from orchestrion.nn.decoder import activation
from orchestrion.nn.packed_linear import Linear
from orchestrion.nn.positions import sinusoidal_table

Memory = tuple[Float[Tensor, "batch heads memory head_dim"], Float[Tensor, "batch heads memory head_dim"]]
"""Projected keys and values of what is attended to."""


class GatedDecoderLayer(nn.Module):
    """Self-attention and attention to a memory side by side, then a perceptron; LayerNorm after each residual.

    Args:
        width, num_heads, feed_forward: sizes.
        attention: "parallel": x + (self + cross)/2, one norm after it (published); "sequential": one after the other,
            as Vaswani et al. 2017; "self": without a memory.
        gated: cross-attention counts only where the label is not 0.
        exclusive: and self-attention only where it is 0.
        dropout: on positions, attention weights, branches and inside the perceptron, in training.
    """

    def __init__(
        self,
        *,
        width: int,
        num_heads: int,
        feed_forward: int,
        attention: str = "parallel",
        gated: bool = True,
        exclusive: bool = False,
        dropout: float = 0.1,
        activation_name: str = "gelu",
    ) -> None:
        super().__init__()
        if attention not in ("parallel", "sequential", "self"):
            raise ValueError(f"attention is {attention!r}; it must be 'parallel', 'sequential' or 'self'")
        self.attention, self.gated, self.exclusive = attention, gated, exclusive
        self.self_attn = SelfAttention(width=width, num_heads=num_heads, dropout=dropout)
        self.multihead_attn = (
            None if attention == "self" else CrossAttention(width=width, num_heads=num_heads, dropout=dropout)
        )
        self.linear1 = Linear(width, feed_forward)
        self.linear2 = Linear(feed_forward, width)
        self.norm1, self.norm3 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width) if attention == "sequential" else None
        self.activation = activation(activation_name)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Float[Tensor, "batch time width"],
        *,
        steps: Float[Tensor, "#batch time width"],
        places: Float[Tensor, "batch time width"] | None,
        inside: Bool[Tensor, "batch time 1"],
        memory: Memory | None = None,
        memory_mask: Bool[Tensor, "batch memory"] | None = None,
        cache: KeyValueCache | None = None,
    ) -> Float[Tensor, "batch time width"]:
        """One layer.

        Args:
            steps: positions for self-attention, added to queries, keys and values.
            places: positions for queries of the memory; None adds `steps` there, too.
            inside: where the gate is open.
            memory_mask: True where the memory is real.
        """
        own = self.dropout(self.self_attn(self.dropout(x + steps), cache=cache))
        if self.multihead_attn is None or memory is None:
            x = self.norm1(x + own)
            return self.norm3(x + self.dropout(self._feed_forward(x)))
        if self.norm2 is not None:
            x = self.norm1(x + own)
            x = self.norm2(x + self._cross(x, steps if places is None else places, inside, memory, memory_mask))
        else:
            cross = self._cross(x, steps if places is None else places, inside, memory, memory_mask)
            own = own.masked_fill(inside, 0.0) if self.exclusive else own
            x = self.norm1(x + (own + cross) / 2)
        return self.norm3(x + self.dropout(self._feed_forward(x)))

    def _cross(
        self,
        x: Float[Tensor, "batch time width"],
        places: Float[Tensor, "#batch time width"],
        inside: Bool[Tensor, "batch time 1"],
        memory: Memory,
        memory_mask: Bool[Tensor, "batch memory"] | None,
    ) -> Float[Tensor, "batch time width"]:
        assert self.multihead_attn is not None
        if self.gated and not self.training and not bool(inside.any()):
            return torch.zeros_like(x)  # closed everywhere: nothing to compute
        found = self.dropout(self.multihead_attn(self.dropout(x + places), *memory, memory_mask))
        return found.masked_fill(~inside, 0.0) if self.gated else found

    def _feed_forward(self, x: Float[Tensor, "batch time width"]) -> Float[Tensor, "batch time width"]:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class GatedDecoder(nn.Module):
    """A stack of `GatedDecoderLayer`s and a last LayerNorm. Positions are added inside each layer, never to the
    residual stream.

    Args:
        pattern: of each layer, whether its self-attention is closed where the memory is open.
        theme_positions: queries of the memory get the label as their position instead of the step.
        max_length: longest sequence, and largest label; greater labels count as the largest.
    """

    table: Tensor

    def __init__(
        self,
        *,
        width: int,
        num_heads: int,
        feed_forward: int,
        pattern: Sequence[bool | int],
        attention: str = "parallel",
        gated: bool = True,
        theme_positions: bool = True,
        dropout: float = 0.1,
        max_length: int = 5000,
    ) -> None:
        super().__init__()
        self.theme_positions = theme_positions
        self.layers: Iterable[GatedDecoderLayer] = nn.ModuleList(  # type: ignore[assignment]
            GatedDecoderLayer(
                width=width,
                num_heads=num_heads,
                feed_forward=feed_forward,
                attention=attention,
                gated=gated,
                exclusive=bool(exclusive) and gated,
                dropout=dropout,
            )
            for exclusive in pattern
        )
        self.norm = nn.LayerNorm(width)
        self.register_buffer("table", sinusoidal_table(max_length, width), persistent=False)

    def forward(
        self,
        x: Float[Tensor, "batch time width"],
        labels: Int[Tensor, "batch time"],
        memory: Float[Tensor, "batch memory width"] | None = None,
        memory_mask: Bool[Tensor, "batch memory"] | None = None,
        caches: list[LayerCache] | None = None,
    ) -> Float[Tensor, "batch time width"]:
        """The whole stack. With `caches` from `start`, `x` are the steps after those in them, and `memory` is not
        needed: its projections are in them.

        Raises:
            ValueError: there are more steps than `max_length`.
        """
        begin = caches[0].own.length if caches is not None else 0
        end, most = begin + x.shape[1], self.table.shape[0]
        if end > most:
            raise ValueError(f"{end} steps are more than the {most} that the decoder has positions for")
        steps = self.table[None, begin:end]
        places = self.table[labels.clamp(max=most - 1)] if self.theme_positions else None
        inside = labels[..., None] > 0
        for index, layer in enumerate(self.layers):
            cache = None
            if caches is not None:
                projected: Memory | None = (caches[index].memory_keys, caches[index].memory_values)
                cache = caches[index].own
            else:
                cross = layer.multihead_attn
                projected = cross.project_memory(memory) if cross is not None and memory is not None else None
            x = layer(
                x,
                steps=steps,
                places=places,
                inside=inside,
                memory=projected,
                memory_mask=memory_mask,
                cache=cache,
            )
        return self.norm(x)

    def start(self, memory: Float[Tensor, "batch memory width"], *, capacity: int) -> list[LayerCache]:
        """Empty caches for decoding up to `capacity` steps against `memory`."""
        caches = []
        for layer in self.layers:
            heads = layer.self_attn.num_heads
            batch, _, width = memory.shape
            own = KeyValueCache.empty(batch, heads, capacity, width // heads, like=memory)
            cross = layer.multihead_attn
            keys, values = cross.project_memory(memory) if cross is not None else (own.keys, own.values)
            caches.append(LayerCache(own, keys, values))
        return caches
