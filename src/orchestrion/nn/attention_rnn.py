"""A recurrent layer that attends to its own last outputs (Bahdanau et al. 2015, as in Magenta's Attention RNN)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from orchestrion.nn.recurrent import State, recurrent_layer


class AttentionRNNLayer(nn.Module):
    """Mixes what it attended to last into its input, and what it attends to now into its output.

    Score of a past output h: v · tanh(W h + U s), s being the state of the cell; the first steps attend to zeros too.

    Args:
        kind: of the cell, "lstm" or "gru".
        inputs, width: channels in and out.
        memory: how many past outputs are attended to.
    """

    def __init__(self, *, kind: str, inputs: int, width: int, memory: int) -> None:
        super().__init__()
        self.width, self.memory = width, memory
        self.cell = recurrent_layer(kind, inputs=inputs, width=width)
        states = 2 if kind == "lstm" else 1
        self.mix_in = nn.Linear(inputs + width, inputs)
        self.key = nn.Linear(width, width, bias=False)
        self.query = nn.Linear(states * width, width)
        self.score = nn.Parameter(torch.randn(width) * width**-0.5)
        self.mix_out = nn.Linear(2 * width, width)

    def start(self, batch: int) -> State:
        """The state of the cell, what was attended to last, and the outputs that can be attended to."""
        zero = self.score.new_zeros(batch, self.width)
        return (*self.cell.start(batch), zero, self.score.new_zeros(batch, self.memory, self.width))

    def forward(self, x: Float[Tensor, "batch time inputs"], state: State | None = None) -> tuple[Tensor, State]:
        """Outputs [batch, time, width], and the state after the last step."""
        *inner, attended, past = state or self.start(x.shape[0])
        outputs = []
        for step in x.unbind(1):
            mixed = self.mix_in(torch.cat([step, attended], -1))
            out, cell_state = self.cell(mixed[:, None], tuple(inner))
            inner = list(cell_state)
            query = self.query(torch.cat(list(reversed(inner)), -1))  # cell, then hidden
            weight = ((self.key(past) + query[:, None]).tanh() @ self.score).softmax(-1)
            attended = (weight[:, None] @ past)[:, 0]
            made = self.mix_out(torch.cat([out[:, 0], attended], -1))
            past = torch.cat([past[:, 1:], made[:, None]], 1)
            outputs.append(made)
        return torch.stack(outputs, 1), (*inner, attended, past)
