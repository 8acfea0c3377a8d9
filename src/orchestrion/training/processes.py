"""The processes of a training: which one this is, and sums over all of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

BUCKET_BYTES = 25 * 2**20  # gradients go over the wire in pieces of about this size, as in torch's own DDP


class Processes:
    """This process alone, or those that `accelerate launch` (or torchrun) started.

    Attributes:
        rank: number of this process.
        count: of processes.
        device: the one of this process; None where it runs alone, on whatever device its model is.
    """

    def __init__(self) -> None:
        self.rank, self.count = 0, 1
        self.device: torch.device | None = None
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            from accelerate import PartialState

            state = PartialState()
            self.rank, self.count, self.device = state.process_index, state.num_processes, state.device

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def sum(self, values: Sequence[float]) -> list[float]:
        """Sums over the processes, number by number, in double precision."""
        if self.count == 1:
            return list(values)
        held = torch.tensor(values, dtype=torch.float64, device=self.device)
        torch.distributed.all_reduce(held)
        return held.tolist()

    def union(self, names: Iterable[str]) -> list[str]:
        """All names that some process has, in order."""
        held: list[list[str]] = [[] for _ in range(self.count)]
        if self.count == 1:
            return sorted(names)
        torch.distributed.all_gather_object(held, sorted(names))
        return sorted({name for one in held for name in one})

    def sum_tensors(self, tensors: Sequence[Tensor]) -> None:
        """Sums tensors over the processes, in place."""
        if self.count == 1:
            return
        for bucket in _buckets(tensors):
            flat = torch.cat([tensor.flatten() for tensor in bucket])
            torch.distributed.all_reduce(flat)
            _spread(flat, bucket)

    def share_from_first(self, tensors: Iterable[Tensor]) -> None:
        """Gives all processes the values that the first one has, in place."""
        if self.count == 1:
            return
        for bucket in _buckets(list(tensors)):
            flat = torch.cat([tensor.flatten() for tensor in bucket])
            torch.distributed.broadcast(flat, 0)
            _spread(flat, bucket)

    def share_buffers(self, modules: Sequence[nn.Module]) -> None:
        """Gives all processes the kept buffers (statistics of batches and losses) that the first one has."""
        if self.count == 1:
            return
        learned = {name for module in modules for name, _ in module.named_parameters()}
        self.share_from_first(v for module in modules for name, v in module.state_dict().items() if name not in learned)

    def share_state(self, modules: Sequence[nn.Module]) -> None:
        """Gives all processes the parameters and kept buffers that the first one has."""
        self.share_from_first(value for module in modules for value in module.state_dict().values())


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    bucket: list[Tensor] = []
    size = 0
    for tensor in sorted(tensors, key=lambda tensor: str(tensor.dtype)):  # stable: the same order in every process
        full = size + tensor.nbytes > BUCKET_BYTES
        if bucket and (full or tensor.dtype != bucket[0].dtype):
            yield bucket
            bucket, size = [], 0
        bucket.append(tensor)
        size += tensor.nbytes
    if bucket:
        yield bucket


def _spread(flat: Tensor, bucket: list[Tensor]) -> None:
    for tensor, part in zip(bucket, flat.split([tensor.numel() for tensor in bucket]), strict=True):
        tensor.copy_(part.view_as(tensor))
