"""Theme Transformer's tokens (Shih et al. 2023, arXiv 2111.04093): bars, positions and notes of a melody and its
accompaniment, with marks where the theme begins and ends.

A note is three tokens of its track: pitch, duration, velocity. Time is a grid of sixteenths; a bar has at most 16 of
them. `Theme_Start` stands before the first bar of a region and `Theme_End` after the last token of its last bar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int

from orchestrion.errors import OptionError

TRACKS = ("MELODY", "BRIDGE", "PIANO")
MELODY, BRIDGE, PIANO = range(3)
LONGEST_BAR = 16  # sixteenths


class ThemeVocabulary:
    """The 1033 tokens and their order; 0 is padding.

    Names are the published ones: "Note-On-MELODY_60", "Note-Duration-PIANO_4", "Tempo_89", "Position_0", "Bar",
    "Theme_Start". Pitches are 1 to 127, durations 1 to 64 sixteenths, velocities 1 to 126, tempos 17 to 194 in steps
    of 3. "Phrase_Start" and "Phrase_End" have ids but are never written.
    """

    pad = 0
    lowest_pitch, highest_pitch = 1, 127
    durations, velocities = 64, 126
    tempos = np.arange(17, 197, 3)
    positions = LONGEST_BAR

    def __init__(self) -> None:
        kinds: dict[str, list[str]] = {"padding": ["padding"]}
        for kind, values in (
            ("Note-On", range(1, 128)),
            ("Note-Duration", range(1, self.durations + 1)),
            ("Note-Velocity", range(1, self.velocities + 1)),
        ):
            for track in TRACKS:
                kinds[f"{kind}-{track}"] = [f"{kind}-{track}_{value}" for value in values]
        kinds["Tempo"] = [f"Tempo_{value}" for value in self.tempos]
        kinds["Position"] = [f"Position_{value}" for value in range(self.positions)]
        for name in ("Bar", "Phrase_Start", "Phrase_End", "Theme_Start", "Theme_End"):
            kinds[name] = [name]
        self.first: dict[str, int] = {}
        self.names: list[str] = []
        for kind, names in kinds.items():
            self.first[kind] = len(self.names)
            self.names += names
        self.bar, self.start, self.end = (self.first[name] for name in ("Bar", "Theme_Start", "Theme_End"))

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def ids(self) -> dict[str, int]:
        """Id of every name."""
        return {name: number for number, name in enumerate(self.names)}

    def on(self, track: int, pitch: int) -> int:
        """The token of a pitch; those out of range are clamped."""
        return self.first[f"Note-On-{TRACKS[track]}"] + min(max(pitch, 1), 127) - 1

    def duration(self, track: int, steps: int) -> int:
        """The token of a length in sixteenths, clamped to 1 … 64."""
        return self.first[f"Note-Duration-{TRACKS[track]}"] + min(max(steps, 1), self.durations) - 1

    def velocity(self, track: int, value: int) -> int:
        """The token of a velocity, clamped to 1 … 126."""
        return self.first[f"Note-Velocity-{TRACKS[track]}"] + min(max(value, 1), self.velocities) - 1

    def position(self, step: int) -> int:
        """The token of a sixteenth in its bar."""
        return self.first["Position"] + step

    def tempo(self, bpm: float) -> int:
        """The token of the nearest tempo, the slower one in the middle."""
        return self.first["Tempo"] + int(np.abs(bpm - self.tempos).argmin())

    @cached_property
    def kind(self) -> Int[np.ndarray, " tokens"]:
        """What each token is, as an index into `KINDS`."""
        return np.array([KINDS.index(name.rstrip("0123456789").rstrip("_")) for name in self.names])

    @cached_property
    def track(self) -> Int[np.ndarray, " tokens"]:
        """The track of each token of a note; −1 for all others."""
        ends = [name.partition("_")[0].rpartition("-")[2] for name in self.names]
        return np.array([TRACKS.index(end) if end in TRACKS else -1 for end in ends])

    @cached_property
    def value(self) -> Int[np.ndarray, " tokens"]:
        """The number in each name; 0 where there is none."""
        ends = [name.rpartition("_")[2] for name in self.names]
        return np.array([int(end) if end.isdecimal() else 0 for end in ends])


KINDS = ("padding", *(f"{kind}-{track}" for kind in ("Note-On", "Note-Duration", "Note-Velocity") for track in TRACKS),
         "Tempo", "Position", "Bar", "Phrase_Start", "Phrase_End", "Theme_Start", "Theme_End")  # fmt: skip
ON, DURATION, VELOCITY = (slice(1 + 3 * number, 4 + 3 * number) for number in range(3))


@dataclass(frozen=True, slots=True, eq=False)
class ThemeSong:
    """A song on the grid of sixteenths.

    Attributes:
        notes: rows of (onset, length, pitch, velocity, track), onset and length in sixteenths.
        bars: borders of the bars, from 0; each bar at most 16 long.
        tempos: (sixteenth, quarter notes a minute).
        themes: bars [first, last) of the theme regions.
    """

    notes: Int[np.ndarray, "notes 5"]
    bars: Int[np.ndarray, " borders"]
    tempos: tuple[tuple[int, float], ...] = ()
    themes: tuple[tuple[int, int], ...] = ()

    def part(self, first: int, last: int) -> ThemeSong:
        """The bars [first, last) as a song; notes are not cut."""
        start, stop = int(self.bars[first]), int(self.bars[last])
        chosen = self.notes[(self.notes[:, 0] >= start) & (self.notes[:, 0] < stop)].copy()
        chosen[:, 0] -= start
        return ThemeSong(chosen, self.bars[first : last + 1] - start)


FindRegions = Callable[[ThemeSong, int], Sequence[tuple[int, int]]]
"""Song, bars of a theme → bars [first, last) of the theme regions."""


def encode(song: ThemeSong, vocabulary: ThemeVocabulary, *, bridge: bool = False) -> list[int]:
    """Tokens of all bars: by position tempo, melody, bridge and piano, higher pitches first.

    Args:
        bridge: writes the bridge track, too; the published data leave it out.

    Raises:
        OptionError: a bar is longer than 16 sixteenths.
    """
    if len(song.bars) > 1 and int(np.diff(song.bars).max()) > LONGEST_BAR:
        raise OptionError("A bar is longer than 16 sixteenths; split it before it is written as tokens.")
    notes = song.notes if bridge else song.notes[song.notes[:, 4] != BRIDGE]
    notes = notes[np.lexsort((-notes[:, 2], notes[:, 4], notes[:, 0]))]
    starts, ends = (set(marks) for marks in zip(*song.themes, strict=True)) if song.themes else ((), ())
    tempos = sorted(song.tempos)
    tokens: list[int] = []
    place = np.searchsorted(notes[:, 0], song.bars)
    for bar, (left, right) in enumerate(zip(song.bars[:-1].tolist(), song.bars[1:].tolist(), strict=True)):
        tokens += [vocabulary.start] * (bar in starts) + [vocabulary.bar]
        marks = {step: bpm for step, bpm in tempos if left <= step < right}
        rows = notes[place[bar] : place[bar + 1]].tolist()
        last = -1
        events = sorted([(step, -1, 0, 0, 0) for step in marks] + [(r[0], r[4], -r[2], r[1], r[3]) for r in rows])
        for step, track, pitch, length, loudness in events:
            if step != last:
                tokens.append(vocabulary.position(step - left))
                last = step
            if track < 0:
                tokens.append(vocabulary.tempo(marks[step]))
            else:
                tokens += [vocabulary.on(track, -pitch), vocabulary.duration(track, length)]
                tokens.append(vocabulary.velocity(track, loudness))
        tokens += [vocabulary.end] * (bar + 1 in ends)
    return tokens


def decode(tokens: Sequence[int], vocabulary: ThemeVocabulary, *, bar_lengths: Sequence[int] = ()) -> ThemeSong:
    """The song of tokens; tokens that make no sense where they stand are passed over.

    Args:
        bar_lengths: sixteenths of the bars; the last one holds for all that follow, 16 without any.
    """
    kinds, tracks, values = vocabulary.kind, vocabulary.track, vocabulary.value
    lengths = list(bar_lengths) or [LONGEST_BAR]
    borders: list[int] = [0]
    notes: list[tuple[int, int, int, int, int]] = []
    tempos: list[tuple[int, float]] = []
    themes: list[tuple[int, int]] = []
    opened: int | None = None
    step = 0
    for number, token in enumerate(tokens):
        kind = KINDS[kinds[token]]
        if kind == "Bar":
            borders.append(borders[-1] + lengths[min(len(borders) - 1, len(lengths) - 1)])
            step = borders[-2]
        elif kind == "Position" and len(borders) > 1:
            step = borders[-2] + int(values[token])
        elif kind == "Tempo" and len(borders) > 1:
            tempos.append((step, float(values[token])))
        elif kind == "Theme_Start":
            opened = len(borders) - 1
        elif kind == "Theme_End" and opened is not None and opened < len(borders) - 1:
            themes.append((opened, len(borders) - 1))
            opened = None
        elif kind.startswith("Note-On") and len(borders) > 1:
            rest = list(tokens[number + 1 : number + 3])
            said = [KINDS[kinds[other]].rpartition("-")[0] for other in rest]
            if said == ["Note-Duration", "Note-Velocity"] and {int(tracks[o]) for o in rest} == {int(tracks[token])}:
                length, loudness = (int(values[other]) for other in rest)
                notes.append((step, length, int(values[token]), loudness, int(tracks[token])))
    if opened is not None and opened < len(borders) - 1:
        themes.append((opened, len(borders) - 1))
    rows = np.array(notes, np.int64).reshape(-1, 5)
    return ThemeSong(rows[np.lexsort((rows[:, 2], rows[:, 4], rows[:, 0]))], np.array(borders), tuple(tempos),
                     tuple(themes))  # fmt: skip


def theme_labels(tokens: Iterable[int], vocabulary: ThemeVocabulary) -> list[int]:
    """How many tokens since the theme began, `Theme_Start` being 1; 0 outside, and for `Theme_End`."""
    labels: list[int] = []
    inside, label = False, 0
    for token in tokens:
        if token == vocabulary.start:
            inside = True
        elif token == vocabulary.end:
            inside = False
        label = label + 1 if inside else 0
        labels.append(label)
    return labels


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of tokens for training, and their theme labels in the whole song."""

    tokens: tuple[int, ...]
    labels: tuple[int, ...]


