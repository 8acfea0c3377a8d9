"""One piece of music and whatever is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from symusic.core import ScoreTick

    from orchestrion.theory.chords import ChordSpan
    from orchestrion.theory.keys import Key

Split = Literal["train", "validation", "test"]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the form: its label ("A", "B", "intro") and the bars [start, end) it takes, counted from 0."""

    label: str
    start: int
    end: int


@dataclass(slots=True)
class Piece:
    """A piece. Every field but `id` is optional.

    Attributes:
        id: unique in its corpus and stable across rebuilds.
        score: notes, tempo and metre in ticks.
        audio, stems: sound, and sound by track name; or the paths of their files, as data sets give them.
        video, sheet: paths of files that show it.
        beats: times of beats in seconds.
        chords: spans in quarter notes from the start.
        key: the main key.
        metre: numerator and denominator.
        tempo: quarter notes a minute.
        sections: the form, in bars.
        melody: index of the track that carries the tune.
        caption, lyrics: text.
        tags: lists of words by kind: "genre", "groove", "mood", "form".
        source, licence: where it comes from and on what terms.
        split: which part of the corpus it belongs to; all versions of one tune share it.
    """

    id: str
    title: str = ""
    score: ScoreTick | None = None
    audio: Any = None
    stems: dict[str, Any] | None = None
    video: str | None = None
    sheet: str | None = None
    beats: list[float] | None = None
    chords: list[ChordSpan] | None = None
    key: Key | None = None
    metre: tuple[int, int] | None = None
    tempo: float | None = None
    sections: list[Section] | None = None
    melody: int | None = None
    caption: str | None = None
    lyrics: str | None = None
    tags: dict[str, list[str]] = field(default_factory=dict)
    source: str = ""
    licence: str = ""
    split: Split | None = None

    @property
    def genre(self) -> str | None:
        """The first genre tag."""
        genres = self.tags.get("genre")
        return genres[0] if genres else None

    @property
    def bars(self) -> int | None:
        """Bars of the form, where its sections are known."""
        return self.sections[-1].end if self.sections else None
