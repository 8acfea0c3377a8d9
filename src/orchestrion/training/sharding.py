"""Networks whose parameters are split over the processes (FSDP2), kept and read as whole tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from orchestrion.training.processes import Processes


def shard(model: nn.Module, blocks: Iterable[nn.Module] = ()) -> nn.Module:
    """Splits the parameters of `model` over the processes, in place; a process holds a part of each.

    Call it before the stages are made, since parameters are replaced. All processes get the weights of the first. In
    one process nothing is done.

    Args:
        blocks: parts whose parameters are put together for their own forward and backward pass only, such as the layers
            of a transformer; the rest is one more such group.
    """
    processes = Processes()
    if processes.count == 1:
        return model
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    device = processes.device or torch.device("cpu")
    processes.share_state([model.to(device)])
    mesh = init_device_mesh(device.type, (processes.count,))
    for block in (*blocks, model):
        fully_shard(block, mesh=mesh)
    return model


def is_split(value: Any) -> bool:
    """Whether a tensor is split over the processes."""
    return isinstance(value, DTensor)


def is_sharded(modules: Iterable[nn.Module]) -> bool:
    """Whether some parameter is split over the processes."""
    return any(is_split(parameter) for module in modules for parameter in module.parameters())


def whole(value: Any) -> Any:
    """A tensor put together from its parts (all processes must ask for it); anything else as it is."""
    return value.full_tensor() if isinstance(value, DTensor) else value


def whole_state(module: nn.Module) -> dict[str, Tensor]:
    """The state dict as whole tensors; all processes must ask for it."""
    return {name: whole(value) for name, value in module.state_dict().items()}


def split_like(value: Tensor, example: Tensor) -> Tensor:
    """The part of a whole tensor that belongs to this process, where `example` is split and of the same shape."""
    if not isinstance(example, DTensor) or value.shape != example.shape:
        return value
    return distribute_tensor(value.to(example.device), example.device_mesh, example.placements, src_data_rank=None)


def load_whole(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Reads whole tensors into a network that may be sharded.

    Raises:
        RuntimeError: names or shapes differ.
    """
    state = module.state_dict()
    module.load_state_dict({n: split_like(v, state[n]) if n in state else v for n, v in tensors.items()})
