"""Music in parts that music21 ships: four-part chorales of Bach, and the quartets and other works of the classics."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from orchestrion.data.factory.scores import chorale_files, chorale_pieces, work_files, work_piece

if TYPE_CHECKING:
    from orchestrion.data.piece import Piece

CLASSICS = ("beethoven", "haydn", "mozart", "schumann_clara", "schumann_robert")
TEST_EVERY = 10  # pieces


def chorales() -> Iterator[Piece]:
    """Chorales, those of more voices than four and those that leave their key left out.

    Raises:
        MissingDependencyError: music21, which ships the scores, is not installed.
    """
    for path in chorale_files():
        try:
            yield chorale_pieces(path, versions=1)[0]
        except ValueError:
            continue


def classics() -> Iterator[Piece]:
    """Movements for strings, piano and others, as they are written; what cannot be read or shared is left out."""
    for path in work_files():
        if any(folder in path.parts for folder in CLASSICS):
            try:
                yield work_piece(path)
            except ValueError:
                continue


def part_writing(*, most: int | None = None) -> tuple[list[Piece], list[Piece]]:
    """Chorales and classics to learn from, and every tenth piece held out.

    Args:
        most: of chorales, and of classics; all by default.
    """
    train: list[Piece] = []
    test: list[Piece] = []
    for number, piece in enumerate([*islice(chorales(), most), *islice(classics(), most)]):
        piece.split = "train" if number % TEST_EVERY else "test"
        (train if piece.split == "train" else test).append(piece)
    return train, test
