"""Slices as words: the pitch classes that sound in a beat, as a number of twelve bits (Chuan, Agres & Herremans 2018).

C is bit 0 and B bit 11, so that C-E-G is 145. A slice of silence is 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from symusic.core import ScoreTick

SILENCE = 0
TOLERANCE = 0.02  # quarters that a note may ring over into the next slice


def score_slices(
    score: ScoreTick, *, beats: float = 1.0, legacy: bool = False, tracks: Iterable[int] | None = None
) -> list[int]:
    """The word of each slice of `beats` quarter notes, from the start to the last note; drums are left out.

    Args:
        legacy: as the published slicer: times are rounded to three decimals, and a note that ends on a beat also marks
            the slice that begins there.
        tracks: their numbers; all by default.
    """
    chosen = range(len(score.tracks)) if tracks is None else tracks
    spans: list[tuple[float, float, int]] = []
    for number in chosen:
        track = score.tracks[number]
        if track.is_drum or not len(track.notes):
            continue
        notes = track.notes.numpy()
        starts = notes["time"] / score.ticks_per_quarter
        ends = (notes["time"] + notes["duration"]) / score.ticks_per_quarter
        spans += zip(starts.tolist(), ends.tolist(), (notes["pitch"] % 12).tolist(), strict=True)
    return span_slices(spans, beats=beats, legacy=legacy)


def span_slices(spans: Sequence[tuple[float, float, int]], *, beats: float = 1.0, legacy: bool = False) -> list[int]:
    """Words of notes given as (start, end, pitch class) in quarter notes; see `score_slices`."""
    if not spans:
        return []
    if legacy:
        rounded = [(round(start, 3), round(end - start, 3), pc) for start, end, pc in spans]
        count = int(max(start + length for start, length, _ in rounded) // beats) + 1
        words = [0] * count
        for start, length, pc in rounded:
            for place in range(int(start // beats), min(int((start + length) // beats), count - 1) + 1):
                words[place] |= 1 << pc
        return words
    count = max(int(np.ceil((max(end for _, end, _ in spans) - TOLERANCE) / beats)), 1)
    words = [0] * count
    for start, end, pc in spans:
        first = int((start + TOLERANCE) // beats)
        last = max(int(np.ceil((end - TOLERANCE) / beats)), first + 1)
        for place in range(first, min(last, count)):
            words[place] |= 1 << pc
    return words


def pitch_classes(word: int) -> list[int]:
    """Pitch classes of a word, in ascending order."""
    return [pc for pc in range(12) if word >> pc & 1]


def word_of(classes: Iterable[int]) -> int:
    """The word of pitch classes."""
    word = 0
    for pc in classes:
        word |= 1 << (pc % 12)
    return word


def transpose_word(word: int, semitones: int) -> int:
    """The word with all its pitch classes moved up."""
    shift = semitones % 12
    return (word << shift | word >> (12 - shift)) & 0xFFF


def triad(root: int, kind: str = "major") -> int:
    """The word of a triad: "major", "minor" or "diminished"."""
    third, fifth = {"major": (4, 7), "minor": (3, 7), "diminished": (3, 6)}[kind]
    return word_of((root, root + third, root + fifth))


def drop_long_silences(words: Sequence[int], most: int = 1) -> list[int]:
    """Words with runs of silence cut to `most`, as they would flood the contexts."""
    kept: list[int] = []
    run = 0
    for word in words:
        run = run + 1 if word == SILENCE else 0
        if run <= most:
            kept.append(word)
    return kept
