"""Spoiled segments of performances and what they were, to train restoring them in the style of their genre."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from orchestrion.data.piece import Piece
from orchestrion.representations.corruptions import CORRUPTIONS, corrupt, encoder_tokens
from orchestrion.representations.performance_reading import performance_notes
from orchestrion.representations.performance_tokens import (
    END,
    START,
    Item,
    PerformanceVocabulary,
    TimedNote,
    Token,
    mark_near_end,
    note_tokens,
    to_segments,
)

STEP = 16  # tokens: a batch of one of few lengths finds its kernels ready
JITTER = 12.0  # ms, standard deviation of onsets, so that scores sound played
TAGS = {
    "classical": ("classical", "baroque", "chorale", "waltz", "lullaby"),
    "pop": ("pop", "rock", "ballad", "soul", "disco", "country"),
    "jazz": ("jazz", "swing", "bossa nova", "blues", "ragtime"),
}
"""Genre → tags of the corpus that count as it."""


@dataclass(frozen=True, slots=True)
class RestoreBatch:
    """Encoder tokens, which of them are real, and the segment to restore, from its start mark to its end."""

    tokens: Int[Tensor, "batch time"]
    real: Bool[Tensor, "batch time"]
    target: Int[Tensor, "batch steps"]


def genre_of(piece: Piece, genres: Sequence[str]) -> str | None:
    """The first of `genres` that the piece's tags name; None where none does."""
    tags = piece.tags.get("genre", [])
    for genre in genres:
        if any(tag in TAGS.get(genre, (genre,)) for tag in tags[:1]):
            return genre
    return None


class PerformanceSegments:
    """Performances of pieces of known genres.

    Args:
        encoder_length, decoder_length: most tokens.
        context: most segments to either side.
        transpose: farthest shift in semitones.
        no_right_share: of items without right context.
        most: pieces that are read at most.
    """

    def __init__(
        self,
        pieces: Sequence[Piece],
        vocabulary: PerformanceVocabulary,
        *,
        encoder_length: int,
        decoder_length: int,
        context: int,
        transpose: int,
        no_right_share: float = 0.1,
        most: int = 100_000,
    ) -> None:
        self.vocabulary, self.context, self.transpose = vocabulary, context, transpose
        self.no_right_share = no_right_share
        self.encoder_length, self.decoder_length = encoder_length, decoder_length
        self.pieces: list[tuple[str, list[list[Item]]]] = []
        for number in range(len(pieces)):
            piece = pieces[number]
            genre = genre_of(piece, vocabulary.genres)
            if piece.score is None or genre is None or len(self.pieces) >= most:
                continue
            notes = performance_notes(piece.score)
            if len(notes) > 1:
                moved = [note._replace(onset=note.onset - notes[0].onset) for note in notes]
                self.pieces.append((genre, mark_near_end(to_segments(moved, vocabulary))))

    def __len__(self) -> int:
        return len(self.pieces)

    def played(self, segment: Sequence[Item], shift: int, rng: np.random.Generator) -> list[Item]:
        """A segment moved in pitch, and each note a little in time."""
        late = rng.normal(0, JITTER, len(segment)).tolist()
        return [
            item
            if isinstance(item, str)
            else self.vocabulary.fit(item._replace(pitch=item.pitch + shift, onset=item.onset + round(by)))
            for item, by in zip(segment, late, strict=True)
        ]

    def item(self, number: int, seed: int, *, augment: bool = True) -> tuple[list[Token], list[Token]]:
        """What the encoder reads and what the decoder shall write, for a segment of a piece."""
        rng = np.random.default_rng((seed, number))
        chance = random.Random(int(rng.integers(2**31)))
        genre, whole = self.pieces[number]
        filled = [place for place, segment in enumerate(whole) if segment]
        middle = chance.choice(filled)
        first = max(middle - self.context, 0)
        segments = [list(segment) for segment in whole[first : middle + 1 + self.context]]
        if augment:
            shift = int(rng.integers(-self.transpose, self.transpose + 1))
            segments = [self.played(segment, shift, rng) for segment in segments]
        place = middle - first
        most = (self.decoder_length - 2) // 3
        segments[place] = segments[place][:most]
        name = chance.choice(list(CORRUPTIONS))
        before, after = chance.randint(1, self.context), chance.randint(1, self.context)
        if chance.random() < self.no_right_share:
            after = 0
        spoiled = corrupt(name, segments[place], chance, genre=genre)
        tokens = fit_context(segments, place, spoiled, before=before, after=after, most=self.encoder_length)
        return tokens, [START, *note_tokens(segments[place]), END]

    def batch(self, numbers: Sequence[int], *, seed: int, augment: bool = True) -> RestoreBatch:
        """Items of pieces side by side."""
        rows = [self.item(number, seed, augment=augment) for number in numbers]
        encode = self.vocabulary.encode
        tokens = pad_rows([_known(row[0], self.vocabulary) for row in rows], step=STEP, most=self.encoder_length)
        most = self.decoder_length + 1
        target = pad_rows([encode(row[1])[:most] for row in rows], step=STEP, most=most)
        return RestoreBatch(tokens, tokens > 0, target)


def fit_context(
    segments: Sequence[Sequence[Item]],
    place: int,
    spoiled: Sequence[Token],
    *,
    before: int,
    after: int,
    most: int,
) -> list[Token]:
    """`encoder_tokens` with as much context as `most` tokens hold, shortened on the longer side first; what is left
    too long is cut at the end."""
    while True:
        tokens = encoder_tokens(segments, place, spoiled, before=before, after=after)
        if len(tokens) <= most or before + after == 0:
            return tokens[:most]
        before, after = (before - 1, after) if before >= after else (before, after - 1)


def _known(tokens: Sequence[Token], vocabulary: PerformanceVocabulary) -> list[int]:
    """Ids; notes that a corruption moved off the grid are moved back."""
    found = []
    for token in tokens:
        if token not in vocabulary.ids:
            token = nearest(token, vocabulary)
        found.append(vocabulary.ids[token])
    return found


def nearest(token: Token, vocabulary: PerformanceVocabulary) -> Token:
    """The token of the vocabulary that is nearest to a note, an onset or a duration off its grid."""
    if isinstance(token, str):
        raise KeyError(token)
    if token[0] == "piano":
        note = vocabulary.fit(TimedNote(int(token[1]), int(token[2]), 0, vocabulary.step))
        return ("piano", note.pitch, note.velocity)
    value = round(int(token[1]) / vocabulary.step) * vocabulary.step
    return (str(token[0]), min(max(value, 0), vocabulary.segment))


def pad_rows(rows: Sequence[Sequence[int]], *, step: int = 1, most: int | None = None) -> Int[Tensor, "batch time"]:
    """Rows side by side, filled up with zeros to the longest, or to the next multiple of `step` but not over `most`."""
    longest = max(len(row) for row in rows)
    length = -(-longest // step) * step
    padded = torch.zeros(len(rows), length if most is None else min(length, most), dtype=torch.long)
    for number, row in enumerate(rows):
        padded[number, : len(row)] = torch.tensor(row)
    return padded
