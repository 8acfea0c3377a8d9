"""Keys and values that a decoder has already computed, kept in buffers of fixed size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(slots=True)
class KeyValueCache:
    """Self-attention keys and values of one layer, side by side in `held`. Only the first `length` steps are valid."""

    held: Float[Tensor, "batch 2 heads capacity head_dim"]
    length: int = 0

    @classmethod
    def empty(cls, batch: int, heads: int, capacity: int, head_dim: int, *, like: Tensor) -> KeyValueCache:
        """Room for `capacity` steps, on the device and in the type of `like`."""
        return cls(like.new_empty(batch, 2, heads, capacity, head_dim))  # never read before it is written

    @property
    def keys(self) -> Float[Tensor, "batch heads capacity head_dim"]:
        """The buffer of keys."""
        return self.held[:, 0]

    @property
    def values(self) -> Float[Tensor, "batch heads capacity head_dim"]:
        """The buffer of values."""
        return self.held[:, 1]

    def room(self, new: int) -> int:
        """Where the next `new` steps will end.

        Raises:
            IndexError: the buffers are full.
        """
        end, capacity = self.length + new, self.held.shape[3]
        if end > capacity:
            raise IndexError(f"the cache holds {capacity} steps, {end} were needed")
        return end

    def append(
        self, keys: Float[Tensor, "batch heads new head_dim"], values: Float[Tensor, "batch heads new head_dim"]
    ) -> tuple[Float[Tensor, "batch heads total head_dim"], Float[Tensor, "batch heads total head_dim"]]:
        """Stores the new steps and returns everything so far.

        Raises:
            IndexError: the buffers are full.
        """
        end = self.room(keys.shape[2])
        self.held[:, 0, :, self.length : end] = keys
        self.held[:, 1, :, self.length : end] = values
        self.length = end
        return self.held[:, 0, :, :end], self.held[:, 1, :, :end]

    def append_step(
        self, pair: Float[Tensor, "batch 2 heads head_dim"]
    ) -> tuple[Float[Tensor, "batch heads total head_dim"], Float[Tensor, "batch heads total head_dim"]]:
        """As `append`, for keys and values of a single step side by side.

        Raises:
            IndexError: the buffers are full.
        """
        end = self.room(1)
        self.held.select(3, self.length).copy_(pair)
        self.length = end
        keys, values = self.held.narrow(3, 0, end).unbind(1)
        return keys, values

    def keep(self, rows: Tensor) -> None:
        """Keeps the batch rows listed, in that order (finished sequences leave the batch).

        Ascending rows are moved up within the buffer, and only their valid steps are copied.
        """
        listed = rows.tolist()
        if listed != sorted(set(listed)):
            self.held = self.held[rows]
            return
        for new, old in enumerate(listed):
            if new != old:
                self.held[new, :, :, : self.length] = self.held[old, :, :, : self.length]
        self.held = self.held[: len(listed)]


@dataclass(slots=True)
class LayerCache:
    """What one decoder layer remembers: its own steps, and the keys and values of the memory it attends to.

    `weights` are the layer's own, gathered for single steps; `mask` and `bias` the last mask of the memory and what it
    adds to the scores (see `nn.stepping`).
    """

    own: KeyValueCache
    memory_keys: Float[Tensor, "batch heads memory head_dim"]
    memory_values: Float[Tensor, "batch heads memory head_dim"]
    weights: Any = None
    mask: Bool[Tensor, "batch memory"] | None = None
    bias: Float[Tensor, "batch 1 1 memory"] | None = None

    def keep(self, rows: Tensor) -> None:
        """Keeps the batch rows listed."""
        self.own.keep(rows)
        self.mask = self.bias = None
        self.memory_keys, self.memory_values = self.memory_keys[rows], self.memory_values[rows]


@torch.no_grad()
def keep_rows(caches: list[LayerCache], rows: Tensor) -> None:
    """Drops from every layer's cache the batch rows that are not listed."""
    for cache in caches:
        cache.keep(rows)
