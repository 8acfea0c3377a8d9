"""A tune as one compound token a note, with the phrase each belongs to (after MuMIDI; sixteenths)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Int

from orchestrion.analysis.skeleton import Phrases, find_phrases, find_skeleton
from orchestrion.analysis.skyline import STEPS, Line, melody_line
from orchestrion.theory.keys import Key
from orchestrion.theory.plain_key import shift_to_register

if TYPE_CHECKING:
    from symusic.core import ScoreTick

REST = 0  # pitch class of a rest; a pitch is MIDI − LOWEST + 1
LOWEST, HIGHEST = 36, 103
PITCHES = HIGHEST - LOWEST + 2
LONGEST = 32  # sixteenths of a token
POSITIONS = 24  # sixteenths of a bar at most; longer bars are folded
BARS_LEFT = 9  # classes of what is left of a phrase: 0 … 7 bars, more
PHRASES = 32
METRES = ((2, 4), (3, 4), (4, 4), (6, 8), (9, 8), (12, 8), (3, 8), (2, 2), (6, 4))
PHRASE_MARK = "phrase"


@dataclass(frozen=True, slots=True, eq=False)
class PhraseNotes:
    """Tokens of a tune: notes and rests, one after another without gaps.

    Attributes:
        start, length: sixteenths, from a bar line.
        pitch: classes, `REST` for a rest.
        phrase: number of the phrase each belongs to.
        ends: whether a phrase ends with it.
        kept: whether it belongs to the skeleton; rests never do.
        bar: sixteenths of a bar.
    """

    start: Int[np.ndarray, " tokens"]
    length: Int[np.ndarray, " tokens"]
    pitch: Int[np.ndarray, " tokens"]
    phrase: Int[np.ndarray, " tokens"]
    ends: Bool[np.ndarray, " tokens"]
    kept: Bool[np.ndarray, " tokens"]
    bar: int

    def __len__(self) -> int:
        return len(self.start)

    @property
    def phrase_stop(self) -> Int[np.ndarray, " phrases"]:
        """Where each phrase ends, in sixteenths."""
        return (self.start + self.length)[self.ends]


def tokens_of(line: Line, phrases: Phrases, kept: Bool[np.ndarray, " notes"]) -> PhraseNotes:
    """The tokens of a line; rests between its notes belong to the phrase before, long notes and rests are cut at
    `LONGEST`, and pitches are moved by octaves into the range."""
    rows: list[tuple[int, int, int, int, bool]] = []
    last = int(line.start[0]) if len(line) else 0
    for index, (start, stop, pitch) in enumerate(zip(line.start, line.stop, line.pitch, strict=True)):
        if start > last:
            rows += _cut(last, int(start), REST, int(phrases.of[index - 1]), False)
        rows += _cut(int(start), int(stop), pitch_class(int(pitch)), int(phrases.of[index]), bool(kept[index]))
        last = int(stop)
    table = np.array(rows, np.int64).reshape(-1, 5)
    phrase = table[:, 3]
    ends = np.append(np.diff(phrase) != 0, True)[: len(table)]
    return PhraseNotes(table[:, 0], table[:, 1], table[:, 2], phrase, ends, table[:, 4] > 0, line.bar)


def _cut(start: int, stop: int, pitch: int, phrase: int, kept: bool) -> list[tuple[int, int, int, int, bool]]:
    rows = []
    while start < stop:
        length = min(stop - start, LONGEST)
        rows.append((start, length, pitch, phrase, kept))
        start, kept = start + length, False
    return rows


def pitch_class(pitch: int) -> int:
    """The class of a MIDI pitch, moved by octaves into the range."""
    while pitch < LOWEST:
        pitch += 12
    while pitch > HIGHEST:
        pitch -= 12
    return pitch - LOWEST + 1


def in_plain_key(tokens: PhraseNotes, key: Key) -> PhraseNotes:
    """Moved to C major or A minor, and by octaves so that the mean lies around B above middle C."""
    sounding = tokens.pitch != REST
    shift = shift_to_register(key, tokens.pitch[sounding] + LOWEST - 1)
    pitch = np.where(sounding, (tokens.pitch + shift).clip(1, PITCHES - 1), REST)
    return PhraseNotes(tokens.start, tokens.length, pitch, tokens.phrase, tokens.ends, tokens.kept, tokens.bar)


def skeleton_tokens(line: Line, shift: int = 0) -> PhraseNotes:
    """The notes of a line, moved by semitones, as tokens that are all kept; their phrases are not told."""
    pitch = (line.pitch + shift).clip(LOWEST, HIGHEST) - LOWEST + 1
    length = np.minimum(line.stop - line.start, LONGEST)
    every = np.ones(len(line), bool)
    return PhraseNotes(line.start, length, pitch, np.zeros(len(line), np.int64), ~every, every, line.bar)


def line_of(tokens: PhraseNotes, *, metre: tuple[int, int], shift: int = 0) -> Line:
    """The notes of tokens; a note right after a token that was cut at `LONGEST` stays a note of its own."""
    sounding = tokens.pitch != REST
    start, length, pitch = tokens.start[sounding], tokens.length[sounding], tokens.pitch[sounding]
    return Line(start, start + length, pitch + LOWEST - 1, metre, shift)


def read_tokens(score: ScoreTick, *, track: int | None = None, skeleton: str = "phrase") -> PhraseNotes:
    """The tokens of a score's tune, with its marked phrases or those that are found."""
    line = melody_line(score, track=track)
    phrases = marked_phrases(score, line) or find_phrases(line)
    return tokens_of(line, phrases, find_skeleton(line, phrases, method=skeleton))


def marked_phrases(score: ScoreTick, line: Line) -> Phrases | None:
    """The phrases that markers named "phrase" begin in a score; None without markers."""
    scale = STEPS / score.ticks_per_quarter
    times = [round(mark.time * scale) + line.shift for mark in score.markers if mark.text == PHRASE_MARK]
    if not times:
        return None
    return Phrases.at([int(np.searchsorted(line.start, time)) for time in times], len(line))


def mark_phrases(score: ScoreTick, starts: list[int]) -> None:
    """Writes a marker named "phrase" at each of these sixteenths."""
    import symusic

    markers: Any = score.markers
    for start in starts:
        markers.append(symusic.TextMeta(round(start * score.ticks_per_quarter / STEPS), PHRASE_MARK))


def line_score(line: Line, *, tempo: float, program: int = 73, name: str = "melody") -> ScoreTick:
    """A score with the notes of a line, its pick-up where it was."""
    import symusic

    tpq = 480
    score: Any = symusic.Score(tpq)
    score.tempos.append(symusic.Tempo(0, qpm=tempo))
    score.time_signatures.append(symusic.TimeSignature(0, *line.metre))
    first = (line.bar - line.shift) % line.bar
    if first:  # the first bar is short; the metre counts anew from the next
        score.time_signatures.append(symusic.TimeSignature(first * tpq // STEPS, *line.metre))
    track: Any = symusic.Track(name, program)
    for start, stop, pitch in zip(line.start - line.shift, line.stop - line.shift, line.pitch, strict=True):
        begin = max(int(start), 0)
        track.notes.append(symusic.Note(begin * tpq // STEPS, max(int(stop) - begin, 1) * tpq // STEPS, int(pitch), 96))
    score.tracks.append(track)
    return score
