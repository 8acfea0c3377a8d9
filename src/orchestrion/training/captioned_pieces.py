"""Pieces as tokens with captions, for systems that learn to write music from text."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from orchestrion.data.caption_facts import Facts, facts_of_piece
from orchestrion.data.captions import GrammarWriter, drop_sentences
from orchestrion.data.piece import Piece
from orchestrion.representations.arrangement import METRES, UNKNOWN_GENRE, ArrangementVocabulary, encode
from orchestrion.representations.arrangement_score import from_score
from orchestrion.theory.keys import Key

WRITER = GrammarWriter(style="any")
KEY_PLACE = 4  # of the key's token: after BOS, genre, metre and tempo


class CaptionedPieces:
    """Pieces as tokens, with captions that are worded anew each time.

    Pitches are written as if in C, so the tonic is free: it is drawn anew each time, in the tokens and in the caption
        alike.

    Args:
        pieces: those without a key, metre, tempo or score are left out, as are those longer than `longest` tokens.
        vocabulary: of the tokens.
        longest: most tokens of a piece.
    """

    def __init__(self, pieces: Sequence[Piece], vocabulary: ArrangementVocabulary, *, longest: int) -> None:
        self.vocabulary = vocabulary
        self.tokens: list[np.ndarray] = []
        self.facts: list[Facts] = []
        for piece in pieces:
            if piece.score is None or piece.key is None or piece.metre not in METRES or piece.tempo is None:
                continue
            arrangement = from_score(
                piece.score,
                key=piece.key,
                metre=piece.metre,
                tempo=piece.tempo,
                chords=piece.chords or [],
                melody=piece.melody,
                genre=piece.genre or UNKNOWN_GENRE,
            )
            tokens = encode(arrangement, vocabulary)
            if len(tokens) <= longest:
                self.tokens.append(np.array(tokens, np.int16))
                self.facts.append(facts_of_piece(piece))
        self.lengths = [len(tokens) for tokens in self.tokens]
        bars = range(vocabulary.first["Left"], vocabulary.first["Left"] + vocabulary.count["Left"])
        self.plan_lengths = [next(i for i, t in enumerate(row.tolist()) if t in bars) + 1 for row in self.tokens]

    def batch(
        self, items: Sequence[int], *, seed: int, whole: bool = True
    ) -> tuple[Int[Tensor, "batch time"], list[str]]:
        """Padded tokens, of the plan only unless `whole`, and a caption of each piece; `seed` words it."""
        texts = []
        lengths = self.lengths if whole else self.plan_lengths
        tokens = torch.zeros(len(items), max(lengths[item] for item in items), dtype=torch.long)
        for row, item in enumerate(items):
            length = lengths[item]
            rng = random.Random(f"{seed}/{item}")
            facts = self.facts[item]
            tokens[row, :length] = torch.from_numpy(self.tokens[item][:length].astype(np.int64))
            if facts.key is not None:
                facts = replace(facts, key=Key(rng.randrange(12), facts.key.mode))
                tokens[row, KEY_PLACE] = self.vocabulary.ids[f"Key_{facts.key}"]
            texts.append(drop_sentences(WRITER.write(facts, rng), rng))
        return tokens, texts
