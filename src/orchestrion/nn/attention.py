"""Multi-head attention, over the sequence itself or over a memory, with caches for decoding."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from orchestrion.nn.cache import KeyValueCache
from orchestrion.nn.derived import Derived
from orchestrion.nn.packed_linear import Linear, linear, packs, product, projection
from orchestrion.nn.planar_convolution import plainly
from orchestrion.nn.positions import apply_rotary


def split_heads(x: Float[Tensor, "batch time width"], heads: int) -> Float[Tensor, "batch heads time head_dim"]:
    """[batch, time, heads · head_dim] → [batch, heads, time, head_dim]."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(x: Float[Tensor, "batch heads time head_dim"]) -> Float[Tensor, "batch time width"]:
    """The inverse of `split_heads`."""
    return x.transpose(1, 2).flatten(2)


def attend(
    q: Float[Tensor, "batch heads time head_dim"],
    k: Float[Tensor, "batch heads memory head_dim"],
    v: Float[Tensor, "batch heads memory head_dim"],
    *,
    mask: Bool[Tensor, "*#rows #time memory"] | None = None,
    causal: bool = False,
    dropout: float = 0.0,
    scale: float | None = None,
) -> Float[Tensor, "batch heads time head_dim"]:
    """softmax(q kᵀ / √head_dim) v (Vaswani et al. 2017, equation 1); `mask` is True where attention is allowed, and
    `scale` takes the place of 1 / √head_dim.

    torch's fused kernel, except where it is slow: training in bfloat16 on a CPU, whose backward pass takes several
    times as long as these plain products, block by block of the queries so that a causal step never touches the future;
    and long sequences on processors whose products MKL makes slowly.
    """
    if not causal and dropout == 0 and _by_heads(q, k, mask):
        return _attend_by_heads(q, k, v, mask, q.shape[-1] ** -0.5 if scale is None else scale)
    plain = q.device.type == "cpu" and q.dtype == torch.bfloat16 and q.requires_grad and dropout == 0
    if not plain:
        return functional.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, is_causal=causal, dropout_p=dropout, scale=scale
        )
    block = CAUSAL_BLOCK if causal else q.shape[2]
    factor = q.shape[-1] ** -0.5 if scale is None else scale
    starts = range(0, q.shape[2], block)
    return torch.cat([_attend_block(q, k, v, start, block, mask, causal, factor) for start in starts], 2)


CAUSAL_BLOCK = 128  # queries at once: fewer waste products with the future, more pay overhead
LONG = 256  # steps a thread from which products by heads pay for their calls
HEAD_BLOCK = 512  # queries at once of a head: what they score stays in the cache
MOST_THREADS = 2  # the fused kernel shares heads out among threads; with more than two that was not measured


def _by_heads(q: Tensor, k: Tensor, mask: Tensor | None) -> bool:
    """Whether oneDNN's products are the faster ones; a query that may attend to nothing is left to the kernel."""
    steps, threads = min(q.shape[2], k.shape[2]), torch.get_num_threads()
    return (
        steps >= LONG * threads
        and threads <= MOST_THREADS
        and plainly(q)
        and packs()
        and (mask is None or bool(mask.any(-1).all()))
    )


def _attend_by_heads(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, factor: float
) -> Float[Tensor, "batch heads time head_dim"]:
    batch, heads, time, _ = q.shape
    out = q.new_empty(batch, time, heads, v.shape[-1])
    if mask is not None:
        mask = mask.logical_not().expand(batch, heads, time, k.shape[2])
    for row in range(batch):
        queries, keys = (q[row] * factor).contiguous(), k[row].contiguous()
        turned_values = v[row].contiguous().mT.contiguous()  # in two steps, which is quicker
        for head in range(heads):
            for block in (slice(start, start + HEAD_BLOCK) for start in range(0, time, HEAD_BLOCK)):
                scores = product(queries[head, block], keys[head])
                if mask is not None:
                    scores.masked_fill_(mask[row, head, block], -torch.inf)
                out[row, block, head] = product(scores.softmax(-1), turned_values[head])
    return out.transpose(1, 2)


