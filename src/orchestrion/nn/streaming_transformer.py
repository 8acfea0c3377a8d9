"""A transformer over time that can attend to a limited past and to a condition, and go on step by step, as AudioCraft's
does (Copet et al. 2023, arXiv 2306.05284)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from orchestrion.nn.attention import attend, merge_heads, split_heads
from orchestrion.nn.positions import apply_rotary

POSITIONS = ("sin", "rope", "sin_rope", "none")
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu, "relu": functional.relu, "silu": functional.silu
}  # fmt: skip
XPOS_SMOOTHING, XPOS_STEPS = 0.4, 512  # how fast xPos' channels decay


@dataclass(slots=True)
class StreamingState:
    """Where a transformer that goes on step by step stands.

    Attributes:
        offset: steps done.
        keys, values: of each layer, those that may still be attended to.
    """

    offset: int = 0
    keys: list[Tensor | None] = field(default_factory=list)
    values: list[Tensor | None] = field(default_factory=list)


def half_sinusoids(
    positions: Float[Tensor, " time"], width: int, *, period: float = 10000.0
) -> Float[Tensor, "time width"]:
    """Cosines, then sines, at rates from 1 to 1/period, both included."""
    half = width // 2
    rates = period ** (-torch.arange(half, device=positions.device, dtype=positions.dtype) / max(half - 1, 1))
    angles = positions[:, None] * rates
    return torch.cat([angles.cos(), angles.sin()], -1)


class PackedAttention(nn.Module):
    """Attention whose queries, keys and values come from one packed projection.

    Args:
        width: channels.
        heads: of queries.
        repeat: so many heads of queries share one of keys and values.
        bias: whether projections have one.
        norm: layer norms of queries and keys over the whole width, before the split into heads.
        dropout: on the attention weights, in training.
    """

    def __init__(
        self, *, width: int, heads: int, repeat: int = 1, bias: bool = True, norm: bool = False, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if width % heads or heads % repeat:
            raise ValueError(f"{heads} heads must divide a width of {width}, and {repeat} must divide the heads")
        self.heads, self.repeat, self.dropout = heads, repeat, dropout
        inner = width // repeat
        self.sizes = (width, inner, inner)
        self.in_proj_weight = nn.Parameter(torch.empty(sum(self.sizes), width))
        self.in_proj_bias = nn.Parameter(torch.zeros(sum(self.sizes))) if bias else None
        self.out_proj = nn.Linear(width, width, bias=bias)
        self.q_norm = nn.LayerNorm(width) if norm else nn.Identity()
        self.k_norm = nn.LayerNorm(inner) if norm else nn.Identity()
        nn.init.xavier_uniform_(self.in_proj_weight)

    def project(
        self, x: Float[Tensor, "batch time width"], source: Float[Tensor, "batch memory width"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries of x, keys and values of the source, by heads."""
        if x is source:
            q, k, v = functional.linear(x, self.in_proj_weight, self.in_proj_bias).split(self.sizes, -1)
        else:
            width = self.sizes[0]
            bias = (None, None) if self.in_proj_bias is None else (self.in_proj_bias[:width], self.in_proj_bias[width:])
            q = functional.linear(x, self.in_proj_weight[:width], bias[0])
            k, v = functional.linear(source, self.in_proj_weight[width:], bias[1]).chunk(2, -1)
        few = self.heads // self.repeat
        return split_heads(self.q_norm(q), self.heads), split_heads(self.k_norm(k), few), split_heads(v, few)

    def mix(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Float[Tensor, "batch time width"]:
        """Attends and projects back; `mask` is True where it may look."""
        if self.repeat > 1:
            k, v = k.repeat_interleave(self.repeat, 1), v.repeat_interleave(self.repeat, 1)
        return self.out_proj(merge_heads(attend(q, k, v, mask=mask, dropout=self.dropout if self.training else 0.0)))


class _Scale(nn.Module):
    """A learned gain a channel."""

    def __init__(self, width: int, start: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((width,), start))

    def forward(self, x: Float[Tensor, "batch time width"]) -> Float[Tensor, "batch time width"]:
        return x * self.scale


class StreamingLayer(nn.Module):
    """Self-attention, attention to a condition, and two linear layers, each with norm, gain and residual.

    Args:
        As of `StreamingTransformer`.
    """

    def __init__(
        self,
        *,
        width: int,
        heads: int,
        hidden: int,
        repeat: int,
        attention_bias: bool,
        linear_bias: bool,
        cross: bool,
        norm_first: bool,
        norm_queries: bool,
        norm_cross_queries: bool,
        layer_scale: float | None,
        activation: str,
        dropout: float,
        attention_dropout: float,
    ) -> None:
        super().__init__()

        def scale() -> nn.Module:
            return nn.Identity() if layer_scale is None else _Scale(width, layer_scale)

        self.norm_first, self.activation = norm_first, ACTIVATIONS[activation]
        self.self_attention = PackedAttention(
            width=width, heads=heads, repeat=repeat, bias=attention_bias, norm=norm_queries, dropout=attention_dropout
        )
        self.linear1 = nn.Linear(width, hidden, bias=linear_bias)
        self.linear2 = nn.Linear(hidden, width, bias=linear_bias)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.scale1, self.scale2 = scale(), scale()
        self.dropout = nn.Dropout(dropout)
        self.cross_attention = (
            PackedAttention(
                width=width, heads=heads, bias=attention_bias, norm=norm_cross_queries, dropout=attention_dropout
            )
            if cross
            else None
        )
        self.norm_cross = nn.LayerNorm(width) if cross else nn.Identity()
        self.scale_cross = scale() if cross else nn.Identity()

    def _add(
        self, x: Tensor, norm: nn.Module, scale: nn.Module, body: Callable[[Tensor], Tensor]
    ) -> Float[Tensor, "batch time width"]:
        if self.norm_first:
            return x + scale(self.dropout(body(norm(x))))
        return norm(x + scale(self.dropout(body(x))))

    def forward(
        self,
        x: Float[Tensor, "batch time width"],
        attend_to_past: Callable[[PackedAttention, Tensor], Tensor],
        memory: Float[Tensor, "batch memory width"] | None,
        mask: Bool[Tensor, "batch 1 1 memory"] | None,
    ) -> Float[Tensor, "batch time width"]:
        entered = x
        x = self._add(x, self.norm1, self.scale1, lambda h: attend_to_past(self.self_attention, h))
        cross = self.cross_attention
        if cross is not None:
            if memory is None:
                raise ValueError("this transformer attends to a condition; give one")

            def attend(h: Tensor) -> Tensor:
                asking = h if self.norm_first else entered  # as AudioCraft does
                return cross.mix(*cross.project(asking, memory), mask)

            x = self._add(x, self.norm_cross, self.scale_cross, attend)
        inner = self.activation
        return self._add(x, self.norm2, self.scale2, lambda h: self.linear2(self.dropout(inner(self.linear1(h)))))


class StreamingTransformer(nn.Module):
    """Layers over time, with or without a limited past, positions and a condition. No norm at the end.

    Args:
        width, heads, hidden, layers: sizes.
        causal: no step looks at later ones.
        past: how many earlier steps a step looks at; all by default.
        repeat: so many heads of queries share one of keys and values.
        positions: "sin" adds sinusoids, "rope" rotates queries and keys, "sin_rope" does both, "none".
        period, position_scale: of the positions; rotations are mixed with none at all, (1 − scale) of it.
        xpos: rotated queries decay over time and rotated keys grow, so that distant ones count less (Sun et al. 2022,
            arXiv 2212.10554).
        cross: whether layers attend to a condition.
        attention_bias, linear_bias: of the projections.
        norm_first: norms before each part instead of after it, where the layer's input is what attends to the
            condition.
        norm_queries, norm_cross_queries: layer norms of queries and keys.
        layer_scale: gains at the start; None: no gains.
        activation: "gelu", "relu" or "silu".
        dropout, attention_dropout: in training.
    """

    rates: Tensor

    def __init__(
        self,
        *,
        width: int,
        heads: int,
        hidden: int,
        layers: int,
        causal: bool = True,
        past: int | None = None,
        repeat: int = 1,
        positions: str = "sin",
        period: float = 10000.0,
        position_scale: float = 1.0,
        xpos: bool = False,
        cross: bool = False,
        attention_bias: bool = True,
        linear_bias: bool = True,
        norm_first: bool = True,
        norm_queries: bool = False,
        norm_cross_queries: bool = False,
        layer_scale: float | None = None,
        activation: str = "gelu",
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if positions not in POSITIONS or activation not in ACTIVATIONS:
            raise ValueError(
                f"unknown positions {positions!r} or activation {activation!r}; "
                f"take one of {', '.join(POSITIONS)}, and of {', '.join(ACTIVATIONS)}"
            )
        self.width, self.causal, self.past, self.positions = width, causal, past, positions
        self.period, self.position_scale, self.xpos = period, position_scale, xpos
        half = torch.arange(0, width // heads, 2, dtype=torch.float32) / (width // heads)
        self.register_buffer("rates", period**-half, persistent=False)
        self.layers = nn.ModuleList(
            [
                StreamingLayer(
                    width=width,
                    heads=heads,
                    hidden=hidden,
                    repeat=repeat,
                    attention_bias=attention_bias,
                    linear_bias=linear_bias,
                    cross=cross,
                    norm_first=norm_first,
                    norm_queries=norm_queries,
                    norm_cross_queries=norm_cross_queries,
                    layer_scale=layer_scale,
                    activation=activation,
                    dropout=dropout,
                    attention_dropout=attention_dropout,
                )
                for _ in range(layers)
            ]
        )

    def forward(
        self,
        x: Float[Tensor, "batch time width"],
        memory: Float[Tensor, "batch memory width"] | None = None,
        *,
        mask: Bool[Tensor, "batch memory"] | None = None,
        state: StreamingState | None = None,
    ) -> Float[Tensor, "batch time width"]:
        """Args:
        memory: the condition; `mask` is True where it is real.
        state: of the steps before x, which is brought up to date; only for causal transformers.

        Raises:
            ValueError: a state was given to a transformer that looks ahead.
        """
        if state is not None and not self.causal:
            raise ValueError("a transformer that looks ahead cannot go on step by step")
        start = 0 if state is None else state.offset
        steps = torch.arange(start, start + x.shape[1], device=x.device, dtype=torch.float32)
        if self.positions in ("sin", "sin_rope"):
            x = x + (self.position_scale * half_sinusoids(steps, self.width, period=self.period)).to(x)
        rotary = self._rotations(steps, x) if self.positions in ("rope", "sin_rope") else None
        real = None if mask is None else mask[:, None, None]
        for number, layer in enumerate(self.layers):

            def attend_to_past(attention: PackedAttention, h: Tensor, number: int = number) -> Tensor:
                q, k, v = attention.project(h, h)
                if rotary is not None:
                    q, k = apply_rotary(q, rotary[0]), apply_rotary(k, rotary[1])
                if state is not None:
                    k, v = self._remember(state, number, k, v)
                return attention.mix(q, k, v, self._visible(q.shape[2], k.shape[2], h.device))

            x = layer(x, attend_to_past, memory, real)
        if state is not None:
            state.offset += len(steps)
        return x

    def _rotations(
        self, steps: Float[Tensor, " time"], like: Tensor
    ) -> tuple[Float[Tensor, "2 time half"], Float[Tensor, "2 time half"]]:
        """Tables of `apply_rotary` for queries and for keys."""
        angles, half = steps[:, None] * self.rates, len(self.rates)
        turned, still = torch.stack([angles.sin(), angles.cos()]), torch.tensor([0.0, 1.0]).to(steps)[:, None, None]

        def mixed(decay: Tensor | float) -> Tensor:
            return (self.position_scale * decay * turned + (1 - self.position_scale) * still).to(like)

        if not self.xpos:
            table = mixed(1.0)
            return table, table
        shares = (torch.arange(half).to(steps) / half + XPOS_SMOOTHING) / (1 + XPOS_SMOOTHING)
        decay = shares ** (steps[:, None] / XPOS_STEPS)
        return mixed(decay), mixed(1 / decay)

    def _remember(self, state: StreamingState, number: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values with those before; the ones that no later step can see are forgotten."""
        if number == len(state.keys):
            state.keys.append(None)
            state.values.append(None)
        before_k, before_v = state.keys[number], state.values[number]
        if before_k is not None and before_v is not None:
            k, v = torch.cat([before_k, k], 2), torch.cat([before_v, v], 2)
        kept = k.shape[2] if self.past is None else min(self.past, k.shape[2])
        state.keys[number], state.values[number] = k[:, :, k.shape[2] - kept :], v[:, :, k.shape[2] - kept :]
        return k, v

    def _visible(self, queries: int, keys: int, device: torch.device) -> Bool[Tensor, "queries keys"] | None:
        """Which keys, the last of which is at the last query, each query may see."""
        if not self.causal or (queries == 1 and self.past is None):
            return None
        behind = torch.arange(keys - queries, keys, device=device)[:, None] - torch.arange(keys, device=device)
        return (behind >= 0) if self.past is None else (behind >= 0) & (behind <= self.past)
