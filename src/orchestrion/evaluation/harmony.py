"""Metrics of chords: accuracy of three kinds, progressions, and how melody and chords fit (Yeh et al. 2021)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from orchestrion.evaluation.pitch import entropy
from orchestrion.theory.chords import INTERVALS, NO_CHORD, UNKNOWN_CHORD, Chord, ChordSpan
from orchestrion.theory.harmony import MelodyNote

CONSONANT = {0: 1.0, 3: 1.0, 4: 1.0, 7: 1.0, 8: 1.0, 9: 1.0, 5: 0.0}
"""Interval in semitones within the octave → score of a pitch pair; all others −1."""
_RADII = (1.0, 1.0, 0.5)
_TURNS = (7 / 6, 3 / 2, 2 / 3)  # half turns a semitone of the circles of fifths, minor thirds and major thirds


def chord_accuracy(found: Sequence[Sequence[Chord | None]], truth: Sequence[Sequence[Chord | None]]) -> float:
    """CA of PopMAG and GETMusic: share of bars of tracks whose inferred chord equals that of the ground truth.

    Args:
        found, truth: per track, the chord of each bar (root and quality count, the bass does not). Bars that the ground
            truth leaves without a chord do not count; bars that are missing in `found` are wrong.

    Raises:
        ValueError: the number of tracks differs.
    """
    if len(found) != len(truth):
        raise ValueError(f"{len(found)} tracks cannot be compared with {len(truth)}")
    right = total = 0
    for made, known in zip(found, truth, strict=True):
        for bar, chord in enumerate(known):
            if chord is not None and chord.root is not None:
                total += 1
                right += bar < len(made) and same_chord(made[bar], chord)
    return right / total if total else float("nan")


def any_track_accuracy(found: Sequence[Sequence[Chord | None]], truth: Sequence[Chord | None]) -> float:
    """CA on the full mix: share of bars whose chord is found in at least one track."""
    bars = [i for i, chord in enumerate(truth) if chord is not None and chord.root is not None]
    hits = [any(bar < len(track) and same_chord(track[bar], truth[bar]) for track in found) for bar in bars]
    return float(np.mean(hits)) if bars else float("nan")


def same_chord(first: Chord | None, second: Chord | None) -> bool:
    """Whether root and quality agree."""
    if first is None or second is None:
        return first is second
    return (first.root, first.quality) == (second.root, second.quality)


def melody_chord_accuracy(melody: Sequence[MelodyNote], chords: Sequence[ChordSpan]) -> float:
    """CA of TeleMelody: share of melody notes whose pitch class belongs to the chord that sounds at their onset.

    Notes without a chord do not count.
    """
    pairs = [(note, _chord_at(chords, note.onset)) for note in melody]
    hits = [note.pitch % 12 in chord.pitch_classes for note, chord in pairs if chord is not None]
    return float(np.mean(hits)) if hits else float("nan")


def frame_accuracy(found: Sequence[ChordSpan], truth: Sequence[ChordSpan]) -> float:
    """Share of time at which chords agree as major or minor triads or as no chord, over the time at which the truth is
    one of these: mir_eval's "majmin".

    Of a chord, its root and what lies up to a fifth above it count, the bass included, so that C:maj7 is C major, and
    C:aug, C:hdim7, C:maj/2 and X are neither. Time that `found` does not cover counts as no chord.
    """
    right = total = 0.0
    for span in truth:
        known = _triad(span.chord)
        if known is None:
            continue
        total += span.end - span.start
        borders = sorted(
            {span.start, span.end, *(t for s in found for t in (s.start, s.end) if span.start < t < span.end)}
        )
        for a, b in pairwise(borders):
            right += (b - a) * (_triad(_label_at(found, (a + b) / 2)) == known)
    return right / total if total > 0 else float("nan")


def chord_progression_irregularity(chords: Sequence[object], *, musdr_compat: bool = False) -> float:
    """CPI: different runs of three chords by runs of three chords (Wu & Yang 2020); 1 with fewer than three.

    Args:
        chords: labels, the same chord held counting once a label.
        musdr_compat: the published count of runs, which is one too few (and 1 for up to three chords).
    """
    runs = [tuple(chords[i : i + 3]) for i in range(len(chords) - 2)]
    if musdr_compat:
        runs = runs if len(chords) > 3 else []
        return min(len(set(runs)) / (len(chords) - 3), 1.0) if runs else 1.0
    return len(set(runs)) / len(runs) if runs else 1.0


def unique_chords(chords: Sequence[Chord]) -> float:
    """Number of different roots and qualities, inversions aside; silence is no chord (ImprovNet)."""
    return float(len({(chord.root, chord.quality) for chord in chords if chord.root is not None}))


def chord_histogram_entropy(chords: Sequence[Chord]) -> float:
    """CHE: entropy in nats over chord labels; NaN without chords."""
    return entropy(np.array(list(Counter(chords).values())), base=float(np.e))


def chord_coverage(chords: Sequence[Chord]) -> float:
    """CC: number of different chord labels."""
    return float(len(set(chords)))


def tonal_centroid(weights: Float[np.ndarray, " 12"]) -> Float[np.ndarray, " 6"]:
    """Six-dimensional tonal centroid of a pitch-class vector (Harte, Sandler & Gasser 2006): its place on the circles
    of fifths and minor thirds (radius 1) and of major thirds (0.5); the origin for silence."""
    total = float(np.sum(weights))
    if total <= 0:
        return np.zeros(6)
    angle = np.pi * np.outer(_TURNS, np.arange(12))
    circles = np.stack([np.sin(angle), np.cos(angle)], 1).reshape(6, 12) * np.repeat(_RADII, 2)[:, None]
    return circles @ np.asarray(weights, float) / total


def tonal_distance(first: Float[np.ndarray, " 12"], second: Float[np.ndarray, " 12"]) -> float:
    """TD: Euclidean distance of two tonal centroids: C–Am 0.799, C–G 1.213, C–F♯ 1.970."""
    return float(np.linalg.norm(tonal_centroid(first) - tonal_centroid(second)))


def chord_vector(chord: Chord) -> Float[np.ndarray, " 12"]:
    """One for each pitch class of a chord."""
    vector = np.zeros(12)
    vector[list(chord.pitch_classes)] = 1.0
    return vector


def chord_tonal_distance(chords: Sequence[Chord]) -> float:
    """CTD: mean tonal distance of neighbouring chords; NaN with fewer than two."""
    steps = [tonal_distance(chord_vector(a), chord_vector(b)) for a, b in pairwise(chords)]
    return float(np.mean(steps)) if steps else float("nan")


def chord_tone_ratio(melody: Sequence[MelodyNote], chords: Sequence[ChordSpan]) -> float:
    """CTnCTR: (chord tones + proper other notes) by all notes under a chord; a note outside its chord is proper where
    the next note is at most two semitones away."""
    chord_tones = proper = others = 0
    notes = sorted(melody, key=lambda note: note.onset)
    for index, note in enumerate(notes):
        chord = _chord_at(chords, note.onset)
        if chord is None:
            continue
        if note.pitch % 12 in chord.pitch_classes:
            chord_tones += 1
            continue
        others += 1
        proper += index + 1 < len(notes) and abs(notes[index + 1].pitch - note.pitch) <= 2
    total = chord_tones + others
    return (chord_tones + proper) / total if total else float("nan")


def pitch_consonance_score(melody: Sequence[MelodyNote], chords: Sequence[ChordSpan], *, window: float = 0.25) -> float:
    """PCS: mean over windows of a sixteenth, of the mean over chord notes, of the interval from chord note up to melody
    note: 1 unison, thirds, fifth and sixths, 0 fourth, −1 others; windows without melody or chord do not count."""
    values = []
    end = max((note.onset + note.duration for note in melody), default=0.0)
    for index in range(int(np.ceil(end / window - 1e-9))):
        time = (index + 0.5) * window
        chord = _chord_at(chords, time)
        sounding = [note.pitch for note in melody if note.onset <= time < note.onset + note.duration]
        if chord is not None and sounding:
            pairs = [CONSONANT.get((p - c) % 12, -1.0) for p in sounding for c in chord.pitch_classes]
            values.append(np.mean(pairs))
    return float(np.mean(values)) if values else float("nan")


def melody_chord_tonal_distance(melody: Sequence[MelodyNote], chords: Sequence[ChordSpan]) -> float:
    """MCTD: mean tonal distance between each melody note and the chord at its onset, weighted by duration."""
    total = weight = 0.0
    for note in melody:
        chord = _chord_at(chords, note.onset)
        if chord is not None:
            alone = np.eye(12)[note.pitch % 12]
            total += note.duration * tonal_distance(alone, chord_vector(chord))
            weight += note.duration
    return total / weight if weight > 0 else float("nan")


def _chord_at(chords: Sequence[ChordSpan], time: float) -> Chord | None:
    """The chord that sounds at a time; None for silence."""
    chord = _label_at(chords, time)
    return chord if chord.root is not None else None


def _label_at(chords: Sequence[ChordSpan], time: float) -> Chord:
    """What is written at a time; no chord where nothing is."""
    return next((span.chord for span in chords if span.start - 1e-9 <= time < span.end - 1e-9), NO_CHORD)


def _triad(chord: Chord) -> tuple[object, str] | None:
    """Root and mode, ("N", "N") for no chord; None for chords that are no major or minor triad up to the fifth."""
    if chord.root is None:
        return None if chord == UNKNOWN_CHORD else ("N", "N")
    tones = chord.tones | {0 if chord.bass is None else (chord.bass - chord.root) % 12}
    for mode in ("maj", "min"):
        if {tone for tone in tones if tone < 8} == set(INTERVALS[mode]):
            return chord.root, mode
    return None
