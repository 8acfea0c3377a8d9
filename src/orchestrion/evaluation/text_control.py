"""Does a piece have what was asked for, and does it begin and end like music? Measures for text-to-music systems."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orchestrion.analysis.instruments import instrument_name
from orchestrion.analysis.symbolic import SymbolicFeatures, features
from orchestrion.evaluation.melody_line import melody_line
from orchestrion.evaluation.notes import Notes
from orchestrion.evaluation.rhythm import sounding_bars
from orchestrion.media.timeline import Timeline
from orchestrion.theory.chord_inference import infer_chords
from orchestrion.theory.keys import Key, find_key

if TYPE_CHECKING:
    from symusic.core import ScoreTick

TEMPO_TOLERANCE = 0.1  # of the asked tempo
STUB = 0.25  # quarters: a note as short as this that ends with the piece was cut by the end
PHRASE_BARS, PHRASE_WINDOW = 2, 16
ALIKE = 0.8  # Jaccard similarity from which two phrases count as the same


@dataclass(frozen=True, slots=True)
class Match:
    """How well a set of things agrees with the one that was asked for."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class Control:
    """What was asked of one piece and what it has; None for what was not asked.

    Attributes:
        instruments: see `instrument_match`.
        key, tempo, metre, bars, seconds: whether each is as asked, see `measure_control`.
        empty_bars: share of the bars between the first and the last note in which nothing sounds.
        cut_notes: number of notes that are cut by the end, see `cut_notes`.
        cadence: whether the last chord is the tonic of the asked key, or of the key that is found.
        repeated_phrase: see `repeats_phrase`; None for pieces of fewer than four bars.
        found: features of the piece.
    """

    instruments: Match | None
    key: bool | None
    tempo: bool | None
    metre: bool | None
    bars: bool | None
    seconds: bool | None
    empty_bars: float
    cut_notes: int
    cadence: bool
    repeated_phrase: bool | None
    found: SymbolicFeatures


def measure_control(
    score: ScoreTick,
    *,
    programs: Collection[int] | None = None,
    key: Key | None = None,
    tempo: float | tuple[float, float] | None = None,
    metre: tuple[int, int] | None = None,
    bars: int | None = None,
    seconds: float | None = None,
) -> Control:
    """Compares a piece with what was asked for.

    Args:
        programs: General MIDI programs, 128 for drums.
        key: tonic and mode must be those that `theory.keys.find_key` finds.
        tempo: quarters a minute, met within 10 %; or a range of them, met within 10 % of its borders.
        metre: that of most bars must equal it; 2/2 and 4/4 differ.
        bars: up to the last note, exactly.
        seconds: up to the last note, within the length of the last bar.
    """
    found = features(score, chord_frame=None)
    low, high = (tempo, tempo) if isinstance(tempo, int | float) else tempo or (0.0, 0.0)
    timeline = Timeline.from_score(score)
    return Control(
        instruments=None if programs is None else instrument_match(found.instruments, programs),
        key=None if key is None else found.key == key,
        tempo=None if tempo is None else tempo_matches(found.tempo, low, high),
        metre=None if metre is None else found.metre == metre,
        bars=None if bars is None else found.bars == bars,
        seconds=None if seconds is None else abs(found.seconds - seconds) <= last_bar_seconds(timeline) + 1e-6,
        empty_bars=empty_bars(score),
        cut_notes=cut_notes(score, bars=bars),
        cadence=ends_on_tonic(score, key=key),
        repeated_phrase=repeats_phrase(score) if found.bars >= 2 * PHRASE_BARS else None,
        found=found,
    )


def instrument_match(found: Collection[int], asked: Collection[int]) -> Match:
    """Precision, recall and F1 of instruments, by the names that captions use (`analysis.instruments`): programs of one
    name are one instrument.

    Asked for nothing and playing nothing is a perfect match.
    """
    have, want = ({instrument_name(program) for program in programs} for programs in (found, asked))
    if not have and not want:
        return Match(1.0, 1.0, 1.0)
    common = len(have & want)
    precision, recall = common / len(have) if have else 0.0, common / len(want) if want else 0.0
    return Match(precision, recall, 2 * common / (len(have) + len(want)))


