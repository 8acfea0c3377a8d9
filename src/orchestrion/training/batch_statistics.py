"""Batch normalisation over the batches of all processes, on any device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from orchestrion.training.processes import sum_with_gradient, together


@contextmanager
def synced(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Inside the block, batch normalisation in training mode takes its statistics over all processes, with gradient.

    `torch.nn.SyncBatchNorm` does so on GPUs only. Names in state dicts stay as they are. Each process must call the
    layers equally often. Instance normalisation and layers with statistics of their own making are left alone.
    """
    layers = [part for module in modules for part in module.modules() if isinstance(part, _BatchNorm)]
    if together() == 1:
        layers = []
    for layer in layers:
        layer.forward = partial(_forward, layer)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for layer in layers:
            vars(layer).pop("forward", None)


def _forward(layer: _BatchNorm, x: Tensor) -> Tensor:
    if not layer.training:
        return type(layer).forward(layer, x)
    return batch_norm(layer, x)


def batch_norm(layer: _BatchNorm, x: Tensor) -> Tensor:
    """What `layer` in training mode makes of this process's part [batch, channels, ...] of a batch.

    Mean and variance are those of the whole batch, in single precision; the running statistics move as in one process.
    """
    axes = [axis for axis in range(x.ndim) if axis != 1]
    shape = [1, -1, *[1] * (x.ndim - 2)]
    values = x.float()
    count = sum_with_gradient(values.new_tensor([values.numel() / values.shape[1]]))
    mean = sum_with_gradient(values.sum(axes)) / count
    centred = values - mean.view(shape)
    variance = sum_with_gradient((centred**2).sum(axes)) / count
    if layer.track_running_stats and layer.running_mean is not None and layer.running_var is not None:
        with torch.no_grad():
            assert layer.num_batches_tracked is not None
            layer.num_batches_tracked += 1
            momentum = 1 / float(layer.num_batches_tracked) if layer.momentum is None else layer.momentum
            layer.running_mean.lerp_(mean.to(layer.running_mean.dtype), momentum)
            unbiased = variance * (count / (count - 1).clamp(min=1))
            layer.running_var.lerp_(unbiased.to(layer.running_var.dtype), momentum)
    out = centred * torch.rsqrt(variance + layer.eps).view(shape)
    if layer.affine:
        out = out * layer.weight.view(shape) + layer.bias.view(shape)
    return out.to(x.dtype)
