"""The melodies of pieces in C major or A minor, equal ones once: in phrases, or over chords."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from orchestrion.data.piece import Piece
from orchestrion.representations.leads import to_plain_key, track_line
from orchestrion.representations.melody_events import STEPS, Lead
from orchestrion.representations.phrase_notes import METRES, PhraseNotes, in_plain_key, read_tokens
from orchestrion.theory.keys import Key, find_key

SHORTEST_TUNE, LONGEST_TUNE = 8, 160  # tokens
LOWEST, HIGHEST = 3, 125  # MIDI pitches of melodies over chords

Melody = TypeVar("Melody")


def tunes_of(pieces: Sequence[Piece], most: int) -> list[PhraseNotes]:
    """The tunes of pieces in the metres known, with the phrases and skeletons that are found in them; at most so
    many."""

    def each() -> Iterator[tuple[Hashable, PhraseNotes]]:
        for piece in pieces:
            if piece.score is None or piece.melody is None or piece.metre not in METRES:
                continue
            tokens = read_tokens(piece.score, track=piece.melody)
            if SHORTEST_TUNE <= len(tokens) <= LONGEST_TUNE:
                tokens = in_plain_key(tokens, piece.key or find_key(piece.score) or Key(0, "major"))
                yield np.stack([tokens.start, tokens.length, tokens.pitch]).tobytes(), tokens

    return _different(each(), most)


def leads(pieces: Sequence[Piece], most: int, *, metre: tuple[int, int] = (4, 4)) -> list[Lead]:
    """Melodies over chords of the pieces in one metre that lie on the grid of sixteenths; at most so many."""

    def each() -> Iterator[tuple[Hashable, Lead]]:
        for piece in pieces:
            if piece.metre != metre or piece.melody is None or not piece.chords or piece.key is None:
                continue
            assert piece.score is not None
            line = track_line(piece.score, piece.melody)
            if not line or any((note.onset * STEPS) % 1 or (note.duration * STEPS) % 1 for note in line):
                continue
            lead = to_plain_key(Lead(tuple(line), tuple(piece.chords), piece.chords[-1].end), piece.key)
            if all(LOWEST <= note.pitch <= HIGHEST for note in lead.melody):
                yield (lead.melody, lead.chords), lead

    return _different(each(), most)


def _different(melodies: Iterable[tuple[Hashable, Melody]], most: int) -> list[Melody]:
    """Those with a signature that none before has."""
    found: dict[Hashable, Melody] = {}
    for signature, melody in melodies:
        found.setdefault(signature, melody)
        if len(found) >= most:
            break
    return list(found.values())
