"""Which parts of a network learn, and which stand still while others do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import nn


@contextmanager
def freezing(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Puts back after the block which parameters want gradients, and drops the gradients."""
    parameters = [parameter for module in modules for parameter in module.parameters()]
    wanted = [parameter.requires_grad for parameter in parameters]
    try:
        yield
    finally:
        for parameter, want in zip(parameters, wanted, strict=True):
            parameter.requires_grad_(want)
            parameter.grad = None


def only(modules: Sequence[nn.Module], trained: Sequence[nn.Parameter]) -> None:
    """Lets `trained` want gradients, and nothing else in `modules`."""
    chosen = {id(parameter) for parameter in trained}
    for module in modules:
        for parameter in module.parameters():
            parameter.requires_grad_(id(parameter) in chosen)


def train_mode(modules: Sequence[nn.Module], trained: set[int]) -> None:
    """Training mode, but evaluation mode for parts none of whose parameters (ids in `trained`) learn in this stage.

    So a frozen network has neither dropout nor moving batch statistics, while a generator keeps both in the turn of
    its discriminator.
    """
    for module in modules:
        module.train()
        for part in module.modules():
            parameters = list(part.parameters())
            if parameters and not any(id(parameter) in trained for parameter in parameters):
                part.eval()