def tempo_matches(found: float, low: float, high: float | None = None, *, tolerance: float = TEMPO_TOLERANCE) -> bool:
    """Whether a tempo lies in a range that is widened by `tolerance` times its borders."""
    return low * (1 - tolerance) - 1e-6 <= found <= (low if high is None else high) * (1 + tolerance) + 1e-6


def last_bar_seconds(timeline: Timeline) -> float:
    """Length of the last bar; 0 without music."""
    if not timeline.n_bars:
        return 0.0
    borders = timeline.bar_to_tick(np.array([timeline.n_bars - 1.0, timeline.n_bars]))
    return float(np.diff(timeline.tick_to_second(borders))[0])


def empty_bars(score: ScoreTick) -> float:
    """Share of the bars from the first to the last sounding one in which nothing sounds, drums included; NaN without
    notes."""
    sounding = np.flatnonzero(sounding_bars(Notes.from_score(score)))
    return float(1 - len(sounding) / (sounding[-1] - sounding[0] + 1)) if len(sounding) else float("nan")


def cut_notes(score: ScoreTick, *, bars: int | None = None) -> int:
    """Number of pitched notes that the end of the piece cuts: those that last beyond the last bar that was asked for,
    and those that end with it after no more than a sixteenth, as if the next note were missing.

    A piece whose last bar line is passed by nothing, and whose last notes are held, has none.
    """
    notes = Notes.from_score(score)
    if not len(notes):
        return 0
    timeline = Timeline.from_score(score)
    border = float(timeline.bar_to_tick(float(timeline.n_bars if bars is None else bars)))
    pitched = notes.pitched
    over = pitched.stop > border + 1
    stub = (pitched.stop >= notes.bars[-1]) & (pitched.stop - pitched.start <= STUB * notes.resolution)
    return int((over | stub).sum())


def ends_on_tonic(score: ScoreTick, *, key: Key | None = None) -> bool:
    """Whether the last chord is the tonic: the chord of the last half bar in which any pitch sounds has the tonic as
    its root, or the tonic is the lowest of the pitches that sound last and all of them belong to its triad.

    Args:
        key: by default the key that is found. A piece without pitches has no cadence.
    """
    key = key or find_key(score)
    pitched = Notes.from_score(score).pitched
    if key is None or not len(pitched):
        return False
    last = pitched.pitch[pitched.stop >= pitched.end - pitched.resolution // 8]
    third = 4 if key.mode == "major" else 3
    triad = {(key.tonic + step) % 12 for step in (0, third, 7)}
    if int(last.min()) % 12 == key.tonic and set((last % 12).tolist()) <= triad:
        return True
    end = pitched.end / pitched.resolution
    sounding = [span for span in infer_chords(score, frame="half") if span.start < end - 1e-6]
    return sounding[-1].chord.root == key.tonic


def repeats_phrase(score: ScoreTick, *, track: int | None = None) -> bool:
    """Whether some phrase of the melody of two bars comes again within 16 bars, transposed or not.

    Phrases are sets of (position on a grid of twelve steps a quarter, pitch above the first note's); they are the same
    from a Jaccard similarity of 0.8. A phrase has at least three notes, and does not overlap its repetition.

    Args:
        track: index of the melody, see `evaluation.melody_line`.
    """
    line = melody_line(score, track=track)
    phrases: list[frozenset[tuple[int, int]] | None] = []
    for first in range(max(line.n_bars - PHRASE_BARS + 1, 0)):
        start, stop = line.bars[first], line.bars[first + PHRASE_BARS]
        inside = np.flatnonzero((line.start >= start) & (line.start < stop))
        pitches = line.pitch[inside] - line.pitch[inside[0]] if len(inside) >= 3 else None
        places = (line.start[inside] - start).tolist()
        phrases.append(None if pitches is None else frozenset(zip(places, pitches.tolist(), strict=True)))
    for first, phrase in enumerate(phrases):
        if phrase is None:
            continue
        for other in phrases[first + PHRASE_BARS : first + PHRASE_WINDOW - PHRASE_BARS + 1]:
            if other is not None and len(phrase & other) >= ALIKE * len(phrase | other):
                return True
    return False
