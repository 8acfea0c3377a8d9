"""Chords of a score, one a bar, half bar or beat, by the hidden Markov model of `chord_hmm`.

The published copies of the model put an empty frame before the music, so that every answer is one frame late; here
n frames give n chords.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from orchestrion.media.timeline import Timeline, beat_quarters
from orchestrion.theory.chord_hmm import KINDS, best_path
from orchestrion.theory.chords import NO_CHORD, Chord, ChordSpan

if TYPE_CHECKING:
    from symusic.core import ScoreTick

FRAMES = ("bar", "half", "beat")
CHORD_OF_STATE = (NO_CHORD, *(Chord(root, kind) for root in range(12) for kind in KINDS))
"""Index in `chord_hmm.best_path` → chord."""


def infer_chords(score: ScoreTick, *, frame: str = "half") -> list[ChordSpan]:
    """The most likely chord of every frame of a score, drums left out; silent frames continue what the model prefers.

    Args:
        frame: "bar"; "half" bar, where a bar has an even number of beats and at least three quarters, else the bar
            (bars of three or five beats have no middle); "beat", dotted in compound metres.

    Returns:
        Spans of one frame each, in quarters, without gaps, from the first bar line to the last; equal neighbours are
        not joined. Empty without pitched notes.

    Raises:
        ValueError: the frame is unknown.
    """
    timeline = Timeline.from_score(score)
    parts = [track.notes.numpy() for track in score.tracks if not track.is_drum and len(track.notes)]
    edges = frame_edges(timeline, frame=frame)
    if not parts or len(edges) < 2:
        return []
    start, duration, pitch = (
        np.concatenate([part[name] for part in parts]).astype(np.int64) for name in ("time", "duration", "pitch")
    )
    held = sounding_time(start, start + duration, pitch % 12, edges)
    norms = np.linalg.norm(held, axis=1, keepdims=True)
    path = best_path(np.divide(held, norms, out=np.zeros_like(held), where=norms > 0))
    quarters = (edges / timeline.tpq).tolist()
    return [ChordSpan(quarters[i], quarters[i + 1], CHORD_OF_STATE[state]) for i, state in enumerate(path)]


def frame_edges(timeline: Timeline, *, frame: str) -> Float[np.ndarray, " edges"]:
    """Borders of the frames in ticks, the end of the last bar included; see `infer_chords`.

    Raises:
        ValueError: the frame is unknown.
    """
    if frame not in FRAMES:
        raise ValueError(f"chord frame {frame!r} is unknown; known are {', '.join(FRAMES)}")
    bars = timeline.bar_to_tick(np.arange(timeline.n_bars + 1, dtype=np.float64))
    if frame == "bar":
        return bars
    edges: list[float] = []
    for start, stop in zip(bars[:-1].tolist(), bars[1:].tolist(), strict=True):
        beat = beat_quarters(*timeline.metre_at(start)) * timeline.tpq
        beats = max(int(np.ceil((stop - start) / beat - 1e-6)), 1)
        if frame == "beat":
            edges += [start + i * beat for i in range(beats)]
        else:
            halved = beats % 2 == 0 and stop - start >= 3 * timeline.tpq
            edges += [start, (start + stop) / 2] if halved else [start]
    return np.array([*edges, *bars[-1:].tolist()])


def sounding_time(
    start: Int[np.ndarray, " notes"],
    stop: Int[np.ndarray, " notes"],
    classes: Int[np.ndarray, " notes"],
    edges: Float[np.ndarray, " edges"],
) -> Float[np.ndarray, "edges-1 12"]:
    """How long each pitch class (0–11) sounds in each frame, notes of one class added up, in the unit of the times.

    The work grows with notes + frames, not with their product.
    """
    total = np.zeros((len(edges), 12))
    for pitch_class in np.unique(classes):
        chosen = classes == pitch_class
        total[:, pitch_class] = _passed(start[chosen], edges) - _passed(stop[chosen], edges)
    return np.diff(total, axis=0)


def _passed(times: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """[edges] Σ max(edge − time, 0)."""
    times = np.sort(times)
    before = np.searchsorted(times, edges)
    return edges * before - np.concatenate([[0.0], np.cumsum(times, dtype=np.float64)])[before]
