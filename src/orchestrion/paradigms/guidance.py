"""Steering a sampler by the difference that a condition makes (Ho & Salimans 2022)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

Network = Callable[[Tensor, Tensor, Any], Tensor]
"""Called as network(x, t, condition) with t of shape [batch]."""


def guide(
    conditional: Float[Tensor, "*shape"], unconditional: Float[Tensor, "*shape"], scale: float
) -> Float[Tensor, "*shape"]:
    """u + w·(c − u): 1 is the conditional prediction alone, more exaggerates what the condition changes."""
    return unconditional + scale * (conditional - unconditional)


def rescale_guidance(
    guided: Float[Tensor, "batch ..."], conditional: Float[Tensor, "batch ..."], amount: float = 0.7
) -> Float[Tensor, "batch ..."]:
    """Brings the standard deviation of each item back towards that of the conditional prediction (Lin et al. 2024,
    equations 15 and 16), as strong guidance overdrives it."""
    dims = tuple(range(1, guided.ndim))
    ratio = conditional.std(dims, keepdim=True) / guided.std(dims, keepdim=True)
    return guided * (amount * ratio + 1 - amount)


def classifier_free(
    network: Network,
    *,
    scale: float,
    unconditional: Any,
    rescale: float = 0.0,
    joint: bool = True,
) -> Network:
    """A network that answers with guidance.

    Args:
        scale: w; at 1 the unconditional branch is not computed.
        unconditional: the condition to steer away from: an empty one as trained, or the embedding of a negative prompt.
            Of the same structure as the condition (tensor, mapping, sequence, dataclass, None, nested); tensors may
            have one row for all items.
        rescale: amount of `rescale_guidance`.
        joint: both branches in one call of twice the batch; two calls where the shapes of the conditions differ.
    """
    if scale == 1:
        return network

    def guided(x: Tensor, t: Tensor, condition: Any) -> Tensor:
        both = _join(condition, unconditional, x.shape[0]) if joint else None
        if both is None:
            with_it, without = network(x, t, condition), network(x, t, _rows(unconditional, x.shape[0]))
        else:
            with_it, without = network(torch.cat([x, x]), torch.cat([t, t]), both[0]).chunk(2)
        result = guide(with_it, without, scale)
        return rescale_guidance(result, with_it, rescale) if rescale else result

    return guided


def _rows(condition: Any, batch: int) -> Any:
    """The condition with a row for every item."""
    if isinstance(condition, Tensor):
        one = condition.ndim > 0 and condition.shape[0] == 1
        return condition.expand(batch, *condition.shape[1:]) if one else condition
    if isinstance(condition, Mapping):
        return {key: _rows(value, batch) for key, value in condition.items()}
    if isinstance(condition, (list, tuple)):
        return type(condition)(_rows(value, batch) for value in condition)
    if is_dataclass(condition) and not isinstance(condition, type):
        return replace(condition, **{f.name: _rows(getattr(condition, f.name), batch) for f in fields(condition)})
    return condition


def _join(first: Any, second: Any, batch: int) -> tuple[Any] | None:
    """Both conditions in one batch, or None where that cannot be."""
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        first, second = _rows(first, batch), _rows(second, batch)
        fits = first.ndim > 0 and first.shape[0] == batch and first.shape == second.shape
        return (torch.cat([first, second.to(first)]),) if fits else None
    if isinstance(first, Mapping) and isinstance(second, Mapping) and first.keys() == second.keys():
        joined = {key: _join(first[key], second[key], batch) for key in first}
        return None if None in joined.values() else ({key: pair[0] for key, pair in joined.items() if pair},)
    if isinstance(first, (list, tuple)) and type(first) is type(second) and len(first) == len(second):
        items = [_join(a, b, batch) for a, b in zip(first, second, strict=True)]
        return None if None in items else (type(first)(item[0] for item in items if item),)
    if is_dataclass(first) and not isinstance(first, type) and type(first) is type(second):
        pairs = {f.name: _join(getattr(first, f.name), getattr(second, f.name), batch) for f in fields(first)}
        return None if None in pairs.values() else (replace(first, **{k: v[0] for k, v in pairs.items() if v}),)
    return (first,) if first is None and second is None else None
