"""Encoders of text: published ones, frozen, and a small one over words that is trained with its system."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from orchestrion.errors import WeightsError
from orchestrion.nn.encoder import Encoder
from orchestrion.representations.words import PAD, WordVocabulary

LONGEST = 160  # words of a caption that are read; the released captions have at most about 120


class WordText(nn.Module):
    """Words → a bidirectional encoder with rotary positions.

    Args:
        words: the vocabulary, without padding and unknown.
        width, num_layers, dropout: of the encoder; heads are 32 channels wide.
    """

    def __init__(self, words: Sequence[str], *, width: int, num_layers: int = 2, dropout: float = 0.1) -> None:
        super().__init__()
        self.vocabulary = WordVocabulary(words)
        self.embedding = nn.Embedding(len(self.vocabulary), width, padding_idx=PAD)
        self.dropout = nn.Dropout(dropout)
        self.encoder = Encoder(
            width=width,
            num_layers=num_layers,
            num_heads=max(width // 32, 1),
            feed_forward=4 * width,
            max_length=LONGEST,
            dropout=dropout,
            norm_eps=1e-5,
        )

    def forward(self, texts: Sequence[str]) -> tuple[Float[Tensor, "batch words width"], Bool[Tensor, "batch words"]]:
        """Encoded words, and where they are real."""
        rows = [self.vocabulary.encode(text, at_most=LONGEST) for text in texts]
        ids = torch.full((len(rows), max(map(len, rows))), PAD, device=self.embedding.weight.device)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = torch.tensor(row)
        mask = ids != PAD
        pairs = mask[:, None, :].expand(-1, ids.shape[1], -1)
        return self.encoder(self.dropout(self.embedding(ids)), pairs), mask


class T5Text(nn.Module):
    """The encoder of a T5, frozen, as used by Text2midi, MusicGen and many others. Its tokenizer is fetched on first
    use.

    Args:
        name: of the checkpoint, for its tokenizer.
        width, feed_forward, num_layers, num_heads, head_dim, vocabulary_size: sizes; the defaults are FLAN-T5-base's.
    """

    def __init__(
        self,
        name: str = "google/flan-t5-base",
        *,
        width: int = 768,
        feed_forward: int = 2048,
        num_layers: int = 12,
        num_heads: int = 12,
        head_dim: int = 64,
        vocabulary_size: int = 32128,
    ) -> None:
        super().__init__()
        from transformers import T5Config, T5EncoderModel

        self.name = name
        config = T5Config(
            d_model=width,
            d_kv=head_dim,
            d_ff=feed_forward,
            num_layers=num_layers,
            num_heads=num_heads,
            feed_forward_proj="gated-gelu",
            vocab_size=vocabulary_size,
        )
        self.model = T5EncoderModel(config).requires_grad_(False)
        self._tokenizer = None

    def train(self, mode: bool = True) -> T5Text:
        """Stays in evaluation mode: it is frozen."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, texts: Sequence[str]) -> tuple[Float[Tensor, "batch pieces width"], Bool[Tensor, "batch pieces"]]:
        """Encoded text, and where it is real.

        Raises:
            WeightsError: the tokenizer is not on this machine and cannot be fetched.
        """
        if self._tokenizer is None:
            self._tokenizer = fetch_tokenizer(self.name)
        device = next(self.model.parameters()).device
        held = self._tokenizer(list(texts), return_tensors="pt", padding=True, truncation=True).to(device)
        out = self.model(input_ids=held.input_ids, attention_mask=held.attention_mask).last_hidden_state
        return out, held.attention_mask.bool()


def fetch_tokenizer(name: str) -> Any:
    """The tokenizer of a checkpoint on the hub, from the hub's own cache if it is there.

    Raises:
        WeightsError: it is not on this machine and cannot be fetched.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        reason = f"The tokenizer of {name} is not here and cannot be fetched"
        raise WeightsError(f"{reason}; connect to the network once, or use a system with weights that ship.") from error
