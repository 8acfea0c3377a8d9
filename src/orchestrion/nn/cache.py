"""Keys and values that a decoder has already computed, kept in buffers of fixed size."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(slots=True)
class KeyValueCache:
    """Self-attention keys and values of one layer. Only the first `length` steps are valid."""

    keys: Float[Tensor, "batch heads capacity head_dim"]
    values: Float[Tensor, "batch heads capacity head_dim"]
    length: int = 0

    @classmethod
    def empty(cls, batch: int, heads: int, capacity: int, head_dim: int, *, like: Tensor) -> KeyValueCache:
        """Room for `capacity` steps, on the device and in the type of `like`."""
        shape = (batch, heads, capacity, head_dim)
        return cls(like.new_zeros(shape), like.new_zeros(shape))

    def append(
        self, keys: Float[Tensor, "batch heads new head_dim"], values: Float[Tensor, "batch heads new head_dim"]
    ) -> tuple[Float[Tensor, "batch heads total head_dim"], Float[Tensor, "batch heads total head_dim"]]:
        """Stores the new steps and returns everything so far.

        Raises:
            IndexError: the buffers are full.
        """
        end = self.length + keys.shape[2]
        if end > self.keys.shape[2]:
            raise IndexError(f"the cache holds {self.keys.shape[2]} steps, {end} were needed")
        self.keys[:, :, self.length : end] = keys
        self.values[:, :, self.length : end] = values
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def keep(self, rows: Tensor) -> None:
        """Keeps the batch rows listed, in that order (finished sequences leave the batch)."""
        self.keys, self.values = self.keys[rows].contiguous(), self.values[rows].contiguous()


@dataclass(slots=True)
class LayerCache:
    """What one decoder layer remembers: its own steps, and the keys and values of the memory it attends to."""

    own: KeyValueCache
    memory_keys: Float[Tensor, "batch heads memory head_dim"] | None = None
    memory_values: Float[Tensor, "batch heads memory head_dim"] | None = None

    def keep(self, rows: Tensor) -> None:
        """Keeps the batch rows listed."""
        self.own.keep(rows)
        if self.memory_keys is not None and self.memory_values is not None:
            self.memory_keys, self.memory_values = self.memory_keys[rows], self.memory_values[rows]


@torch.no_grad()
def keep_rows(caches: list[LayerCache], rows: Tensor) -> None:
    """Drops from every layer's cache the batch rows that are not listed."""
    for cache in caches:
        cache.keep(rows)
