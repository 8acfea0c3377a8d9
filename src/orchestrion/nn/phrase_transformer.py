"""Tokens that see their phrases' skeleton notes: the network of Small Tunes Transformer (Lv et al. 2024, arXiv
2410.08626). Attention by phrases is the paper's; all else is reconstructed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from orchestrion.nn.cache import KeyValueCache
from orchestrion.nn.encoder import Encoder
from orchestrion.nn.phrase_attention import PhraseDecoderLayer
from orchestrion.nn.positions import rotary_table
from orchestrion.representations.phrase_batches import Skeleton, Steps
from orchestrion.representations.phrase_notes import BARS_LEFT, LONGEST, PHRASES, PITCHES, POSITIONS


class PhraseTransformer(nn.Module):
    """An encoder of skeleton notes and a decoder of tokens with attention by phrases.

    Args:
        width, num_heads, encoder_layers, decoder_layers, feed_forward, dropout: sizes.
        cross: kind of attention, see `PhraseCrossAttention`.
        max_length: most tokens and skeleton notes.
    """

    rotary: Tensor

    def __init__(
        self,
        *,
        width: int,
        num_heads: int,
        encoder_layers: int,
        decoder_layers: int,
        feed_forward: int,
        dropout: float,
        cross: str,
        max_length: int,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.pitch = nn.Embedding(PITCHES + 1, width)
        self.length = nn.Embedding(LONGEST + 1, width)
        self.position = nn.Embedding(POSITIONS, width)
        self.bar_in_phrase = nn.Embedding(BARS_LEFT, width)
        self.bars_left = nn.Embedding(BARS_LEFT + 1, width)
        self.phrase = nn.Embedding(PHRASES, width)
        self.metre = nn.Embedding(POSITIONS + 1, width)
        self.dropout = nn.Dropout(dropout)
        self.encoder = Encoder(
            width=width,
            num_layers=encoder_layers,
            num_heads=num_heads,
            feed_forward=feed_forward,
            max_length=max_length,
            dropout=dropout,
        )
        self.layers = nn.ModuleList(
            PhraseDecoderLayer(
                width=width,
                num_heads=num_heads,
                feed_forward=feed_forward,
                kind=cross,
                dropout=dropout,
                most_phrases=PHRASES,
            )
            for _ in range(decoder_layers)
        )
        self.norm = nn.LayerNorm(width)
        self.heads = nn.ModuleDict(
            {"pitch": nn.Linear(width, PITCHES), "length": nn.Linear(width, LONGEST), "end": nn.Linear(width, 2)}
        )
        self.register_buffer("rotary", rotary_table(max_length, width // num_heads), persistent=False)
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.3)

    def encode(self, skeleton: Skeleton) -> Tensor:
        """Memory [batch, entries, width]."""
        pitch, length, position, bar = skeleton.fields.unbind(-1)
        x = self.pitch(pitch + 1) + self.length(length + 1) + self.position(position)
        x = x + self.bar_in_phrase(bar) + self.phrase(skeleton.phrase)
        own = torch.eye(skeleton.mask.shape[1], dtype=torch.bool, device=x.device)
        return self.encoder(self.dropout(x), skeleton.mask[:, None] | own)

    def decode(
        self, steps: Steps, memory: Tensor, skeleton: Skeleton, caches: list[KeyValueCache] | None = None
    ) -> dict[str, Tensor]:
        """Logits of pitch, length and phrase end at each step; with `caches`, of the steps after those in them."""
        position, bar, left = steps.place.unbind(-1)
        x = self.pitch(steps.last[..., 0] + 1) + self.length(steps.last[..., 1] + 1) + self.position(position)
        x = x + self.bar_in_phrase(bar) + self.bars_left(left + 1) + self.phrase(steps.phrase)
        x = self.dropout(x + self.metre(steps.bar.clamp(max=POSITIONS)))
        start = caches[0].length if caches else 0
        rotary = self.rotary[:, start : start + x.shape[1]]
        for number, layer in enumerate(self.layers):
            cache = caches[number] if caches else None
            x = layer(x, memory, steps.phrase, skeleton.phrase, skeleton.mask, rotary, cache)
        x = self.norm(x)
        return {name: head(x) for name, head in self.heads.items()}

    def empty_caches(self, capacity: int) -> list[KeyValueCache]:
        """Caches for one tune of `capacity` tokens."""
        like, width = self.norm.weight, self.norm.weight.shape[0] // self.num_heads
        return [KeyValueCache.empty(1, self.num_heads, capacity, width, like=like) for _ in self.layers]
