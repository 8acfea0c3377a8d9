"""Piano performances as tokens of notes in segments of a few seconds (Aria's absolute tokenizer; ImprovNet, arXiv
2502.04522).

Time is counted in small steps from the beginning of the segment in which a note starts. A note is written as onset,
duration and (piano, pitch, velocity). Ids begin with 1; 0 pads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

BREAK, NEAR_END, START, END, SEPARATOR = "<T>", "<D>", "<S>", "<E>", "SEP"
MASKS = ("O", "D", "PVM", "mask")
CORRUPTION_NAMES = (
    "pitch_velocity_mask",
    "onset_duration_mask",
    "whole_mask",
    "pitch_permutation",
    "pitch_velocity_permutation",
    "fragmentation",
    "incorrect_transposition",
    "skyline",
    "note_modification",
)


class TimedNote(NamedTuple):
    """A note of a piano: MIDI pitch and velocity, onset and duration in milliseconds, the onset from the beginning of
    its segment or of the piece."""

    pitch: int
    velocity: int
    onset: int
    duration: int


Item = TimedNote | str
"""A note, or `NEAR_END`."""

Token = str | tuple[str | int, ...]
"""A word, or ('onset', ms), ('dur', ms), ('piano', pitch, velocity)."""


@dataclass(frozen=True)
class PerformanceVocabulary:
    """Tokens and their ids.

    Attributes:
        velocities: those that can be written; the published grid has steps of 15.
        lowest, highest: MIDI pitches.
        step, segment: milliseconds of the grid and of a segment.
        genres: names.
    """

    velocities: tuple[int, ...] = (0, 15, 30, 45, 60, 75, 90, 105, 120, 127)
    lowest: int = 0
    highest: int = 127
    step: int = 10
    segment: int = 5000
    genres: tuple[str, ...] = ("classical", "pop", "jazz")

    @cached_property
    def tokens(self) -> tuple[Token, ...]:
        """Token of id n + 1 at place n."""
        pitches = range(self.lowest, self.highest + 1)
        times = range(0, self.segment + 1, self.step)
        words: list[Token] = [("piano", pitch, velocity) for velocity in self.velocities for pitch in pitches]
        words += [("onset", time) for time in times] + [("dur", time) for time in times]
        words += [*self.genres, *MASKS, *CORRUPTION_NAMES, ("prefix", "instrument", "piano")]
        return (*words, BREAK, NEAR_END, "<U>", START, END, SEPARATOR)

    @cached_property
    def ids(self) -> dict[Token, int]:
        """Id of each token."""
        return {token: number for number, token in enumerate(self.tokens, start=1)}

    def __len__(self) -> int:
        return len(self.tokens) + 1

    def encode(self, tokens: Iterable[Token]) -> list[int]:
        """Ids of tokens.

        Raises:
            KeyError: there is no such token.
        """
        return [self.ids[token] for token in tokens]

    def decode(self, ids: Iterable[int]) -> list[Token]:
        """Tokens of ids, without padding."""
        return [self.tokens[number - 1] for number in ids if 0 < number < len(self)]

    def fit(self, note: TimedNote) -> TimedNote:
        """The note on this grid: the nearest velocity and times, pitches out of range moved by octaves."""
        pitch = note.pitch
        while pitch < self.lowest:
            pitch += 12
        while pitch > self.highest:
            pitch -= 12
        velocity = min(self.velocities, key=lambda one: (abs(one - note.velocity), one))
        onset = min(max(round(note.onset / self.step), 0) * self.step, self.segment - self.step)
        duration = min(max(round(note.duration / self.step), 1) * self.step, self.segment)
        return TimedNote(pitch, velocity, onset, duration)


def note_tokens(items: Iterable[Item]) -> list[Token]:
    """Onset, duration and note of each item; marks stay."""
    found: list[Token] = []
    for item in items:
        if isinstance(item, str):
            found.append(item)
        else:
            found += [("onset", item.onset), ("dur", item.duration), ("piano", item.pitch, item.velocity)]
    return found


def read_notes(tokens: Iterable[Token]) -> list[Item]:
    """The notes of tokens in any order within a note, as sampling may have it: a note counts once its own token comes
    and onset and duration are known; what is left over is dropped. `BREAK` and `NEAR_END` stay."""
    found: list[Item] = []
    onset = duration = None
    for token in tokens:
        if isinstance(token, str):
            if token in (BREAK, NEAR_END):
                found.append(token)
        elif token[0] == "onset":
            onset = int(token[1])
        elif token[0] == "dur":
            duration = int(token[1])
        elif token[0] == "piano" and onset is not None and duration is not None:
            found.append(TimedNote(int(token[1]), int(token[2]), onset, duration))
            onset = duration = None
    return found


def split_segments(items: Iterable[Item]) -> list[list[Item]]:
    """Lists between the `BREAK`s."""
    segments: list[list[Item]] = [[]]
    for item in items:
        if item == BREAK:
            segments.append([])
        else:
            segments[-1].append(item)
    return segments


def join_segments(segments: Sequence[Sequence[Item]]) -> list[Item]:
    """The inverse of `split_segments`."""
    joined: list[Item] = []
    for number, segment in enumerate(segments):
        joined += [BREAK, *segment] if number else segment
    return joined


def to_segments(
    notes: Iterable[TimedNote], vocabulary: PerformanceVocabulary, *, count: int | None = None
) -> list[list[Item]]:
    """Segments of notes whose onsets count from the beginning of the first.

    Args:
        count: how many segments; as many as there are notes for by default.
    """
    segments: list[list[Item]] = [[] for _ in range(count or 0)]
    for note in sorted(notes, key=lambda one: (one.onset, one.pitch)):
        number, rest = divmod(note.onset, vocabulary.segment)
        if number < 0 or (count is not None and number >= count):
            continue
        while len(segments) <= number:
            segments.append([])
        segments[number].append(vocabulary.fit(note._replace(onset=rest)))
    return segments


def from_segment(segment: Iterable[Item], start: int) -> list[TimedNote]:
    """The notes of a segment that begins at `start` ms, with onsets from the beginning of the piece."""
    return [item._replace(onset=item.onset + start) for item in segment if isinstance(item, TimedNote)]


def mark_near_end(segments: Sequence[Sequence[Item]], *, tokens: int = 100) -> list[list[Item]]:
    """`NEAR_END` before the note that begins nearest to so many tokens before the end of the piece."""
    marked = [list(segment) for segment in segments]
    left = tokens
    for segment in reversed(marked):
        size = 3 * len(segment)
        if left <= size:
            segment.insert((size - left) // 3, NEAR_END)
            return marked
        left -= size + 1
    if marked:
        marked[0].insert(0, NEAR_END)
    return marked


def without_doubles(segment: Sequence[Item], tune: Sequence[Item]) -> list[Item]:
    """Notes of a segment that the tune does not have at the same time."""
    held = [item for item in tune if isinstance(item, TimedNote)]
    return [
        note
        for note in segment
        if isinstance(note, TimedNote)
        and not any(
            one.pitch == note.pitch and one.onset < note.onset + note.duration and note.onset < one.onset + one.duration
            for one in held
        )
    ]
