"""Theme Transformer's network (Shih et al. 2023, arXiv 2111.04093, section IV): an encoder of the theme, and a decoder
whose attention to it is gated."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from orchestrion.nn.cache import LayerCache
from orchestrion.nn.encoder import Encoder
from orchestrion.nn.gated_decoder import GatedDecoder
from orchestrion.nn.packed_linear import Linear
from orchestrion.nn.positions import sinusoidal_table


class ThemeNetwork(nn.Module):
    """Theme and music so far → logits of the next token.

    Args:
        vocabulary_size, width, num_heads, feed_forward, dropout: sizes.
        num_encoder_layers: of the theme's encoder; 0 where the theme is a prompt.
        gate_pattern: of each decoder layer, whether its self-attention is closed inside theme regions.
        attention, gated, theme_positions: see `nn.gated_decoder`.
        encoder_offset: position of the theme's first token.
        max_length: longest sequence.
    """

    theme_table: Tensor

    def __init__(
        self,
        *,
        vocabulary_size: int,
        width: int,
        num_heads: int,
        feed_forward: int,
        num_encoder_layers: int,
        gate_pattern: Sequence[bool | int],
        attention: str,
        gated: bool,
        theme_positions: bool,
        dropout: float,
        encoder_offset: float,
        max_length: int = 5000,
    ) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary_size, width, padding_idx=0)
        if attention == "self":
            self.encoder = self.encoder_norm = None
        else:
            self.encoder = Encoder(
                width=width,
                num_layers=num_encoder_layers,
                num_heads=num_heads,
                feed_forward=feed_forward,
                max_length=max_length,
                dropout=dropout,
                rotary=False,
                norm_eps=1e-5,
            )
            self.encoder_norm = nn.LayerNorm(width)
        self.decoder = GatedDecoder(
            width=width,
            num_heads=num_heads,
            feed_forward=feed_forward,
            pattern=gate_pattern,
            attention=attention,
            gated=gated,
            theme_positions=theme_positions,
            dropout=dropout,
            max_length=max_length,
        )
        self.head = Linear(width, vocabulary_size)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("theme_table", sinusoidal_table(max_length, width, start=encoder_offset), persistent=False)
        for part in (self.encoder, self.decoder):
            for parameter in part.parameters() if part is not None else ():
                if parameter.ndim > 1:
                    nn.init.xavier_uniform_(parameter)

    def read(
        self, theme: Int[Tensor, "batch theme"], real: Bool[Tensor, "batch theme"] | None = None
    ) -> Float[Tensor, "batch theme width"] | None:
        """The theme encoded; None where it is a prompt. `real` is False at padding."""
        if self.encoder is None or self.encoder_norm is None:
            return None
        x = self.dropout(self.tokens(theme) + self.theme_table[: theme.shape[1]])
        mask = None if real is None else real[:, None, :].expand(-1, theme.shape[1], -1)
        return self.encoder_norm(self.encoder(x, mask))

    def forward(
        self,
        tokens: Int[Tensor, "batch time"],
        labels: Int[Tensor, "batch time"],
        memory: Float[Tensor, "batch theme width"] | None,
        memory_mask: Bool[Tensor, "batch theme"] | None = None,
    ) -> Float[Tensor, "batch time classes"]:
        """Logits after each step. `labels` count the tokens since the theme began, see `theme_remi.theme_labels`."""
        return self.head(self.decoder(self.tokens(tokens), labels, memory, memory_mask))

    def step(
        self, tokens: Int[Tensor, "batch new"], labels: Int[Tensor, "batch new"], caches: list[LayerCache]
    ) -> Float[Tensor, "batch classes"]:
        """Logits after the newest tokens; `caches` (from `decoder.start`) hold what came before."""
        return self.head(self.decoder(self.tokens(tokens), labels, caches=caches)[:, -1])
