"""Chords of a sound without a trained listener: pitch classes and the hidden Markov model of `theory.chord_hmm`."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from orchestrion.media.audio import Audio
from orchestrion.theory.chord_hmm import best_path
from orchestrion.theory.chord_inference import CHORD_OF_STATE
from orchestrion.theory.chords import NO_CHORD, Chord, ChordSpan

FRAME = 0.5  # seconds, where no beats are given
SHARPNESS = 1.5  # power of the magnitudes: overtones add up to sevenths below it, soft voices are lost above


def find_audio_chords(audio: Audio, *, edges: Float[np.ndarray, " edges"] | None = None) -> list[ChordSpan]:
    """The most likely chords, equal neighbours joined; `start` and `end` are in seconds. Silence is no chord.

    Args:
        edges: seconds at which chords may change, such as beats; every half second by default. The beginning and the
            end of the sound are added.
    """
    from orchestrion.analysis.audio_chroma import HOP, RATE, averaged, chroma_of

    inner = np.arange(FRAME, audio.seconds, FRAME) if edges is None else np.asarray(edges, float)
    inner = inner[(inner > 0) & (inner < audio.seconds)]
    borders = np.concatenate([[0.0], inner, [audio.seconds]])
    vectors = averaged(chroma_of(audio) ** SHARPNESS, borders, frame_rate=RATE / HOP).T
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    heard = norms[:, 0] > 0
    states = best_path(np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0))
    chords = [CHORD_OF_STATE[state] if sounding else NO_CHORD for state, sounding in zip(states, heard, strict=True)]
    return joined(chords, borders)


def joined(chords: list[Chord], borders: Float[np.ndarray, " borders"]) -> list[ChordSpan]:
    """Chords between borders as spans, equal neighbours as one."""
    spans: list[ChordSpan] = []
    for index, chord in enumerate(chords):
        start, end = float(borders[index]), float(borders[index + 1])
        if spans and spans[-1].chord == chord:
            start = spans.pop().start
        spans.append(ChordSpan(start, end, chord))
    return spans
