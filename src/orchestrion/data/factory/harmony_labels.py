"""Chord labels for scores in full harmony, such as chorales: templates on every beat, joined by a Viterbi search.

In four-part writing every note counts, so a template match with the bass as a witness for the root is enough; melodies
without harmony go through `theory.harmony`, and free textures through `theory.chord_inference`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from orchestrion.data.factory.musicxml import PlainNote
from orchestrion.theory.chords import Chord, ChordSpan
from orchestrion.theory.harmony import beat_length

_PRIORS = {"maj": 0.0, "min": 0.0, "7": 0.12, "min7": 0.2, "dim": 0.12, "hdim7": 0.22, "maj7": 0.25, "sus4": 0.3}
_CANDIDATES = tuple((Chord(root, quality), prior) for quality, prior in _PRIORS.items() for root in range(12))
_TEMPLATES = np.array([[1.0 if p in c.pitch_classes else 0.0 for p in range(12)] for c, _ in _CANDIDATES])
_PRIOR = np.array([prior for _, prior in _CANDIDATES])
_ROOTS = np.array([c.root for c, _ in _CANDIDATES])
CHANGE, BASS_IS_ROOT, MISSING = 0.25, 0.25, 0.12


def label_chords(voices: Sequence[Sequence[PlainNote]], metre: tuple[int, int], bars: int) -> list[ChordSpan]:
    """A chord for every beat of all voices sounding together, equal neighbours joined. Times are in quarters.

    Args:
        voices: (onset, duration, pitch) of each voice in quarters; the last voice is the bass.
        metre, bars: the grid of beats.
    """
    beat = beat_length(metre)
    count = round(bars * 4 * metre[0] / metre[1] / beat)
    weights = np.zeros((count, 12))
    bass = np.zeros((count, 12))
    for number, voice in enumerate(voices):
        for onset, duration, pitch in voice:
            start, end = float(onset), float(onset + duration)
            for index in range(max(int(start // beat), 0), min(int(np.ceil(end / beat - 1e-9)), count)):
                inside = min(end, (index + 1) * beat) - max(start, index * beat)
                share = (
                    inside / beat * (1.0 if start <= index * beat + 1e-9 else 0.6)
                )  # notes struck off the beat pass by
                weights[index, pitch % 12] += share
                if number == len(voices) - 1:
                    bass[index, pitch % 12] += share
    total = np.maximum(weights.sum(1, keepdims=True), 1e-9)
    fit = (weights @ _TEMPLATES.T - weights @ (1 - _TEMPLATES).T) / total
    present = (weights > 0.2).astype(float)
    missing = (_TEMPLATES.sum(1)[None] - present @ _TEMPLATES.T) * MISSING
    cost = missing - fit - BASS_IS_ROOT * bass[:, _ROOTS] + _PRIOR[None]
    best, back = cost[0].copy(), np.zeros(cost.shape, dtype=int)
    for index in range(1, count):
        cheapest = int(np.argmin(best))
        stay = best <= best[cheapest] + CHANGE
        back[index] = np.where(stay, np.arange(len(best)), cheapest)
        best = np.where(stay, best, best[cheapest] + CHANGE) + cost[index]
    path = [int(np.argmin(best))]
    for index in range(count - 1, 0, -1):
        path.append(int(back[index, path[-1]]))
    spans: list[ChordSpan] = []
    for index, state in enumerate(reversed(path)):
        chord = _CANDIDATES[state][0]
        if spans and spans[-1].chord == chord:
            spans[-1] = ChordSpan(spans[-1].start, (index + 1) * beat, chord)
        else:
            spans.append(ChordSpan(index * beat, (index + 1) * beat, chord))
    return spans
