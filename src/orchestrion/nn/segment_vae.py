"""Recurrent parts of autoencoders of short music: sequence to Gaussian, latent to symbols, latent to events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from orchestrion.nn.derived import Derived
from orchestrion.nn.mixture_prior import Gaussian
from orchestrion.nn.packed_linear import few_rows, packs, turned
from orchestrion.nn.planar_convolution import plainly

SEVERAL = 3  # items from which products with packed or turned weights are the faster ones on a CPU


class SequenceEncoder(nn.Module):
    """A bidirectional GRU that reads symbols as one-hot vectors, and whose last states give a Gaussian; exp of the
    second projection is its standard deviation.

    Args:
        inputs: symbols, and numbers that stand beside each.
        hidden: of each direction.
        latent: dimensions.
    """

    def __init__(self, *, inputs: int, hidden: int, latent: int) -> None:
        super().__init__()
        self.gru = nn.GRU(inputs, hidden, batch_first=True, bidirectional=True)
        self.mean = nn.Linear(2 * hidden, latent)
        self.log_scale = nn.Linear(2 * hidden, latent)
        self._own, self._tables, self._kept = Derived(), [Derived(), Derived()], [Derived(), Derived()]

    def forward(self, symbols: Int[Tensor, "batch time"], more: Float[Tensor, "batch more"] | None = None) -> Gaussian:
        """Of each item; padding is read like any step, as published.

        Args:
            more: numbers that stand beside every symbol.
        """
        width = 0 if more is None else more.shape[1]
        classes = self.gru.input_size - width
        if not plainly(self.mean.weight):
            x = functional.one_hot(symbols, classes).to(self.mean.weight.dtype)
            if more is not None:
                x = torch.cat([x, more[:, None].expand(-1, x.shape[1], -1)], -1)
            last = self.gru(x)[1].transpose(0, 1).flatten(1)
            return Gaussian(self.mean(last), self.log_scale(last).exp())
        given = []
        for (weight, _, bias, _), table in zip(self.gru.all_weights, self._tables, strict=True):
            looked_up = functional.embedding(symbols, table(weight, turned)[:classes]) + bias
            given.append(looked_up if more is None else looked_up + (more @ weight[:, classes:].t())[:, None])
        last = self._last(given[0], given[1].flip(1))
        return Gaussian(self.mean(last), self.log_scale(last).exp())

    def _last(
        self, onward: Float[Tensor, "batch time gates"], back: Float[Tensor, "batch time gates"]
    ) -> Float[Tensor, "batch two_hidden"]:
        """Last states of both directions from what the input adds to their gates."""
        (_, own, _, own_bias), (_, own_back, _, own_bias_back) = self.gru.all_weights
        steps = torch.stack([onward, back]).unbind(2)
        state = onward.new_zeros(2, len(onward), self.gru.hidden_size)
        if len(onward) >= SEVERAL and not packs():  # both directions side by side
            both = self._own.of([own, own_back], lambda: torch.stack([own.t(), own_back.t()]).contiguous())
            bias = torch.stack([own_bias, own_bias_back])[:, None]
            for step in steps:
                state = gru_step(step, torch.baddbmm(bias, state, both), state)
        else:
            products = _products((own, own_back), (own_bias, own_bias_back), self._kept, len(onward))
            for step in steps:
                added = torch.stack([product(one) for product, one in zip(products, state, strict=True)])
                state = gru_step(step, added, state)
        return state.transpose(0, 1).flatten(1)


class SymbolDecoder(nn.Module):
    """Says a sequence of symbols from a latent that is given at every step and at the start.

    Args:
        symbols: how many there are.
        latent: dimensions.
        hidden: of the GRU.
    """

    def __init__(self, *, symbols: int, latent: int, hidden: int) -> None:
        super().__init__()
        self.symbols = symbols
        self.start = nn.Linear(latent, hidden)
        self.gru = nn.GRU(symbols + latent, hidden, batch_first=True)
        self.out = nn.Linear(hidden, symbols)

    def forward(
        self,
        symbols: Int[Tensor, "batch time"],
        z: Float[Tensor, "batch latent"],
        *,
        shifted: bool = True,
    ) -> Float[Tensor, "batch time symbols"]:
        """Logits of each symbol from those before it.

        Args:
            shifted: False gives each step the very symbol that it must say (the published code).
        """
        given = functional.one_hot(symbols, self.symbols).to(z.dtype)
        if shifted:
            given = functional.pad(given, (0, 0, 1, 0))[:, :-1]
        x = torch.cat([given, z[:, None].expand(-1, symbols.shape[1], -1)], -1)
        return self.out(self.gru(x, self.start(z)[None])[0])


@dataclass(frozen=True, slots=True)
class Rollout:
    """What a decoder wrote by itself.

    Attributes:
        ids: [batch, steps].
        log_probs: [batch, steps, classes]; None where they were not asked for.
    """

    ids: Tensor
    log_probs: Tensor | None


class EventDecoder(nn.Module):
    """Two GRU cells that write events from a latent; the second begins with the first output of the first.

    The event before is given as a one-hot vector; before the first, the last class stands.

    Args:
        classes: of events.
        latent: dimensions of all that is given at every step.
        hidden: of the cells.
    """

    def __init__(self, *, classes: int, latent: int, hidden: int) -> None:
        super().__init__()
        self.classes = classes
        self.start = nn.Linear(latent, hidden)
        self.first = nn.GRU(classes + latent, hidden, batch_first=True)
        self.second = nn.GRU(hidden, hidden, batch_first=True)
        self.out = nn.Linear(hidden, classes)
        self._kept = [Derived() for _ in range(4)]

    def forward(
        self, events: Int[Tensor, "batch time"], z: Float[Tensor, "batch latent"]
    ) -> Float[Tensor, "batch time classes"]:
        """Logits of each event, given those before it."""
        before = functional.pad(events, (1, 0), value=self.classes - 1)[:, :-1]
        given = functional.one_hot(before, self.classes).to(z.dtype)
        x = torch.cat([given, z[:, None].expand(-1, events.shape[1], -1)], -1)
        below = self.first(x, self.start(z)[None])[0]
        return self.out(self.second(below, below[:, 0][None].contiguous())[0])

    @torch.no_grad()
    def roll_out(
        self,
        z: Float[Tensor, "batch latent"],
        *,
        steps: int,
        end: int | None = None,
        choose: Callable[[Tensor], Tensor] | None = None,
        keep_log_probs: bool = False,
    ) -> Rollout:
        """Events written one after another, `steps` of them or until all items have written `end`, without gradient.

        What z and the event add to the first cell is computed once and looked up, so that a step costs three products.
        Items that have ended are left out of the steps that follow, and are filled with 0.

        Args:
            choose: logits [items, classes] → ids; the most probable by default.
            keep_log_probs: whether to return the log-probabilities of every step; then no item ends early.
        """
        classes = self.classes
        first_in, first_own, first_in_bias, first_own_bias = self.first.all_weights[0]
        second_in, second_own, second_in_bias, second_own_bias = self.second.all_weights[0]
        from_first, into_second, from_second, out = _products(
            (first_own, second_in, second_own, self.out.weight),
            (first_own_bias, second_in_bias, second_own_bias, self.out.bias),
            self._kept,
            len(z) if plainly(z) else 1,
        )
        table = first_in[:, :classes].t().contiguous()
        fixed = functional.linear(z, first_in[:, classes:], first_in_bias)
        h1 = self.start(z)
        h2: Tensor | None = None
        event = torch.full((len(z),), classes - 1, device=z.device)
        ids = torch.zeros(len(z), steps, dtype=torch.long, device=z.device)
        rows = torch.arange(len(z), device=z.device)
        kept: list[Tensor] = []
        for step in range(steps):
            h1 = gru_step(table[event] + fixed, from_first(h1), h1)
            h2 = h1 if h2 is None else h2
            h2 = gru_step(into_second(h1), from_second(h2), h2)
            logits = out(h2)
            if keep_log_probs:
                kept.append(logits.log_softmax(-1))
            event = logits.argmax(-1) if choose is None else choose(logits)
            ids[rows, step] = event
            if end is not None and not keep_log_probs:
                going = event != end
                if not bool(going.all()):
                    if not bool(going.any()):
                        break
                    rows, event, fixed, h1, h2 = (x[going] for x in (rows, event, fixed, h1, h2))
        return Rollout(ids, torch.stack(kept, 1) if keep_log_probs else None)


def _products(
    weights: Sequence[Tensor], biases: Sequence[Tensor], kept: Sequence[Derived], rows: int
) -> list[Callable[[Tensor], Tensor]]:
    """What the steps of a loop multiply with, in the order that is read fastest for so many rows."""
    if rows < SEVERAL:
        return [
            partial(functional.linear, weight=weight, bias=bias) for weight, bias in zip(weights, biases, strict=True)
        ]
    return [few_rows(weight, bias, own) for weight, bias, own in zip(weights, biases, kept, strict=True)]


def gru_step(
    x: Float[Tensor, "*batch gates"], h: Float[Tensor, "*batch gates"], state: Float[Tensor, "*batch hidden"]
) -> Float[Tensor, "*batch hidden"]:
    """One step of torch's GRU from what input and state add to the gates."""
    width = state.shape[-1]
    x_gates, x_new = x.split([2 * width, width], -1)
    h_gates, h_new = h.split([2 * width, width], -1)
    reset, keep = (x_gates + h_gates).sigmoid_().chunk(2, -1)
    new = torch.addcmul(x_new, reset, h_new).tanh_()
    return torch.lerp(new, state, keep)
