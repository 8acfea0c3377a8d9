"""Does a melody suit the chords below it, and is it a tune? One line of notes measured against spans of chords."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from orchestrion.evaluation.continuation import Figure
from orchestrion.evaluation.harmony import chord_tone_ratio, melody_chord_tonal_distance, pitch_consonance_score
from orchestrion.evaluation.notes import Notes
from orchestrion.evaluation.structure import repetition_rate
from orchestrion.theory.chords import ChordSpan
from orchestrion.theory.harmony import MelodyNote

FIGURES = (
    Figure("chord_tones", "share of notes that belong to the chord or step on (CTnCTR)", "own"),
    Figure("consonance", "mean consonance of melody and chord (PCS)", "own"),
    Figure("tonal_distance", "mean distance of melody and chord in tonal space (MCTD)", "own"),
    Figure("notes_a_quarter", "notes that begin in a quarter note, on average", "own"),
    Figure("step", "mean interval between neighbours in semitones", "own"),
    Figure("range", "semitones from the lowest note to the highest", "own"),
    Figure("repetition", "share of bars heard before, perhaps transposed", "own"),
    Figure("silence", "share of time without a note", "own"),
)


def melody_figures(melody: Notes, chords: Sequence[ChordSpan], *, quarters: float) -> dict[str, float]:
    """Measures of a melody over the first `quarters` quarter notes; NaN where there is nothing to measure.

    Args:
        melody: one note at a time, see `melody_line`.
        chords: spans in quarter notes from the start.
    """
    line = melody.select(melody.start < quarters * melody.resolution)
    scale = 1 / melody.resolution
    spans = [
        MelodyNote(onset=float(start * scale), duration=float((stop - start) * scale), pitch=int(pitch))
        for start, stop, pitch in zip(line.start, line.stop, line.pitch, strict=True)
    ]
    steps = np.abs(np.diff(line.pitch))
    sounding = float(np.minimum(line.stop, quarters * melody.resolution).sum() - line.start.sum()) * scale
    return {
        "chord_tones": chord_tone_ratio(spans, chords),
        "consonance": pitch_consonance_score(spans, chords),
        "tonal_distance": melody_chord_tonal_distance(spans, chords),
        "notes_a_quarter": len(line) / quarters,
        "step": float(steps.mean()) if len(steps) else float("nan"),
        "range": float(np.ptp(line.pitch)) if len(line) else float("nan"),
        "repetition": repetition_rate(line),
        "silence": 1 - sounding / quarters,
    }