def _attend_block(
    q: Tensor, k: Tensor, v: Tensor, start: int, block: int, mask: Tensor | None, causal: bool, factor: float
) -> Float[Tensor, "batch heads block head_dim"]:
    batch, heads = q.shape[:2]
    q = q[:, :, start : start + block]
    seen = start + q.shape[2] if causal else k.shape[2]
    bias = q.new_zeros(())
    if causal:
        steps = torch.arange(seen, device=q.device)
        bias = bias.new_zeros(q.shape[2], seen).masked_fill(steps > steps[start:, None], -torch.inf)
    elif mask is not None:
        spread = mask.expand(batch, heads, q.shape[2], seen).flatten(0, 1)
        bias = bias.new_zeros(spread.shape).masked_fill(~spread, -torch.inf)
    keys, values = k[:, :, :seen].flatten(0, 1), v[:, :, :seen].flatten(0, 1)
    scores = torch.baddbmm(bias, q.flatten(0, 1), keys.transpose(1, 2), alpha=factor)
    return torch.bmm(scores.softmax(-1), values).unflatten(0, (batch, heads))


class SelfAttention(nn.Module):
    """Causal attention of a sequence over itself (Vaswani et al. 2017), queries and keys rotated where a table is
    given.

    Args:
        width: channels in and out.
        num_heads: heads; `width` must be a multiple.
        bias: whether the projections have one.
        dropout: on the attention weights, in training.
    """

    def __init__(self, *, width: int, num_heads: int, bias: bool = True, dropout: float = 0.0) -> None:
        super().__init__()
        if width % num_heads:
            raise ValueError(f"width {width} is not a multiple of {num_heads} heads")
        self.num_heads = num_heads
        self.dropout = dropout
        self.to_qkv = Linear(width, 3 * width, bias=bias)
        self.to_out = Linear(width, width, bias=bias)

    def forward(
        self,
        x: Float[Tensor, "batch time width"],
        rotary: Float[Tensor, "2 time half"] | None = None,
        cache: KeyValueCache | None = None,
    ) -> Float[Tensor, "batch time width"]:
        """Attends causally. With a `cache`, `x` are the steps after those in it; several at once need an empty one."""
        q, k, v = (split_heads(part, self.num_heads) for part in self.to_qkv(x).chunk(3, dim=-1))
        if rotary is not None:
            q, k = apply_rotary(q, rotary), apply_rotary(k, rotary)
        causal = x.shape[1] > 1
        if cache is not None:
            if causal and cache.length:
                raise ValueError("a cache that is not empty takes one step at a time")
            k, v = cache.append(k, v)
        dropout = self.dropout if self.training else 0.0
        out = attend(q, k, v, causal=causal, dropout=dropout)
        return self.to_out(merge_heads(out))


class CrossAttention(nn.Module):
    """Attention of a sequence over a memory such as encoded text. Queries, keys and values share one packed projection.

    Args:
        width: channels in, out and of the memory.
        num_heads: heads; `width` must be a multiple.
        bias: whether the projections have one.
        dropout: on the attention weights, in training.
    """

    def __init__(self, *, width: int, num_heads: int, bias: bool = True, dropout: float = 0.0) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.dropout = dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width)) if bias else None
        self.out_proj = Linear(width, width, bias=bias)
        nn.init.xavier_uniform_(self.in_proj_weight)
        self._packed_q, self._packed_kv = Derived(), Derived()

    def query_projection(self, *, cold: bool = False) -> Callable[[Tensor], Tensor]:
        """What makes queries; see `packed_linear.projection`."""
        return projection(*self._part(slice(self.in_proj_weight.shape[1])), self._packed_q, cold=cold)

    def project_memory(
        self, memory: Float[Tensor, "batch memory width"]
    ) -> tuple[Float[Tensor, "batch heads memory head_dim"], Float[Tensor, "batch heads memory head_dim"]]:
        """Keys and values of the memory: computed once and kept while decoding."""
        packed = linear(memory, *self._part(slice(memory.shape[-1], None)), self._packed_kv)
        keys, values = (split_heads(part, self.num_heads) for part in packed.chunk(2, dim=-1))
        return keys, values

    def forward(
        self,
        x: Float[Tensor, "batch time width"],
        keys: Float[Tensor, "batch heads memory head_dim"],
        values: Float[Tensor, "batch heads memory head_dim"],
        mask: Bool[Tensor, "batch memory"] | None = None,
    ) -> Float[Tensor, "batch time width"]:
        """Attends to a projected memory. `mask` is True where the memory is real (not padding)."""
        q = split_heads(linear(x, *self._part(slice(x.shape[-1])), self._packed_q), self.num_heads)
        real = mask[:, None, None, :] if mask is not None else None
        dropout = self.dropout if self.training else 0.0
        out = attend(q, keys, values, mask=real, dropout=dropout)
        return self.out_proj(merge_heads(out))

    def _part(self, rows: slice) -> tuple[Float[Tensor, "rows width"], Float[Tensor, " rows"] | None]:
        return self.in_proj_weight[rows], None if self.in_proj_bias is None else self.in_proj_bias[rows]
