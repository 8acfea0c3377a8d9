"""One step of a decoder with caches, as few operations as it takes.

A small network spends most of a step on calling operations, not in them. What `DecoderLayer` says in modules is said
here in plain functions on weights that are gathered once: the same arithmetic, in half the calls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor
from torch.nn.functional import gelu, scaled_dot_product_attention, silu

from orchestrion.nn.attention import SelfAttention
from orchestrion.nn.cache import LayerCache
from orchestrion.nn.packed_linear import LARGE, packs

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"ReLU": torch.relu, "GELU": gelu, "SiLU": silu}
_TYPES = (torch.float32, torch.float64)  # complex numbers, for rotations, exist in these


Projection = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class StepWeights:
    """What a layer multiplies with, and (weight, bias, epsilon) of each norm."""

    qkv: Projection
    out: Projection
    query: Projection
    memory_out: Projection
    expand: Projection
    contract: Projection
    norms: tuple[tuple[Tensor, Tensor | None, float], ...]
    activation: Callable[[Tensor], Tensor]
    norm_first: bool
    heads: int


def gather(layer: Any, *, cold: bool = False) -> StepWeights | None:
    """The weights of a `DecoderLayer`, or None if it has another self-attention than the usual one.

    Args:
        cold: as of `packed_linear.linear`.
    """
    own, cross = layer.self_attn, layer.multihead_attn
    if type(own) is not SelfAttention:
        return None
    norms = (layer.norm1, layer.norm2, layer.norm3)
    return StepWeights(
        qkv=own.to_qkv.projection(cold=cold),
        out=own.to_out.projection(cold=cold),
        query=cross.query_projection(cold=cold),
        memory_out=cross.out_proj.projection(cold=cold),
        expand=layer.linear1.projection(cold=cold),
        contract=layer.linear2.projection(cold=cold),
        norms=tuple((norm.weight, norm.bias, norm.eps) for norm in norms),
        activation=_ACTIVATIONS[type(layer.activation).__name__],
        norm_first=layer.norm_first,
        heads=own.num_heads,
    )


def can_step(x: Float[Tensor, "batch time width"], caches: list[LayerCache]) -> bool:
    """Whether `step` can take `x`: one step, in full precision, without gradients, after caches that hold weights."""
    return (
        x.shape[1] == 1
        and not torch.is_grad_enabled()
        and x.dtype in _TYPES
        and all(cache.weights is not None for cache in caches)
        and not torch.is_autocast_enabled(x.device.type)
    )


def step(
    x: Float[Tensor, "batch 1 width"],
    caches: list[LayerCache],
    memory_mask: Bool[Tensor, "batch memory"] | None = None,
    rotary: Float[Tensor, "2 1 half"] | None = None,
) -> Float[Tensor, "batch 1 width"]:
    """All layers, without dropout."""
    turn = torch.complex(rotary[1], rotary[0]) if rotary is not None else None
    bias = _memory_bias(caches[0], memory_mask, x)
    shape = x.shape
    x = (
        x.view(-1) if shape[0] == 1 else x[:, 0]
    )  # a vector, for which products are quicker than for a matrix of one row
    for cache in caches:
        x = _layer(x, cache, bias, turn)
    return x.view(shape)


def _memory_bias(
    first: LayerCache, mask: Bool[Tensor, "batch memory"] | None, x: Tensor
) -> Float[Tensor, "batch 1 1 memory"] | None:
    """What the mask adds to the scores: nothing where all of the memory is real. Kept until the mask is another one."""
    if mask is None or first.mask is mask:
        return first.bias if mask is not None else None
    first.mask = mask
    first.bias = None
    if not bool(mask.all()):
        first.bias = x.new_zeros(mask.shape).masked_fill(~mask, -torch.inf)[:, None, None]
    return first.bias


def _layer(
    x: Float[Tensor, "*rows width"],
    cache: LayerCache,
    bias: Float[Tensor, "batch 1 1 memory"] | None,
    turn: Complex[Tensor, "1 half"] | None,
) -> Float[Tensor, "*rows width"]:
    w = cache.weights
    flat, shape, batch = x.shape, x.shape[-1:], cache.own.held.shape[0]
    one, two, three = w.norms

    h = torch.layer_norm(x, shape, *one) if w.norm_first else x
    qkv = w.qkv(h).view(batch, 3, w.heads, -1)
    if turn is not None:  # a pair of channels is a complex number: to rotate is to multiply
        torch.view_as_complex(qkv.view(batch, 3, w.heads, -1, 2)).narrow(1, 0, 2).mul_(turn)
    keys, values = cache.own.append_step(qkv.narrow(1, 1, 2))
    out = scaled_dot_product_attention(qkv.select(1, 0).unsqueeze(2), keys, values)
    x = w.out(out.view(flat)).add_(x)
    if not w.norm_first:
        x = torch.layer_norm(x, shape, *one)

    h = torch.layer_norm(x, shape, *two) if w.norm_first else x
    query = w.query(h).view(batch, w.heads, 1, -1)
    out = _look_up(query, cache.memory_keys, cache.memory_values, bias)
    x = w.memory_out(out.view(flat)).add_(x)
    if not w.norm_first:
        x = torch.layer_norm(x, shape, *two)

    h = torch.layer_norm(x, shape, *three) if w.norm_first else x
    x = w.contract(w.activation(w.expand(h))).add_(x)
    return x if w.norm_first else torch.layer_norm(x, shape, *three)


def _look_up(
    query: Float[Tensor, "batch heads 1 head_dim"],
    keys: Float[Tensor, "batch heads memory head_dim"],
    values: Float[Tensor, "batch heads memory head_dim"],
    bias: Float[Tensor, "batch 1 1 memory"] | None,
) -> Float[Tensor, "batch heads 1 head_dim"]:
    """Attention of one step. Two plain products read a long memory a sixth faster than the fused kernel does on an
    EPYC; elsewhere that was not measured."""
    if keys.numel() < LARGE or not packs():
        return scaled_dot_product_attention(query, keys, values, attn_mask=bias)
    scores = (query * query.shape[-1] ** -0.5) @ keys.transpose(-2, -1)
    return (scores if bias is None else scores.add_(bias)).softmax(-1) @ values
