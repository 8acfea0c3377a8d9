"""Recurrent networks at several rates over one sequence, and how they are run one event at a time (Guo, Makris &
Herremans 2021, arXiv 2102.09794, section IV; after SampleRNN, Mehri et al. 2017)."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from orchestrion.nn.attention_rnn import AttentionRNNLayer
from orchestrion.nn.frame_tier import FrameTier
from orchestrion.nn.recurrent import RecurrentStack, State, recurrent_layer


class HierarchicalRNN(nn.Module):
    """Tiers over event rows, or a flat recurrent network as a baseline.

    Args:
        inputs: channels of a row.
        tiers: 3, 2, or 1 for the flat network.
        frame, big_frame: events read at once by the middle and the top tier.
        width, num_layers, kind, dropout: of the recurrent layers.
        elapsed: classes of the time that has passed of the bar; 0: it is not told.
        residual: whether the top tier's vectors are added to the middle tier's output too.
        embed_frames: whether the middle tier of two projects its frames first (the paper: only with three tiers).
        attention: whether the flat network attends to its last 2 · `frame` outputs.
    """

    def __init__(
        self,
        *,
        inputs: int,
        tiers: int,
        frame: int,
        big_frame: int,
        width: int,
        num_layers: int,
        kind: str,
        dropout: float,
        elapsed: int,
        residual: bool,
        embed_frames: bool,
        attention: bool,
    ) -> None:
        super().__init__()
        self.tiers, self.frame, self.big_frame, self.elapsed = tiers, frame, big_frame, elapsed
        layers: dict[str, Any] = {"kind": kind, "num_layers": num_layers, "dropout": dropout}
        if tiers == 1:
            first = (
                AttentionRNNLayer(kind=kind, inputs=inputs, width=width, memory=2 * frame)
                if attention
                else recurrent_layer(kind, inputs=inputs, width=width)
            )
            others = [recurrent_layer(kind, inputs=width, width=width) for _ in range(num_layers - 1)]
            self.flat = RecurrentStack([first, *others], dropout=dropout)
        else:
            if tiers == 3:
                self.top = FrameTier(inputs=inputs, width=width, frame=big_frame, spread=big_frame // frame, **layers)
            self.middle = FrameTier(
                inputs=inputs,
                width=width,
                frame=frame,
                spread=frame,
                embed=tiers == 3 or embed_frames,
                residual=residual,
                **layers,
            )
            self.events = nn.Conv1d(inputs, width, frame, bias=False)
            nn.init.xavier_uniform_(self.events.weight)

    @property
    def lead(self) -> int:
        """Events that must come before the first that is predicted."""
        return {1: 1, 2: self.frame, 3: self.big_frame}[self.tiers]

    def hidden(
        self, x: Float[Tensor, "batch events inputs"], elapsed: Int[Tensor, "batch predicted"] | None = None
    ) -> Float[Tensor, "batch predicted hidden"]:
        """What is made of the events before each from `lead` on; of the flat network, up to each.

        Args:
            elapsed: class of the time that has passed of the bar before each event predicted.
        """
        if self.tiers == 1:
            return self.flat(x).outputs
        lead, frame = self.lead, self.frame
        above = self.top(x[:, :-lead]).vectors if self.tiers == 3 else None
        vectors = self.middle(x[:, lead - frame : -frame], above).vectors
        return self.lowest(x[:, lead - frame : -1], vectors, elapsed)

    def lowest(
        self,
        x: Float[Tensor, "batch events inputs"],
        vectors: Float[Tensor, "batch predicted width"],
        elapsed: Int[Tensor, "batch predicted"] | None,
    ) -> Float[Tensor, "batch predicted hidden"]:
        """What the lowest tier makes of the `frame` events before each that is predicted."""
        hidden = self.events(x.transpose(1, 2)).transpose(1, 2) + vectors
        if not self.elapsed:
            return hidden
        if elapsed is None:
            raise ValueError("this network must be told how much of the bar has passed")
        return torch.cat([hidden, functional.one_hot(elapsed, self.elapsed).to(hidden.dtype)], -1)


class TierStepper:
    """The network one event at a time: the slow tiers run when their frames are full."""

    def __init__(self, network: HierarchicalRNN) -> None:
        self.network = network
        self.states: dict[str, tuple[State, ...] | None] = {"flat": None, "top": None, "middle": None}
        self.vectors: dict[str, Tensor] = {}
        self.fed = 0

    def __call__(self, rows: Float[Tensor, "batch events inputs"], elapsed: int) -> Float[Tensor, "batch 1 hidden"]:
        """What is made of `rows`, which are those of the last call with one more.

        Args:
            elapsed: class of the time that has passed of the bar.
        """
        net, now = self.network, rows.shape[1]
        if net.tiers == 1:
            run = net.flat(rows[:, self.fed :], self.states["flat"])
            self.states["flat"], self.fed = run.state, now
            return run.outputs[:, -1:]
        if net.tiers == 3 and now % net.big_frame == 0:
            self._run("top", net.top, rows[:, now - net.big_frame :], None)
        if now % net.frame == 0:
            place = now // net.frame % (net.big_frame // net.frame)
            above = self.vectors["top"][:, place : place + 1] if net.tiers == 3 else None
            self._run("middle", net.middle, rows[:, now - net.frame :], above)
        place = now % net.frame
        passed = torch.full((rows.shape[0], 1), elapsed, device=rows.device) if net.elapsed else None
        vectors = self.vectors["middle"][:, place : place + 1]
        return net.lowest(rows[:, now - net.frame :], vectors, passed)

    def _run(self, name: str, tier: FrameTier, rows: Tensor, above: Tensor | None) -> None:
        made = tier(rows, above, self.states[name])
        self.vectors[name], self.states[name] = made.vectors, made.state
