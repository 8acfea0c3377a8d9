"""BERT (Devlin et al. 2019) as encoder, as causal decoder with a memory, as both together, and as classifier."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from orchestrion.nn.cache import LayerCache
from orchestrion.nn.decoder import Decoder, DecoderLayer
from orchestrion.nn.encoder import Encoder
from orchestrion.nn.packed_linear import Linear

NORM_EPS = 1e-12
PAD = 0


class BertEmbedding(nn.Module):
    """Tokens, learned positions and the one token type in use, normalised.

    Args:
        vocabulary_size, width, max_length, dropout: sizes.
    """

    def __init__(self, *, vocabulary_size: int, width: int, max_length: int, dropout: float) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary_size, width, padding_idx=PAD)
        self.positions = nn.Embedding(max_length, width)
        self.types = nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.dropout = nn.Dropout(dropout)
        for table in (self.tokens, self.positions, self.types):
            nn.init.normal_(table.weight, std=0.02)

    def forward(self, ids: Int[Tensor, "batch time"], start: int = 0) -> Float[Tensor, "batch time width"]:
        """`start` is the position of the first token."""
        places = self.positions.weight[start : start + ids.shape[1]]
        return self.dropout(self.norm(self.tokens(ids) + places + self.types.weight[0]))


class BertEncoder(nn.Module):
    """Tokens → hidden states, and through the pooler a vector of the first one.

    Args:
        vocabulary_size, width, num_layers, num_heads, feed_forward, max_length, dropout: sizes.
    """

    def __init__(
        self,
        *,
        vocabulary_size: int,
        width: int,
        num_layers: int,
        num_heads: int,
        feed_forward: int,
        max_length: int,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.embedding = BertEmbedding(
            vocabulary_size=vocabulary_size, width=width, max_length=max_length, dropout=dropout
        )
        self.encoder = Encoder(
            width=width,
            num_layers=num_layers,
            num_heads=num_heads,
            feed_forward=feed_forward,
            max_length=max_length,
            dropout=dropout,
            rotary=False,
        )
        self.pooler = nn.Linear(width, width)

    def forward(
        self, ids: Int[Tensor, "batch time"], real: Bool[Tensor, "batch time"] | None = None
    ) -> Float[Tensor, "batch time width"]:
        """Hidden states; `real` is False at padding."""
        mask = None if real is None or bool(real.all()) else real[:, None, :].expand(-1, ids.shape[1], -1)
        return self.encoder(self.embedding(ids), mask)

    def pool(self, hidden: Float[Tensor, "batch time width"]) -> Float[Tensor, "batch width"]:
        """The first hidden state through a dense layer."""
        return torch.tanh(self.pooler(hidden[:, 0]))


class BertDecoder(nn.Module):
    """Tokens so far and a memory → logits of the next token.

    Args:
        vocabulary_size, width, num_layers, num_heads, feed_forward, max_length, dropout: sizes.
    """

    def __init__(
        self,
        *,
        vocabulary_size: int,
        width: int,
        num_layers: int,
        num_heads: int,
        feed_forward: int,
        max_length: int,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.embedding = BertEmbedding(
            vocabulary_size=vocabulary_size, width=width, max_length=max_length, dropout=dropout
        )
        layers = [
            DecoderLayer(
                width=width,
                num_heads=num_heads,
                feed_forward=feed_forward,
                activation_name="gelu",
                norm_first=False,
                norm_eps=NORM_EPS,
                dropout=dropout,
            )
            for _ in range(num_layers)
        ]
        self.decoder = Decoder(layers, width=width, final_norm=False)
        self.transform = Linear(width, width)
        self.transform_norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.output = Linear(width, vocabulary_size)

    def forward(
        self,
        ids: Int[Tensor, "batch time"],
        memory: Float[Tensor, "batch memory width"],
        real: Bool[Tensor, "batch memory"] | None = None,
    ) -> Float[Tensor, "batch time classes"]:
        """Logits after each token; `real` is False where the memory is padding."""
        return self._head(self.decoder(self.embedding(ids), memory, real))

    def start(self, memory: Float[Tensor, "batch memory width"], *, capacity: int) -> list[LayerCache]:
        """Empty caches for at most `capacity` tokens."""
        return self.decoder.start(memory, capacity=capacity)

    def step(
        self,
        ids: Int[Tensor, "batch new"],
        caches: list[LayerCache],
        real: Bool[Tensor, "batch memory"] | None = None,
    ) -> Float[Tensor, "batch classes"]:
        """Logits after the newest tokens."""
        x = self.embedding(ids, caches[0].own.length)
        return self._head(self.decoder(x, memory_mask=real, caches=caches)[:, -1:])[:, 0]

    def _head(self, x: Float[Tensor, "batch time width"]) -> Float[Tensor, "batch time classes"]:
        return self.output(self.transform_norm(functional.gelu(self.transform(x))))


class BertEncoderDecoder(nn.Module):
    """Two BERTs: the decoder writes a sequence and attends to what the encoder has read.

    Args:
        vocabulary_size, width, num_heads, feed_forward, dropout: sizes of both.
        encoder_layers, decoder_layers, encoder_length, decoder_length: of each.
    """

    def __init__(
        self,
        *,
        vocabulary_size: int,
        width: int,
        num_heads: int,
        feed_forward: int,
        encoder_layers: int,
        decoder_layers: int,
        encoder_length: int,
        decoder_length: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.encoder = BertEncoder(
            vocabulary_size=vocabulary_size,
            width=width,
            num_layers=encoder_layers,
            num_heads=num_heads,
            feed_forward=feed_forward,
            max_length=encoder_length,
            dropout=dropout,
        )
        self.decoder = BertDecoder(
            vocabulary_size=vocabulary_size,
            width=width,
            num_layers=decoder_layers,
            num_heads=num_heads,
            feed_forward=feed_forward,
            max_length=decoder_length,
            dropout=dropout,
        )

    def forward(
        self, tokens: Int[Tensor, "batch time"], written: Int[Tensor, "batch steps"], real: Bool[Tensor, "batch time"]
    ) -> Float[Tensor, "batch steps classes"]:
        """Logits after each written token; `real` is False at the encoder's padding."""
        return self.decoder(written, self.encoder(tokens, real), real)


class BertClassifier(nn.Module):
    """A class for a sequence, from the pooled first token.

    Args:
        classes: how many.
        vocabulary_size, width, num_layers, num_heads, feed_forward, max_length, dropout: sizes.
    """

    def __init__(
        self,
        *,
        classes: int,
        vocabulary_size: int,
        width: int,
        num_layers: int,
        num_heads: int,
        feed_forward: int,
        max_length: int,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.encoder = BertEncoder(
            vocabulary_size=vocabulary_size,
            width=width,
            num_layers=num_layers,
            num_heads=num_heads,
            feed_forward=feed_forward,
            max_length=max_length,
            dropout=dropout,
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, classes)

    def forward(
        self, ids: Int[Tensor, "batch time"], real: Bool[Tensor, "batch time"] | None = None
    ) -> Float[Tensor, "batch classes"]:
        """Logits."""
        return self.head(self.dropout(self.encoder.pool(self.encoder(ids, real))))
