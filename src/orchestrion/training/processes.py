"""The processes of a training: which one this is, and sums and collections over all of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from orchestrion.errors import OrchestrionError

BUCKET_BYTES = 25 * 2**20  # gradients go over the wire in pieces of about this size, as in torch's own DDP


class Processes:
    """This process alone, or those that `accelerate launch` (or torchrun) started.

    Attributes:
        rank: number of this process.
        count: of processes.
        device: the one of this process; None where it runs alone, on whatever device its model is.

    Raises:
        OrchestrionError: processes that were started together do not find each other.
    """

    def __init__(self) -> None:
        self.rank, self.count = 0, 1
        self.device: torch.device | None = None
        started = int(os.environ.get("WORLD_SIZE", "1"))
        if started > 1:
            from accelerate import PartialState

            wanted = os.environ.get("ACCELERATE_USE_CPU", "false").lower() in ("true", "1", "yes")
            state = PartialState(cpu=wanted or not _accelerated())  # it does not look for itself
            self.rank, self.count, self.device = state.process_index, state.num_processes, state.device
            if self.count != started:
                raise OrchestrionError(
                    f"Of {started} processes that were started {self.count} found each other; start them with "
                    "`accelerate launch` or torchrun."
                )

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
        learned = {id(value) for module in modules for value in module.parameters()}
        states = [module.state_dict(keep_vars=True).values() for module in modules]
        self.share_from_first(value for state in states for value in state if id(value) not in learned)

    def share_state(self, modules: Sequence[nn.Module]) -> None:
        """Gives all processes the parameters and kept buffers that the first one has; sharded ones are left alone."""
        if self.count == 1:
            return
        from torch.distributed.tensor import DTensor  # takes as long to import as all else here

        states = [module.state_dict().values() for module in modules]
        self.share_from_first(value for state in states for value in state if not isinstance(value, DTensor))


def _accelerated() -> bool:
    """Whether there is a device other than the CPU."""
    return getattr(torch, "accelerator", torch.cuda).is_available()  # torch.accelerator is there from 2.6 on


def together() -> int:
    """How many processes there are, 1 where none were started together."""
    ready = torch.distributed.is_available() and torch.distributed.is_initialized()
    return torch.distributed.get_world_size() if ready else 1


def gather_with_gradient(tensor: Tensor) -> Tensor:
    """Rows of all processes, in the order of their numbers; the gradient of each row goes back to where it came from.

    For losses that compare all items of a batch with each other. What each process computes from the rows is averaged
    by the trainer like any loss, so both are right: the whole loss in every process, or in each process the loss of its
    own rows against all, weighed by their number. No process may leave out the backward pass.

    Args:
        tensor: [rows, ...]; the number of rows may differ between processes, all else must be equal.

    Returns:
        [rows of all processes, ...]; the tensor itself where there is one process.
    """
    return tensor if together() == 1 else _Gather.apply(tensor)


def sum_with_gradient(tensor: Tensor) -> Tensor:
    """The sum over the processes of tensors of equal shape, with its gradient."""
    return tensor if together() == 1 else _Sum.apply(tensor)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, tensor: Tensor) -> Tensor:
        count, rank = together(), torch.distributed.get_rank()
        sizes = torch.zeros(count, dtype=torch.long, device=tensor.device)
        sizes[rank] = len(tensor)
        torch.distributed.all_reduce(sizes)
        rows = sizes.tolist()
        padded = tensor.new_zeros(max(rows), *tensor.shape[1:])
        padded[: len(tensor)] = tensor
        held = [torch.empty_like(padded) for _ in rows]
        torch.distributed.all_gather(held, padded)
        context.place = slice(sum(rows[:rank]), sum(rows[: rank + 1]))
        return torch.cat([one[:size] for one, size in zip(held, rows, strict=True)])

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:  # type: ignore[override]
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        torch.distributed.all_reduce(total)
        return total[context.place]


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, tensor: Tensor) -> Tensor:
        total = tensor.clone(memory_format=torch.contiguous_format)
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:  # type: ignore[override]
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        torch.distributed.all_reduce(total)
        return total


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
