"""Recurrent layers with one bias each, their states in the open, and dropout on the output of every layer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

State = tuple[Tensor, ...]
"""Of one layer: (hidden, cell) of an LSTM, (hidden,) of a GRU; each [batch, width]."""


@dataclass(frozen=True, slots=True)
class Recurrent:
    """What recurrent layers give: the outputs of all steps, and the state of every layer after the last of them."""

    outputs: Float[Tensor, "batch time width"]
    state: tuple[State, ...]


class LSTMLayer(nn.Module):
    """A long short-term memory (Hochreiter & Schmidhuber 1997) whose forget gate has 1 added (Jozefowicz et al. 2015).

    Args:
        inputs, width: channels in and out.
    """

    forget: Tensor

    def __init__(self, *, inputs: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.to_inner = nn.Linear(inputs, 4 * width)  # input gate, forget gate, candidate, output gate
        self.recur = nn.Linear(width, 4 * width, bias=False)
        nn.init.zeros_(self.to_inner.bias)
        forget = torch.zeros(4 * width)
        forget[width : 2 * width] = 1.0
        self.register_buffer("forget", forget, persistent=False)

    def start(self, batch: int) -> State:
        """Zeros."""
        zero = self.to_inner.weight.new_zeros(batch, self.width)
        return zero, zero

    def forward(self, x: Float[Tensor, "batch time inputs"], state: State | None = None) -> tuple[Tensor, State]:
        """Outputs [batch, time, width], and the state after the last step."""
        hidden, cell = state or self.start(x.shape[0])
        weights = [self.to_inner.weight, self.recur.weight, self.to_inner.bias, self.forget]
        out, hidden, cell = torch.lstm(
            x, (hidden[None].contiguous(), cell[None].contiguous()), weights, True, 1, 0.0, self.training, False, True
        )
        return out, (hidden[0], cell[0])


class GRULayer(nn.Module):
    """A gated recurrent unit as first published (Cho et al. 2014): the reset gate acts before the product.

    Args:
        inputs, width: channels in and out.
    """

    def __init__(self, *, inputs: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.gates = nn.Linear(inputs + width, 2 * width)  # reset, update
        self.candidate = nn.Linear(inputs + width, width)
        nn.init.ones_(self.gates.bias)
        nn.init.zeros_(self.candidate.bias)

    def start(self, batch: int) -> State:
        """Zeros."""
        return (self.gates.weight.new_zeros(batch, self.width),)

    def forward(self, x: Float[Tensor, "batch time inputs"], state: State | None = None) -> tuple[Tensor, State]:
        """Outputs [batch, time, width], and the state after the last step."""
        (hidden,) = state or self.start(x.shape[0])
        outputs = []
        for step in x.unbind(1):
            reset, update = self.gates(torch.cat([step, hidden], -1)).sigmoid().chunk(2, -1)
            fresh = self.candidate(torch.cat([step, reset * hidden], -1)).tanh()
            hidden = update * hidden + (1 - update) * fresh
            outputs.append(hidden)
        return torch.stack(outputs, 1), (hidden,)


def recurrent_layer(kind: str, *, inputs: int, width: int) -> LSTMLayer | GRULayer:
    """A layer called "lstm" or "gru".

    Raises:
        ValueError: it is unknown.
    """
    kinds = {"lstm": LSTMLayer, "gru": GRULayer}
    if kind not in kinds:
        raise ValueError(f"recurrent layers are lstm or gru, not {kind!r}")
    return kinds[kind](inputs=inputs, width=width)


class RecurrentStack(nn.Module):
    """Layers one upon another, with dropout on the output of each, the last included.

    Args:
        layers: from the input up; each takes (x, state) and gives (outputs, state).
        dropout: in training.
    """

    def __init__(self, layers: list[nn.Module], *, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.dropout = nn.Dropout(dropout)

    @classmethod
    def of(cls, kind: str, *, inputs: int, width: int, num_layers: int, dropout: float = 0.0) -> RecurrentStack:
        """`num_layers` layers of one kind and width."""
        sizes = [inputs] + [width] * (num_layers - 1)
        return cls([recurrent_layer(kind, inputs=size, width=width) for size in sizes], dropout=dropout)

    def forward(self, x: Float[Tensor, "batch time inputs"], state: tuple[State, ...] | None = None) -> Recurrent:
        """Runs all layers, from zeros or from the `state` of an earlier run."""
        after = []
        for number, layer in enumerate(self.layers):
            x, last = layer(x, None if state is None else state[number])
            x = self.dropout(x)
            after.append(last)
        return Recurrent(x, tuple(after))
