"""The network of CM-HRNN (Guo, Makris & Herremans 2021, arXiv 2102.09794, section IV): recurrent tiers that end in a
head for each field of an event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor, nn

from orchestrion.nn.hierarchical_rnn import HierarchicalRNN


@dataclass(frozen=True, slots=True)
class EventLogits:
    """Of each event predicted: whether it opens a bar, its duration, its note."""

    bar: Float[Tensor, "batch events bars"]
    duration: Float[Tensor, "batch events durations"]
    note: Float[Tensor, "batch events notes"]


class EventHeads(nn.Module):
    """From the lowest tier to the three fields; the bar flag is a linear function of the logits of the duration."""

    def __init__(self, *, inputs: int, bars: int, durations: int, notes: int) -> None:
        super().__init__()
        self.duration = nn.Sequential(nn.Linear(inputs, durations), nn.ReLU(), nn.Linear(durations, durations))
        self.bar = nn.Linear(durations, bars)
        self.note = nn.Sequential(nn.Linear(inputs, notes), nn.ReLU(), nn.Linear(notes, notes))
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, x: Float[Tensor, "batch events inputs"]) -> EventLogits:
        """Logits of the fields."""
        duration = self.duration(x)
        return EventLogits(self.bar(duration), duration, self.note(x))


class EventNetwork(HierarchicalRNN):
    """The tiers with the heads of the fields.

    Args:
        bars, durations, notes: classes of the fields.
        tiers: see `HierarchicalRNN`.
    """

    def __init__(self, *, bars: int, durations: int, notes: int, width: int, elapsed: int, **tiers: Any) -> None:
        super().__init__(width=width, elapsed=elapsed, **tiers)
        self.heads = EventHeads(inputs=width + elapsed, bars=bars, durations=durations, notes=notes)

    def forward(
        self, x: Float[Tensor, "batch events inputs"], elapsed: Int[Tensor, "batch predicted"] | None = None
    ) -> EventLogits:
        """Logits of the events from `lead` on; of the flat network, of the event after each.

        Args:
            elapsed: class of the time that has passed of the bar before each event predicted.
        """
        return self.heads(self.hidden(x, elapsed))
