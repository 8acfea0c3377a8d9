"""A Transformer decoder that attends to a memory: whole sequences in training, single steps with caches in sampling."""

from __future__ import annotations

from collections.abc import Iterable

from jaxtyping import Bool, Float
from torch import Tensor, nn

from orchestrion.nn.attention import CrossAttention, SelfAttention
from orchestrion.nn.cache import KeyValueCache, LayerCache
from orchestrion.nn.packed_linear import CACHED, Linear
from orchestrion.nn.stepping import can_step, gather, step


def activation(name: str) -> nn.Module:
    """The non-linearity called `name`.

    Raises:
        ValueError: it is unknown.
    """
    known = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU}
    if name not in known:
        raise ValueError(f"activation {name!r} is unknown; known are {', '.join(known)}")
    return known[name]()


class DecoderLayer(nn.Module):
    """Self-attention, attention to the memory, feed-forward; each with a residual and LayerNorm.

    Args:
        width, num_heads, feed_forward: sizes.
        activation_name: of the feed-forward part.
        norm_first: normalise before each part (stable without warm-up) or after its residual (Vaswani et al. 2017).
        norm_eps: of the normalisations.
        bias: whether all parts have one, the self-attention that is given apart.
        dropout: in training, after each part.
        self_attention: replaces the default causal self-attention.
    """

    def __init__(
        self,
        *,
        width: int,
        num_heads: int,
        feed_forward: int,
        activation_name: str = "relu",
        norm_first: bool = True,
        norm_eps: float = 1e-5,
        bias: bool = True,
        dropout: float = 0.1,
        self_attention: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.norm_first = norm_first
        self.self_attn = self_attention or SelfAttention(width=width, num_heads=num_heads, bias=bias, dropout=dropout)
        self.multihead_attn = CrossAttention(width=width, num_heads=num_heads, bias=bias, dropout=dropout)
        self.linear1 = Linear(width, feed_forward, bias=bias)
        self.linear2 = Linear(feed_forward, width, bias=bias)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width, eps=norm_eps, bias=bias) for _ in range(3))
        self.activation = activation(activation_name)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Float[Tensor, "batch time width"],
        memory: tuple[Float[Tensor, "batch heads memory head_dim"], Float[Tensor, "batch heads memory head_dim"]],
        memory_mask: Bool[Tensor, "batch memory"] | None = None,
        rotary: Float[Tensor, "2 time half"] | None = None,
        cache: KeyValueCache | None = None,
    ) -> Float[Tensor, "batch time width"]:
        """One layer. `memory` are this layer's projected keys and values (`multihead_attn.project_memory`)."""
        if self.norm_first:
            x = x + self.dropout(self.self_attn(self.norm1(x), rotary, cache))
            x = x + self.dropout(self.multihead_attn(self.norm2(x), *memory, memory_mask))
            return x + self.dropout(self._feed_forward(self.norm3(x)))
        x = self.norm1(x + self.dropout(self.self_attn(x, rotary, cache)))
        x = self.norm2(x + self.dropout(self.multihead_attn(x, *memory, memory_mask)))
        return self.norm3(x + self.dropout(self._feed_forward(x)))

    def _feed_forward(self, x: Float[Tensor, "batch time width"]) -> Float[Tensor, "batch time width"]:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class Decoder(nn.Module):
    """A stack of `DecoderLayer`s and, unless told otherwise, a last LayerNorm, with its epsilon and a bias or none."""

    def __init__(
        self,
        layers: list[DecoderLayer],
        *,
        width: int,
        final_norm: bool = True,
        norm_eps: float = 1e-5,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.layers: Iterable[DecoderLayer] = nn.ModuleList(layers)  # type: ignore[assignment]
        self.norm = nn.LayerNorm(width, eps=norm_eps, bias=bias) if final_norm else nn.Identity()

    def forward(
        self,
        x: Float[Tensor, "batch time width"],
        memory: Float[Tensor, "batch memory width"] | None = None,
        memory_mask: Bool[Tensor, "batch memory"] | None = None,
        rotary: Float[Tensor, "2 time half"] | None = None,
        caches: list[LayerCache] | None = None,
    ) -> Float[Tensor, "batch time width"]:
        """The whole stack. With `caches` from `start`, `memory` is not needed: its projections are in them."""
        if caches is not None and not self.training and can_step(x, caches):
            return self.norm(step(x, caches, memory_mask, rotary))
        for index, layer in enumerate(self.layers):
            if caches is None:
                if memory is None:
                    raise ValueError("without caches, a decoder needs the memory")
                x = layer(x, layer.multihead_attn.project_memory(memory), memory_mask, rotary)
            else:
                held = caches[index]
                x = layer(x, (held.memory_keys, held.memory_values), memory_mask, rotary, held.own)
        return self.norm(x)

    def start(self, memory: Float[Tensor, "batch memory width"], *, capacity: int) -> list[LayerCache]:
        """Empty caches for decoding up to `capacity` steps against `memory`."""
        caches, cold = [], sum(weight.numel() for weight in self.parameters()) > CACHED
        for layer in self.layers:
            # every step reads all of them: heads one after another in memory are read faster
            keys, values = (part.contiguous() for part in layer.multihead_attn.project_memory(memory))
            batch, heads, _, head_dim = keys.shape
            own = KeyValueCache.empty(batch, heads, capacity, head_dim, like=keys)
            caches.append(LayerCache(own, keys, values, weights=gather(layer, cold=cold)))
        return caches
