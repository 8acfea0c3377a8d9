"""Makes the dictionary that ships with GETMusic from the compact corpus: `python -m
orchestrion.systems.getmusic_dictionary`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestrion.data.piece import Piece
from orchestrion.representations.getscore import LETTERS, SHIPPED, GetVocabulary
from orchestrion.representations.getscore_windows import count_groups
from orchestrion.training.score_grids import readable

THRESHOLD, SHARE = 60, 0.95  # the published dictionary: 500 and 0.9, of a corpus a hundred times as large


def build_dictionary(
    pieces: Sequence[Piece], path: Path = SHIPPED, *, threshold: int = THRESHOLD, share: float = SHARE
) -> GetVocabulary:
    """Counts the groups of notes of a corpus and writes the dictionary in the form of the published `dict.txt`.

    Args:
        threshold: a group of two and more pitches must occur more often.
        share: of all such groups of a track that the dictionary covers at the most.
    """
    counts = count_groups(readable(pieces))
    vocabulary = GetVocabulary.build(counts, threshold=threshold, share=share)
    named = {}
    for track, letter in enumerate(LETTERS):
        offset = GetVocabulary.offset(track)
        named |= {letter + " ".join(str(p + offset) for p in group): n for group, n in counts[track].items()}
    assert vocabulary.tokens is not None
    path.write_text("".join(f"{token}\t{named.get(token, 0)}\n" for token in vocabulary.tokens), encoding="utf-8")
    return vocabulary


if __name__ == "__main__":
    from orchestrion.data.corpus import load_corpus

    print(build_dictionary(load_corpus("compact", split="train")).track_sizes)
