"""A bidirectional transformer encoder with normalisation after each block, rotary positions and an optional band."""

from __future__ import annotations

from functools import partial

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from orchestrion.errors import OptionError
from orchestrion.nn.activations import add_in_place, gelu_in_place
from orchestrion.nn.attention import attend, merge_heads, split_heads
from orchestrion.nn.packed_linear import Linear
from orchestrion.nn.positions import apply_rotary, rotary_table

_ACTIVATIONS = {
    "gelu": gelu_in_place,
    "gelu_new": partial(functional.gelu, approximate="tanh"),
    "relu": functional.relu,
    "silu": functional.silu,
}


def band_mask(length: int, reach: int, device: torch.device | None = None) -> Bool[Tensor, "length length"]:
    """True where two steps are at most `reach` apart: what a step may attend to."""
    steps = torch.arange(length, device=device)
    return (steps[:, None] - steps[None, :]).abs() <= reach


class EncoderLayer(nn.Module):
    """Self-attention, then a perceptron, each with residual and LayerNorm after it (Vaswani et al. 2017; BERT).

    Args:
        width: channels; a multiple of `num_heads`.
        feed_forward: hidden channels of the perceptron.
        dropout: on attention weights and on both branches, in training.
        activation: of the perceptron: "gelu", "gelu_new" (by tanh), "relu" or "silu".
        rotary_values: whether values are rotated too.

    Raises:
        OptionError: there is no such activation.
    """

    def __init__(
        self,
        *,
        width: int,
        num_heads: int,
        feed_forward: int,
        dropout: float = 0.0,
        norm_eps: float = 1e-12,
        activation: str = "gelu",
        rotary_values: bool = False,
    ) -> None:
        super().__init__()
        if width % num_heads:
            raise ValueError(f"width {width} is not a multiple of {num_heads} heads")
        if activation not in _ACTIVATIONS:
            raise OptionError(f"There is no activation {activation!r} here; choose one of {', '.join(_ACTIVATIONS)}.")
        self.num_heads, self.activation, self.rotary_values = num_heads, _ACTIVATIONS[activation], rotary_values
        self.dropout = nn.Dropout(dropout)
        self.to_qkv = Linear(width, 3 * width)
        self.to_out = Linear(width, width)
        self.attention_norm = nn.LayerNorm(width, eps=norm_eps)
        self.expand = Linear(width, feed_forward)
        self.contract = Linear(feed_forward, width)
        self.output_norm = nn.LayerNorm(width, eps=norm_eps)

    def forward(
        self,
        x: Float[Tensor, "batch time width"],
        rotary: Float[Tensor, "2 time half"] | None = None,
        mask: Bool[Tensor, "*#batch time time"] | None = None,
    ) -> Float[Tensor, "batch time width"]:
        """`rotary` turns queries and keys, values only if asked to; `mask` is True where attention is allowed."""
        q, k, v = (split_heads(part, self.num_heads) for part in self.to_qkv(x).chunk(3, dim=-1))
        if rotary is not None:
            q, k = apply_rotary(q, rotary), apply_rotary(k, rotary)
            v = apply_rotary(v, rotary) if self.rotary_values else v
        if mask is not None and mask.ndim == 3:
            mask = mask[:, None]
        drop = self.dropout.p if self.training else 0.0
        attended = merge_heads(attend(q, k, v, mask=mask, dropout=drop))
        x = self.attention_norm(add_in_place(self.dropout(self.to_out(attended)), x))
        return self.output_norm(add_in_place(self.dropout(self.contract(self.activation(self.expand(x)))), x))


class Encoder(nn.Module):
    """RoFormer (Su et al. 2021): `num_layers` bidirectional layers whose attention knows only distances.

    Args:
        width: channels in and out.
        num_layers, num_heads, feed_forward: sizes of the layers.
        max_length: longest sequence.
        dropout: in training.
        rotary: whether queries and keys are rotated; without, the encoder does not know the order of steps.
        norm_eps, activation, rotary_values: of the layers.
    """

    rotary: Tensor | None

    def __init__(
        self,
        *,
        width: int,
        num_layers: int,
        num_heads: int,
        feed_forward: int,
        max_length: int,
        dropout: float = 0.0,
        rotary: bool = True,
        norm_eps: float = 1e-12,
        activation: str = "gelu",
        rotary_values: bool = False,
    ) -> None:
        super().__init__()
        if rotary and (width // num_heads) % 2:
            raise ValueError(f"width {width} over {num_heads} heads does not give an even head width")
        self.max_length = max_length
        self.layers = nn.ModuleList(
            EncoderLayer(
                width=width,
                num_heads=num_heads,
                feed_forward=feed_forward,
                dropout=dropout,
                norm_eps=norm_eps,
                activation=activation,
                rotary_values=rotary_values,
            )
            for _ in range(num_layers)
        )
        table = rotary_table(max_length, width // num_heads) if rotary else None
        self.register_buffer("rotary", table, persistent=False)

    def forward(
        self, x: Float[Tensor, "batch time width"], mask: Bool[Tensor, "*#batch time time"] | None = None
    ) -> Float[Tensor, "batch time width"]:
        """Encodes at most `max_length` steps.

        Raises:
            ValueError: there are more.
        """
        length = x.shape[1]
        if length > self.max_length:
            raise ValueError(f"{length} steps are more than the {self.max_length} that the encoder was made for")
        rotary = self.rotary[:, :length] if self.rotary is not None else None
        for layer in self.layers:
            x = layer(x, rotary, mask)
        return x
