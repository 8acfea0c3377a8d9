"""Modules compiled for the length of a stage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def compiled(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Inside the block, calls of `modules` run as `torch.compile` made them; names in state dicts stay as they are.

    Modules of torch itself, such as `nn.Sequential`, are left as they are when called directly: name your own.
    """
    held = list(modules)
    for module in held:
        module.compile()
    try:
        yield
    finally:
        for module in held:
            module._compiled_call_impl = None
