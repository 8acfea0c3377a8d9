"""Metrics of rhythm: grooves, distances of onsets, lengths. Drums count unless they are left out of the notes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from jaxtyping import Float

from orchestrion.evaluation.notes import Notes, onset_grid

# in 96ths of a bar: whole to 16th, dotted half to dotted 16th, triplet half, quarter and eighth (MGEval)
NOTE_LENGTHS = (96, 48, 24, 12, 6, 72, 36, 18, 9, 32, 16, 8)
DRUM_PATTERNS = {"duple": 4, "triple": 3}


def grooving_similarity(notes: Notes, *, positions: int = 16, musdr_compat: bool = False) -> float:
    """GS: how alike the rhythms of all pairs of bars are, 0 to 1 (Wu & Yang 2020).

    Of each bar, whether any note begins at each of its positions; of each pair of bars, 1 − share of positions that
    differ; the mean over all pairs. The published code takes 1,000 pairs by chance where there are more; here all
    count. The value depends on `positions` (64 in the paper): compare equal ones only. One bar alone gives NaN.

    Args:
        musdr_compat: as published: a last bar in which no note begins does not count.
    """
    notes = notes.without_empty_last_bar if musdr_compat else notes
    grid = onset_grid(notes, positions=positions).astype(float)
    bars = len(grid)
    if bars < 2:
        return float("nan")
    onsets = grid.sum(1)
    # Σ over pairs a < b of |a| + |b| − 2 a·b
    common = (np.square(grid.sum(0)).sum() - onsets.sum()) / 2
    different = (bars - 1) * onsets.sum() - 2 * common
    return float(1 - different / (bars * (bars - 1) / 2) / positions)


def groove_consistency(notes: Notes, *, positions: int = 16, muspy_compat: bool = False) -> float:
    """How alike the rhythms of neighbouring bars are: 1 − mean share of positions that differ (MusPy).

    Args:
        muspy_compat: MusPy's own bars: all as long as the first, one position a grid step (`positions` is not used),
            and one more bar than the music fills where it ends on a bar line. ImprovNet gives it bars of one beat of
            480 positions, so that every value is near 0.99.
    """
    if muspy_compat:
        length = int(notes.bars[1] - notes.bars[0]) if notes.n_bars else 0
        grid = np.zeros((notes.end // length + 1 if length else 0, length), bool)
        if len(notes):
            grid[notes.start // length, notes.start % length] = True
    else:
        grid = onset_grid(notes, positions=positions)
    return float(1 - (grid[1:] != grid[:-1]).mean()) if len(grid) > 1 else float("nan")


def average_inter_onset_interval(notes: Notes) -> float:
    """Mean time in seconds between consecutive onsets, the notes of a chord 0 apart (MGEval's avg_IOI)."""
    onsets = np.sort(notes.start_second)
    return float(np.diff(onsets).mean()) if len(onsets) > 1 else float("nan")


def note_density(notes: Notes, *, window: float = 5.0) -> float:
    """Mean number of notes that begin in a window of so many seconds (ImprovNet).

    Windows follow each other from time 0 to the end of the last note; the last one counts as a whole one.
    """
    if not len(notes):
        return float("nan")
    windows = max(int(np.ceil(notes.stop_second.max() / window - 1e-9)), 1)
    return len(notes) / windows


def empty_beat_rate(notes: Notes, *, muspy_compat: bool = False) -> float:
    """Share of quarter notes in which nothing sounds, up to the end of the music.

    Args:
        muspy_compat: as MusPy, which counts one beat more where the music ends on a beat, and takes a note that ends
            on a beat as sounding in it.
    """
    return _empty_rate(notes, notes.resolution, muspy_compat)


def empty_measure_rate(notes: Notes, *, muspy_compat: bool = False) -> float:
    """Share of bars in which nothing sounds, up to the end of the music; EB of MuseGAN.

    Args:
        muspy_compat: see `empty_beat_rate`; all bars as long as the first.
    """
    if muspy_compat and notes.n_bars:
        return _empty_rate(notes, int(notes.bars[1] - notes.bars[0]), True)
    if not len(notes):
        return float("nan")
    return float(1 - sounding_bars(notes).mean())


def sounding_bars(notes: Notes) -> np.ndarray:
    """[bars] whether anything sounds in each bar."""
    first = np.searchsorted(notes.bars, notes.start, side="right") - 1
    return _covered(first, np.searchsorted(notes.bars, notes.stop) - 1, notes.n_bars)


def _empty_rate(notes: Notes, unit: int, muspy_compat: bool) -> float:
    if not len(notes):
        return float("nan")
    if muspy_compat:
        covered = _covered(notes.start // unit, notes.stop // unit, notes.end // unit + 1)
    else:
        covered = _covered(notes.start // unit, (notes.stop - 1) // unit, -(-notes.end // unit))
    return float(1 - covered.mean())


def _covered(first: np.ndarray, last: np.ndarray, count: int) -> np.ndarray:
    """[count] which cells lie in any of the ranges, both ends included."""
    change = np.zeros(count + 1, np.int64)
    np.add.at(change, np.clip(first, 0, count), 1)
    np.add.at(change, np.clip(last + 1, 0, count), -1)
    return np.cumsum(change)[:count] > 0


def note_length_classes(lengths: np.ndarray) -> np.ndarray:
    """Index in `NOTE_LENGTHS` of the nearest length; of equals the first. Lengths in 96ths of a bar."""
    return np.abs(np.asarray(lengths, float)[:, None] - np.array(NOTE_LENGTHS)).argmin(1)


def note_length_histogram(
    notes: Notes, *, bar_quarters: float = 4.0, pauses: bool = False, mgeval_compat: bool = False
) -> Float[np.ndarray, " n"]:
    """Shares of 12 classes of note lengths, whole to triplet eighth (MGEval); NaN without notes.

    Args:
        bar_quarters: the bar in quarters, of which 96ths are the unit. MGEval assumes 4 for every metre that is not
            written on the track itself.
        pauses: 12 more classes for the rests between the notes.
        mgeval_compat: the pauses as published: from an end to the beginning that follows it, although other notes may
            still sound, and only where it is less than 3/96 of a bar from its class. A note ends with the first end of
            its pitch.
    """
    if pauses and mgeval_compat:
        classes, before = _published_pauses(notes, bar_quarters * notes.resolution / 96)
        classes = np.concatenate([classes, 12 + note_length_classes(before[_near_a_class(before)])])
    else:
        classes = length_sequence(notes, bar_quarters=bar_quarters, pauses=pauses)
    counts = np.bincount(classes, minlength=24 if pauses else 12).astype(float)
    return counts / counts.sum() if counts.sum() else np.full(len(counts), np.nan)


def note_length_transition_matrix(
    notes: Notes, *, bar_quarters: float = 4.0, pauses: bool = False, mgeval_compat: bool = False
) -> Float[np.ndarray, "n n"]:
    """Counts of one class of length (row) followed by another (column), in order of onset (MGEval); see
    `note_length_histogram`.

    Args:
        mgeval_compat: the pauses as published: a pause is counted as a transition from the note after it to a pause of
            that note's class; where it is 3/96 of a bar or more from its class, it is not counted, but its class is the
            row of the next transition.
    """
    counts = np.zeros((24, 24) if pauses else (12, 12))
    if pauses and mgeval_compat:
        last: int | None = None
        lengths, gaps = _published_pauses(notes, bar_quarters * notes.resolution / 96)
        for here, gap, near in zip(lengths, gaps, _near_a_class(gaps), strict=True):
            if last is not None:
                counts[last, here] += 1
            last = int(here)
            if near:
                counts[here, here + 12] += 1
            elif gap >= 0:
                last = int(note_length_classes(np.array([gap]))[0])
        return counts
    classes = length_sequence(notes, bar_quarters=bar_quarters, pauses=pauses)
    np.add.at(counts, (classes[:-1], classes[1:]), 1)
    return counts


def _published_pauses(notes: Notes, unit: float) -> tuple[np.ndarray, np.ndarray]:
    """Class of each note, up to the first end of its pitch, and the time before it in units since the last event, if
    that was an end (else −1)."""
    ends = [(int(stop), 0, -1) for stop in notes.stop]
    events = sorted([*ends, *((int(start), 1, index) for index, start in enumerate(notes.start))])
    gaps = np.full(len(notes), -1.0)
    for (time, begins, _), (following, begins_next, index) in pairwise(events):
        if begins_next and not begins:
            gaps[index] = (following - time) / unit
    first = notes.stop.copy()
    for value in np.unique(notes.pitch):
        same = np.flatnonzero(notes.pitch == value)
        stops = np.sort(notes.stop[same])
        first[same] = stops[np.searchsorted(stops, notes.start[same], side="right")]
    return note_length_classes((first - notes.start) / unit), gaps


def _near_a_class(lengths: np.ndarray) -> np.ndarray:
    """Whether each length, in 96ths of a bar, is less than 3 from the nearest class; −1, which is none, is not."""
    distance = np.abs(lengths - np.array(NOTE_LENGTHS)[note_length_classes(lengths)])
    return (lengths >= 0) & (distance < 3)


def length_sequence(notes: Notes, *, bar_quarters: float, pauses: bool) -> np.ndarray:
    """Classes of the lengths of notes in order of onset; with pauses, a rest (12 + class) after a note that ends before
    the next begins, where it is at least 1/96 of a bar."""
    unit = bar_quarters * notes.resolution / 96
    sounding = note_length_classes((notes.stop - notes.start) / unit)
    if not pauses or len(notes) < 2:
        return sounding
    gaps = (notes.start[1:] - np.maximum.accumulate(notes.stop)[:-1]) / unit
    rests = 12 + note_length_classes(gaps)
    sequence = np.stack([sounding[:-1], np.where(gaps >= 1, rests, -1)], 1).reshape(-1)
    return np.append(sequence[sequence >= 0], sounding[-1])


def drum_in_pattern_rate(notes: Notes, *, metre: str) -> float:
    """Share of drum onsets on sixteenths ("duple") or eighth triplets ("triple") of the beat (MusPy, MuseGAN).

    Raises:
        ValueError: the metre is unknown.
    """
    if metre not in DRUM_PATTERNS:
        raise ValueError(f"drum pattern {metre!r} is unknown; known are {', '.join(DRUM_PATTERNS)}")
    drums = notes.drums
    if not len(drums):
        return float("nan")
    return float((drums.start * DRUM_PATTERNS[metre] % notes.resolution == 0).mean())


def drum_pattern_consistency(notes: Notes) -> float:
    """The greater of the two rates of `drum_in_pattern_rate` (MusPy)."""
    return max(drum_in_pattern_rate(notes, metre=metre) for metre in DRUM_PATTERNS)


def qualified_note_rate(notes: Notes, *, shortest: float = 0.125) -> float:
    """Share of notes at least so many quarters long; 1/8 (a 32nd) is three steps of MuseGAN's grid."""
    if not len(notes):
        return float("nan")
    return float((notes.stop - notes.start >= shortest * notes.resolution - 1e-9).mean())
