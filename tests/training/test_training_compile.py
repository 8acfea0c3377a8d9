"""Compiling changes neither names nor numbers, and ends with the stage."""

import torch
from torch import nn

from orchestrion.training.compiling import compiled


class Bent(nn.Module):
    """Dynamo leaves modules of torch itself alone when they are called directly."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 2)

    def forward(self, x):
        return torch.tanh(self.inner(x)) * 2


def test_modules_are_compiled_inside_the_block_only(monkeypatch):
    seen = []

    def backend(graph, inputs):
        seen.append(len(list(graph.graph.nodes)))
        return graph.forward

    compile = nn.Module.compile
    monkeypatch.setattr(nn.Module, "compile", lambda self: compile(self, backend=backend))
    torch.manual_seed(0)
    model = Bent()
    x, names = torch.randn(5, 3), list(model.state_dict())
    expected = model(x)
    expected.sum().backward()
    gradient = model.inner.weight.grad.clone()
    model.zero_grad()
    with compiled([model]):
        made = model(x)
        made.sum().backward()
        assert seen and list(model.state_dict()) == names
    torch.testing.assert_close(made, expected)
    torch.testing.assert_close(model.inner.weight.grad, gradient)
    count = len(seen)
    assert model(torch.randn(7, 3)).shape == (7, 2) and len(seen) == count
