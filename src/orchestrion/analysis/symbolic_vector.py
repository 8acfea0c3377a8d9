"""A score as one vector of numbers, for classifiers: who plays, how fast, in what metre, on what parts of the beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from orchestrion.analysis.instruments import DRUMS, NAMES

if TYPE_CHECKING:
    from symusic.core import ScoreTick

    from orchestrion.analysis.symbolic import SymbolicFeatures

GRID = 12  # positions in a quarter: sixteenths and eighth triplets
METRES = ((4, 4), (3, 4), (2, 4), (6, 8), (12, 8), (9, 8), (5, 4), (2, 2))
# General MIDI percussion keys by sound
DRUM_GROUPS = {
    "kick": (35, 36),
    "snare": (38, 40),
    "stick": (37,),
    "clap": (39,),
    "closed hat": (42, 44),
    "open hat": (46,),
    "ride": (51, 53, 59),
    "crash": (49, 52, 55, 57),
    "tom": (41, 43, 45, 47, 48, 50),
    "tambourine": (54,),
    "cowbell": (56,),
    "bongo": (60, 61),
    "conga": (62, 63, 64),
    "timbale": (65, 66),
    "agogo": (67, 68),
    "shaker": (69, 70, 82),
    "whistle": (71, 72),
    "guiro": (73, 74),
    "claves": (75, 76, 77),
    "triangle": (80, 81),
}
_DRUM_INDEX = {key: i for i, keys in enumerate(DRUM_GROUPS.values()) for key in keys}
UNIQUE_NAMES = tuple(dict.fromkeys(NAMES))
_NAME_INDEX = np.array([UNIQUE_NAMES.index(name) for name in NAMES])
_TEXTURE = (
    "log tempo",
    "minor",
    "polyphony",
    "mean pitch",
    "range",
    "velocity",
    "velocity spread",
    "instruments",
    "bass density",
    "density",
    "drum density",
    "mean length",
    "long notes",
    "repeated pitches",
    "steps",
    "leaps",
)
VECTOR_NAMES = (
    *(f"share of {name}" for name in UNIQUE_NAMES),
    *(f"plays {name}" for name in UNIQUE_NAMES),
    *(f"metre {n}/{d}" for n, d in METRES),
    "other metre",
    *(f"onsets at {i}/{GRID}" for i in range(GRID)),
    *(f"drum onsets at {i}/{GRID}" for i in range(GRID)),
    *(f"bass onsets at {i}/{GRID}" for i in range(GRID)),
    *(f"drum {name}" for name in DRUM_GROUPS),
    *_TEXTURE,
)


def symbolic_vector(score: ScoreTick, found: SymbolicFeatures) -> np.ndarray:
    """float32 [len(VECTOR_NAMES)] for a score and its features; zeros stand for what is absent."""
    shares = np.zeros(len(UNIQUE_NAMES))
    for program, seconds in zip(found.instruments, found.sounding, strict=True):
        shares[_NAME_INDEX[program]] += seconds
    shares /= max(shares.sum(), 1e-9)
    metre = np.array([*(float(found.metre == m) for m in METRES), float(found.metre not in METRES)])
    notes = [(track, track.notes.numpy()) for track in score.tracks if len(track.notes)]
    pitched = [(track, note) for track, note in notes if not track.is_drum]
    drums = [note for track, note in notes if track.is_drum]
    bass = [note for track, note in pitched if 32 <= track.program < 40 or np.median(note["pitch"]) < 45]
    return np.concatenate(
        [
            shares,
            shares > 0,
            metre,
            _onsets([note for _, note in pitched], score.tpq),
            _onsets(drums, score.tpq),
            _onsets(bass, score.tpq),
            _drum_keys(drums),
            _texture(found, [note for _, note in pitched], drums, bass, score.tpq),
        ]
    ).astype(np.float32)


def _onsets(notes: list[dict], tpq: int) -> np.ndarray:
    if not notes:
        return np.zeros(GRID)
    position = np.rint(np.concatenate([note["time"] for note in notes]) * GRID / tpq).astype(int) % GRID
    return np.bincount(position, minlength=GRID) / len(position)


def _drum_keys(drums: list[dict]) -> np.ndarray:
    counts = np.zeros(len(DRUM_GROUPS))
    total = 0
    for note in drums:
        for key, count in zip(*np.unique(note["pitch"], return_counts=True), strict=True):
            total += int(count)
            if int(key) in _DRUM_INDEX:
                counts[_DRUM_INDEX[int(key)]] += count
    return counts / max(total, 1)


def _texture(found: SymbolicFeatures, pitched: list[dict], drums: list[dict], bass: list[dict], tpq: int) -> np.ndarray:
    pitch = np.concatenate([note["pitch"] for note in pitched]) if pitched else np.zeros(1)
    length = np.concatenate([note["duration"] for note in pitched]) / tpq if pitched else np.zeros(1)
    velocity = np.concatenate([note["velocity"] for note in [*pitched, *drums]]) if pitched or drums else np.zeros(1)
    intervals = [np.abs(np.diff(note["pitch"].astype(int))) for note in pitched if len(note["pitch"]) > 1]
    step = np.concatenate(intervals) if intervals else np.ones(1) * 12
    quarters = max(found.seconds * found.tempo / 60, 1.0)
    count = lambda parts: sum(len(note["time"]) for note in parts) / quarters  # noqa: E731
    return np.array(
        [
            np.log2(max(found.tempo, 10.0) / 100),
            float(found.key is not None and found.key.mode == "minor"),
            min(found.polyphony, 12.0) / 4,
            pitch.mean() / 64,
            (pitch.max() - pitch.min()) / 48,
            velocity.mean() / 64,
            velocity.std() / 16,
            len([p for p in found.instruments if p != DRUMS]) / 4,
            min(count(bass), 8.0) / 2,
            min(count(pitched), 32.0) / 8,
            min(count(drums), 16.0) / 4,
            min(float(length.mean()), 8.0),
            float((length > 1.5).mean()),
            float((step == 0).mean()),
            float(((step > 0) & (step < 3)).mean()),
            float((step > 4).mean()),
        ]
    )
