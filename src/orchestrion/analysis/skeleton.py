"""Phrases of a tune, and the notes that carry it: a reconstruction after the idea of Lv et al. 2024 (arXiv 2410.08626),
of which only the abstract says what it does, with the rules of WuYun (Zhang et al. 2023, arXiv 2301.04488)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Int

from orchestrion.analysis.skyline import Line
from orchestrion.errors import OptionError
from orchestrion.theory.phrases import boundary_strengths

QUARTER, EIGHTH = 4, 2  # sixteenths
LBDM_THRESHOLD = 0.3  # best F on 623 xiaodiao with known phrases
SHORTEST_GAP = 24  # sixteenths from one boundary to the next by the rule: three bars of 2/4
SHORTEST, LONGEST = 2, 8  # bars of a phrase of at least half a bar of 4/4 each
COMMON_CLASSES = 5


@dataclass(frozen=True, slots=True, eq=False)
class Phrases:
    """The phrases of a line.

    Attributes:
        starts: index of the first note of each phrase, 0 first.
        of: phrase number of each note.
    """

    starts: tuple[int, ...]
    of: Int[np.ndarray, " notes"]

    @classmethod
    def at(cls, starts: list[int] | tuple[int, ...], notes: int) -> Phrases:
        """Phrases that begin at notes of these indices."""
        kept = tuple(sorted({0, *starts} - {n for n in starts if not 0 <= n < notes})) if notes else ()
        of = np.zeros(notes, np.int64)
        of[[start for start in kept if start]] = 1
        return cls(kept, np.cumsum(of))

    @property
    def spans(self) -> list[tuple[int, int]]:
        """[first, last) note of each phrase."""
        return list(pairwise([*self.starts, len(self.of)])) if self.starts else []


def find_phrases(line: Line, *, method: str = "rule", threshold: float = LBDM_THRESHOLD) -> Phrases:
    """Where phrases begin.

    "rule": after a note of at least a quarter that ends on a bar line or a rest does, three bars of 2/4 after the last
    boundary. "lbdm": at local maxima of the local boundary detection model. Then phrases of less than two bars are
    joined to the one before, and phrases of more than eight are halved at their strongest boundary. A bar of less than
    a half note counts as half of one.

    Raises:
        OptionError: the method is unknown.
    """
    if method not in ("rule", "lbdm"):
        raise OptionError(f"Phrases are found by 'rule' or 'lbdm', not by {method!r}.")
    count = len(line)
    if not count:
        return Phrases((), np.zeros(0, np.int64))
    strength = boundary_strengths(line.start.astype(float), line.stop.astype(float), line.pitch.astype(float))
    if method == "lbdm":
        around = np.pad(strength, 1)
        peak = (strength >= threshold) & (strength > around[:-2]) & (strength >= around[2:])
        starts = [0, *np.flatnonzero(peak).tolist()]
    else:
        starts = _after_long_notes(line)
    unit = line.bar if line.bar >= 8 else 2 * line.bar
    starts = _joined(line, sorted(set(starts)), SHORTEST * unit)
    return Phrases.at(_split(line, starts, strength, LONGEST * unit, SHORTEST * unit), count)


def _after_long_notes(line: Line) -> list[int]:
    starts, last = [0], int(line.start[0])
    for index in range(1, len(line)):
        following = int(line.start[index])
        long = line.stop[index - 1] - line.start[index - 1] >= QUARTER
        rest = following > line.stop[index - 1]
        on_line = line.stop[index - 1] % line.bar == 0 or following % line.bar == 0
        if long and (on_line or rest) and following - last >= SHORTEST_GAP:
            starts.append(index)
            last = following
    return starts


def _joined(line: Line, starts: list[int], shortest: int) -> list[int]:
    kept = [0]
    for start in starts[1:]:
        if line.start[start] - line.start[kept[-1]] >= shortest:
            kept.append(start)
    while len(kept) > 1 and line.stop[-1] - line.start[kept[-1]] < shortest:
        kept.pop()
    return kept


def _split(line: Line, starts: list[int], strength: np.ndarray, longest: int, shortest: int) -> list[int]:
    found = list(starts)
    for first, last in pairwise([*starts, len(line)]):
        end = int(line.stop[last - 1])
        if end - line.start[first] <= longest:
            continue
        inside = [
            index
            for index in range(first + 1, last)
            if line.start[index] - line.start[first] >= shortest and end - line.start[index] >= shortest
        ]
        if inside:
            middle = max(inside, key=lambda index: strength[index])
            found += _split(line.select(np.arange(len(line)) < last), [first, middle], strength, longest, shortest)
    return sorted(set(found))


def find_skeleton(line: Line, phrases: Phrases, *, method: str = "phrase") -> Bool[np.ndarray, " notes"]:
    """Which notes carry the tune.

    "phrase": first notes of bars that last an eighth, unique longest notes of bars that last a quarter, without those
    outside the five commonest pitch classes, and the last note of every phrase. "rhythm": WuYun's rhythmic skeleton,
    see `rhythm_marks`.

    Raises:
        OptionError: the method is unknown.
    """
    if method not in ("phrase", "rhythm"):
        raise OptionError(f"Skeletons are found by 'phrase' or 'rhythm', not by {method!r}.")
    if method == "rhythm":
        return rhythm_marks(line).skeleton
    length = line.stop - line.start
    chosen = (line.start % line.bar == 0) & (length >= EIGHTH)
    chosen |= _longest_of_bars(line) & (length >= QUARTER)
    weight = np.bincount(line.pitch % 12, length, minlength=12) if len(line) else np.zeros(12)
    common = np.argsort(-weight, kind="stable")[:COMMON_CLASSES]
    chosen &= np.isin(line.pitch % 12, common)
    chosen[[last - 1 for _, last in phrases.spans]] = True
    return chosen


def _longest_of_bars(line: Line, *, ties: bool = False) -> Bool[np.ndarray, " notes"]:
    """The longest note of each bar; none where several are (`ties`: then the first, unless all are equal)."""
    found = np.zeros(len(line), bool)
    bars, length = line.start // line.bar, line.stop - line.start
    for bar in np.unique(bars):
        inside = np.flatnonzero(bars == bar)
        longest = inside[length[inside] == length[inside].max()]
        if len(longest) == 1 and (len(inside) > 1 or not ties):
            found[longest] = True
        elif ties and 1 < len(longest) < len(inside):
            found[longest[0]] = True
    return found


@dataclass(frozen=True, slots=True, eq=False)
class RhythmMarks:
    """WuYun's marks of each note: metrical accent, syncopation, longest of its bar, and the skeleton they make."""

    downbeat: Bool[np.ndarray, " notes"]
    syncopation: Bool[np.ndarray, " notes"]
    long: Bool[np.ndarray, " notes"]

    @property
    def skeleton(self) -> Bool[np.ndarray, " notes"]:
        """Downbeats that are not syncopated, and notes that are both syncopated and long."""
        return (self.downbeat & ~self.syncopation) | (self.syncopation & self.long)


def rhythm_marks(line: Line) -> RhythmMarks:
    """Downbeats fall on the bar line and, in bars of an even number of quarters from four on, on the middle; a
    syncopated note that begins within the three sixteenths after cancels one. A syncopation begins between the places
    of the grid of quarters, eighths or sixteenths and lasts beyond the next. Long is the longest of a bar, the first of
    several, none where all are equal."""
    bar = line.bar
    strong = bar // 2 if bar % 8 == 0 and bar >= 16 else bar
    syncopated = np.zeros(len(line), bool)
    for grid in (QUARTER, EIGHTH):
        inside = line.start % grid
        syncopated |= (inside == grid // 2) & (line.stop > line.start - inside + grid)
    downbeat = line.start % strong == 0
    for index in np.flatnonzero(downbeat):
        near = syncopated & (line.start > line.start[index]) & (line.start <= line.start[index] + 3)
        downbeat[index] = not near.any()
    return RhythmMarks(downbeat, syncopated, _longest_of_bars(line, ties=True))