def first_theme(tokens: Sequence[int], vocabulary: ThemeVocabulary) -> Window:
    """The first theme region with its marks: what the encoder reads.

    Raises:
        ValueError: no region is marked.
    """
    if vocabulary.start not in tokens or vocabulary.end not in tokens:
        raise ValueError("no theme is marked in these tokens")
    start, end = tokens.index(vocabulary.start), tokens.index(vocabulary.end)
    labels = theme_labels(tokens, vocabulary)
    return Window(tuple(tokens[start : end + 1]), tuple(labels[start : end + 1]))


def windows(
    tokens: Sequence[int], vocabulary: ThemeVocabulary, *, length: int, at: str = "themes", all_windows: bool = False
) -> list[Window]:
    """Windows of `length` + 1 tokens (input and target).

    Args:
        at: "themes": one begins at every `Theme_Start` (the published code's default); "regular": one every `length`
            tokens, kept if a theme begins or ends in it (the published data).
        all_windows: keeps all regular ones.

    Raises:
        OptionError: `at` is unknown.
    """
    if at not in ("themes", "regular"):
        raise OptionError(f"at is {at!r}; it must be 'themes' or 'regular'.")
    labels = theme_labels(tokens, vocabulary)
    if at == "themes":
        starts = [place for place, token in enumerate(tokens) if token == vocabulary.start]
    else:
        starts = list(range(0, len(tokens), length))
    found = [Window(tuple(tokens[s : s + length + 1]), tuple(labels[s : s + length + 1])) for s in starts]
    marks = {vocabulary.start, vocabulary.end}
    return [one for one in found if at == "themes" or all_windows or marks & set(one.tokens)]


def shift_range(tokens: Iterable[int], vocabulary: ThemeVocabulary) -> tuple[int, int]:
    """Lowest and highest shift (both included) that keep all pitches within 1 … 126, as published; (0, 0) without
    notes."""
    pitches = [int(vocabulary.value[token]) for token in tokens if vocabulary.kind[token] in range(1, 4)]
    return (1 - min(pitches), 126 - max(pitches)) if pitches else (0, 0)


def shift_pitches(tokens: Iterable[int], vocabulary: ThemeVocabulary, semitones: int) -> list[int]:
    """The tokens with all pitches moved; every pitch must stay within 1 … 127.

    Raises:
        ValueError: one does not.
    """
    moved = []
    for token in tokens:
        if vocabulary.kind[token] in range(1, 4):
            if not 1 <= vocabulary.value[token] + semitones <= 127:
                raise ValueError(f"a shift of {semitones} semitones leads out of the pitches 1 to 127")
            token += semitones
        moved.append(token)
    return moved
