"""Two genres that differ by rule, played alike: chorales of Bach, and dance tunes of 1883 over a swung stride bass.

They are read from the scores that music21 ships, so nothing has to be labelled; tempo and loudness follow the same rule
in both and tell nothing of the genre.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import symusic

from orchestrion.data.factory.arranger import Order, arrange
from orchestrion.data.factory.build import melodies_of
from orchestrion.data.factory.metres import fits
from orchestrion.data.factory.plan import choose_form
from orchestrion.data.factory.scores import chorale_files
from orchestrion.data.factory.sources import Tune, read_tunes
from orchestrion.data.factory.splits import assign_splits
from orchestrion.data.factory.textures import Part, Texture
from orchestrion.reproductions.part_writing import chorales
from orchestrion.theory.harmony import stress

if TYPE_CHECKING:
    from orchestrion.data.piece import Piece

PIANO = 0
METRES = {(4, 4): ("R.5.", ".x.x"), (2, 4): ("R.5.", ".x.x"), (3, 4): ("R..", ".xx"), (6, 8): ("R..5..", "..x..x")}
STRIDE = Texture(
    label="stride",
    genre="ragtime",
    tempo=dict.fromkeys(METRES, (70, 120)),
    leads=(PIANO,),
    parts=(
        Part("bass", (PIANO,), "bass", {metre: (bass,) for metre, (bass, _) in METRES.items()}, 41),
        Part("chords", (PIANO,), "chord", {metre: (chord,) for metre, (_, chord) in METRES.items()}, 57),
    ),
    swing=True,
)
TEMPO = (70, 120)  # quarters a minute
SOFTEST, LOUDEST = 40, 100  # velocities off the beat and on the bar line
TEST_SHARE = 0.1


def two_genres(*, most: int | None = None, seed: int = 0) -> tuple[list[Piece], list[Piece]]:
    """Pieces to learn from and held-out ones: chorales and "ragtime", as many of the one as of the other.

    Args:
        most: of each genre; all by default.

    Raises:
        MissingDependencyError: music21, which ships the scores, is not installed.
    """
    rng = np.random.default_rng(seed)
    train: list[Piece] = []
    test: list[Piece] = []
    files = chorale_files()
    held_out = {f"bach/{path.stem}#0" for path in files[math.ceil((1 - TEST_SHARE) * len(files)) :]}
    for chorale, stride in islice(zip(chorales(), _stride(rng), strict=False), most):
        chorale.split = "test" if chorale.id in held_out else "train"
        for piece in (chorale, stride):
            piece.score = played(piece.score, piece.metre or (4, 4), rng)
            (test if piece.split == "test" else train).append(piece)
    return train, test


def _stride(rng: np.random.Generator) -> Iterator[Piece]:
    tunes = [tune for tune in read_tunes(folders=["ryansMammoth"]) if tune.metre in METRES]
    splits = assign_splits({tune.id: melodies_of(tune) for tune in tunes}, test=TEST_SHARE)
    for tune in tunes:
        order = _order(tune, rng)
        if order is None or tune.id not in splits:
            continue
        try:
            yield arrange(tune, order, splits[tune.id])
        except ValueError:  # leaves the instrument's range, or its key is not heard
            continue


def _order(tune: Tune, rng: np.random.Generator) -> Order | None:
    (fit,) = [way for way in fits(tune.metre) if way.target == tune.metre]
    form = choose_form(tune, fit, rng)
    if form is None:
        return None
    seed = int(rng.integers(2**31))
    return Order(tune.id, 0, STRIDE, fit, form, tune.key.tonic, TEMPO[0], False, False, seed)


def played(score: Any, metre: tuple[int, int], rng: np.random.Generator) -> Any:
    """The score at a tempo drawn from `TEMPO`, louder where the metre has more weight."""
    made = score.copy()
    made.tempos = [symusic.Tempo(0, float(rng.uniform(*TEMPO)))]
    for track in made.tracks:
        for note in track.notes:
            weight = stress(note.time / made.ticks_per_quarter, metre)
            note.velocity = round(SOFTEST + (LOUDEST - SOFTEST) * weight)
    return made
