"""How far a network looks, measured."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

SHORTEST = 1 << 15  # samples to begin with


def receptive_field(
    network: Callable[[Tensor], Tensor], channels: int, *, at_least: int = SHORTEST, device: torch.device | None = None
) -> tuple[int, int]:
    """Samples on the left and right that one sample of the output depends on, by the gradient of the middle one.

    The global generators are afterwards as before.

    Args:
        network: noise [1, channels, samples] to something as long; deterministic but for draws of the global generator.
        at_least: samples of the noise, which is doubled until the ends of it are not seen.
    """
    length = max(SHORTEST, at_least)
    devices = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices), torch.enable_grad():
        while True:
            x = torch.randn(1, channels, length, device=device, requires_grad=True)
            (gradient,) = torch.autograd.grad(network(x)[0, 0, length // 2], x)
            left, right = (gradient.flatten() != 0).chunk(2)
            if not left[0] and not right[-1]:
                return int(left.sum()), int(right.sum())
            length *= 2
