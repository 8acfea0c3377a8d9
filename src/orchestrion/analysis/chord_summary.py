"""The chord sequence that stands for a piece: its commonest run of 3 to 5 chords (MidiCaps, arXiv 2406.02255)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def commonest_run(chords: Sequence[str], length: int) -> tuple[tuple[str, ...], int]:
    """The most frequent run of `length` chords that does not end on the chord it begins with, and its count.

    Overlapping occurrences count; of equals the first wins. Without any such run: an empty tuple and 0.
    """
    counts: Counter[tuple[str, ...]] = Counter()
    for start in range(len(chords) - length + 1):
        run = tuple(chords[start : start + length])
        if run[0] != run[-1]:
            counts[run] += 1
    return counts.most_common(1)[0] if counts else ((), 0)


def chord_summary(chords: Sequence[str]) -> tuple[tuple[str, ...], int]:
    """The summary of a chord sequence and how often it occurs.

    Runs of 3, 4 and 5 chords compete: the five win with more than a quarter of all three counts and 0.79 of the four's;
    else the four with more than 0.3 and 0.79 of the three's; else the three. A four "A B A B" is cut to "A B". Fewer
    than three chords are their own summary, once.

    >>> chord_summary(["C", "G", "Am", "F"] * 6)
    (('C', 'G', 'Am', 'F'), 6)
    """
    if len(chords) < 3:
        return tuple(chords), min(len(chords), 1)
    (three, n3), (four, n4), (five, n5) = (commonest_run(chords, length) for length in (3, 4, 5))
    total = n3 + n4 + n5
    if total == 0:
        return (), 0
    if n5 > 0.25 * total and n5 > 0.79 * n4:
        return five, n5
    if n4 > 0.3 * total and n4 > 0.79 * n3:
        return (four[:2] if four[:2] == four[2:] else four), n4
    return (three, n3) if n3 else (four, n4) if n4 else (five, n5)
