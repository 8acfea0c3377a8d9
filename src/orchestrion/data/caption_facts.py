"""What a caption may say about a piece."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrion.data.piece import Piece
    from orchestrion.theory.keys import Key

MOST_INSTRUMENTS = 5  # as many as the released captions name


@dataclass(frozen=True, slots=True)
class Facts:
    """True statements about a piece; None and empty mean: not known, so not mentioned.

    `instruments` are General MIDI programs, 128 = drums, the most prominent first; `chord_count` is how often the chord
    sequence `chords` occurs; `tempo` is in quarter notes a minute.
    """

    instruments: tuple[int, ...] = ()
    key: Key | None = None
    metre: tuple[int, int] | None = None
    tempo: float | None = None
    genres: tuple[str, ...] = ()
    moods: tuple[str, ...] = ()
    bars: int | None = None
    seconds: float | None = None
    chords: tuple[str, ...] = ()
    chord_count: int = 0


def facts_of_piece(piece: Piece) -> Facts:
    """What the labels of `piece` say, melody first among the instruments; the notes themselves are not analysed."""
    programs: list[int] = []
    if piece.score is not None:
        tracks = list(piece.score.tracks)
        if piece.melody is not None and 0 <= piece.melody < len(tracks):
            tracks.insert(0, tracks.pop(piece.melody))
        programs = list(dict.fromkeys(128 if track.is_drum else int(track.program) for track in tracks))
    bars, seconds = piece.bars, None
    if bars and piece.metre and piece.tempo:
        seconds = bars * piece.metre[0] * 4 / piece.metre[1] * 60 / piece.tempo
    return Facts(
        instruments=tuple(programs),
        key=piece.key,
        metre=piece.metre,
        tempo=piece.tempo,
        genres=tuple(piece.tags.get("genre", ())),
        moods=tuple(piece.tags.get("mood", ())),
        bars=bars,
        seconds=seconds,
    )
