"""Chords by a hidden Markov model of key and chord (Magenta's chord inference, as used by GETMusic and its relatives).

States are pairs of a major scale (12) and a chord (97: none, or one of 12 roots × 8 kinds). A frame's pitch classes,
weighted by duration, are compared with each chord; chords prefer the tones of the scale; scales hardly ever change.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

KINDS = ("maj", "min", "aug", "dim", "7", "maj7", "min7", "hdim7")  # in the order of the published code
KIND_INTERVALS = (
    (0, 4, 7),
    (0, 3, 7),
    (0, 4, 8),
    (0, 3, 6),
    (0, 4, 7, 10),
    (0, 4, 7, 11),
    (0, 3, 7, 10),
    (0, 3, 6, 10),
)
CHORDS = 1 + 12 * len(KINDS)  # index 0: no chord; 1 + 8 · root + kind
SCALE = (0, 2, 4, 5, 7, 9, 11)
OUT_OF_KEY, KEY_CHANGE, CHORD_CHANGE, CONCENTRATION = 0.01, 0.001, 0.5, 100.0


@lru_cache
def chord_members() -> np.ndarray:
    """[97, 12] whether a pitch class belongs to a chord."""
    members = np.zeros((CHORDS, 12), bool)
    for root in range(12):
        for kind, intervals in enumerate(KIND_INTERVALS):
            members[1 + 8 * root + kind, [(root + i) % 12 for i in intervals]] = True
    return members


@lru_cache
def key_chord_distribution() -> np.ndarray:
    """[12, 97] p(chord | key) ∝ 0.99^(tones in the scale) · 0.01^(tones outside)."""
    scales = np.stack([np.isin(np.arange(12), [(key + s) % 12 for s in SCALE]) for key in range(12)])
    inside = scales.astype(int) @ chord_members().T.astype(int)
    outside = chord_members().sum(1)[None] - inside
    weights = (1 - OUT_OF_KEY) ** inside * OUT_OF_KEY**outside
    return weights / weights.sum(1, keepdims=True)


@lru_cache
def same_key_transitions() -> np.ndarray:
    """[12, 97, 97] p(key stays, next chord | key, chord)."""
    p = key_chord_distribution()
    moves = CHORD_CHANGE * (p[:, None, :] + p[:, :, None] / (CHORDS - 1))
    stays = np.broadcast_to(np.eye(CHORDS, dtype=bool), moves.shape)
    return (1 - KEY_CHANGE) * np.where(stays, 1 - CHORD_CHANGE, moves)


def transitions() -> np.ndarray:
    """[1164, 1164] probabilities between all states, state 97 · key + chord. Large; `best_path` does not need it."""
    full = np.tile((KEY_CHANGE / 11 * key_chord_distribution()).reshape(1, -1), (12 * CHORDS, 1))
    for key in range(12):
        block = slice(key * CHORDS, (key + 1) * CHORDS)
        full[block, block] = same_key_transitions()[key]
    return full


def pitch_vectors(
    starts: Sequence[float] | np.ndarray,
    ends: Sequence[float] | np.ndarray,
    pitches: Sequence[int] | np.ndarray,
    boundaries: Sequence[float] | np.ndarray,
) -> np.ndarray:
    """[len(boundaries) + 1, 12] how long each pitch class sounds in each frame, of unit length; silent frames are zero.

    Args:
        starts, ends, pitches: of notes, in any unit of time.
        boundaries: times at which a frame ends and the next begins, ascending; the first frame begins and
            the last ends with the music.
    """
    starts, ends = np.asarray(starts, float), np.asarray(ends, float)
    classes = np.asarray(pitches, int) % 12
    edges = np.concatenate([[-np.inf], np.asarray(boundaries, float), [np.inf]])
    vectors = np.zeros((len(edges) - 1, 12))
    for frame in range(len(edges) - 1):
        sounding = np.minimum(ends, edges[frame + 1]) - np.maximum(starts, edges[frame])
        vectors[frame] = np.bincount(classes, weights=np.maximum(sounding, 0), minlength=12)[:12]
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)


@lru_cache
def _move_groups() -> tuple[np.ndarray, np.ndarray]:
    """Chords of a key that are equally likely in it share all their moves: [12, groups, 97] who belongs to a group, and
    [12, groups, 97] the log-probability of moving from it to each chord (−inf for groups that a key does not have)."""
    p, same = key_chord_distribution(), np.log(same_key_transitions())
    levels = [np.unique(row) for row in p]
    size = max(map(len, levels))
    belongs = np.zeros((12, size, CHORDS), bool)
    moves = np.full((12, size, CHORDS), -np.inf)
    for key, level in enumerate(levels):
        for group, value in enumerate(level):
            belongs[key, group] = p[key] == value
            first, *others = np.flatnonzero(belongs[key, group])
            moves[key, group] = same[key, first]
            moves[key, group, first] = same[key, others[0], first] if others else -np.inf  # alone, it can only stay
    return belongs, moves


def best_path(vectors: np.ndarray) -> np.ndarray:
    """[frames] most likely chord of each frame, 0 for none and 1 + 8 · root + kind else.

    Args:
        vectors: `pitch_vectors`.
    """
    return best_states(vectors) % CHORDS


def best_states(vectors: np.ndarray) -> np.ndarray:
    """[frames] the most likely states, 97 · key + chord (Viterbi).

    Where nothing sounds several paths may be equally likely: each state then comes from the first of its origins.

    The exact best path, with 10 candidates a state in place of 1,164: of the chords of one key that are equally likely
    in it only the leader can be the origin of a move, a chord can stay, and a change of key starts at a leading state.

    Args:
        vectors: `pitch_vectors`.
    """
    if not len(vectors):
        return np.zeros(0, int)
    members = chord_members().astype(float)
    norms = np.linalg.norm(members, axis=1, keepdims=True)
    templates = np.divide(members, norms, out=np.zeros_like(members), where=norms > 0)
    evidence = CONCENTRATION * np.dot(vectors, templates.T)  # scores that are equal must be so to the last bit
    prior = np.log(key_chord_distribution())
    change = np.log(KEY_CHANGE / 11 * key_chord_distribution())
    stay = np.log(same_key_transitions()[0, 0, 0])
    belongs, moves = _move_groups()
    outside = np.where(belongs, 0.0, -np.inf)
    keys, own, none = np.arange(12)[:, None], np.arange(12 * CHORDS).reshape(12, CHORDS), 12 * CHORDS
    score = -np.log(12) + prior + evidence[0]
    came = np.zeros((len(vectors), 12, CHORDS), np.int32)
    for frame in range(1, len(vectors)):
        grouped = score[:, None, :] + outside
        leaders = grouped.argmax(2)
        within = np.take_along_axis(grouped, leaders[:, :, None], 2) + moves
        first = score.max(1)
        king = int(first.argmax())
        second = int(np.where(np.arange(12) == king, -np.inf, first).argmax())
        other = np.where(np.arange(12) == king, second, king)
        stays, arrived = score + stay, first[other][:, None] + change
        best = np.maximum(np.maximum(within.max(1), stays), arrived)
        moved = np.where(within == best[:, None], (keys * CHORDS + leaders)[:, :, None], none).min(1)
        kept = np.where(stays == best, own, none)
        changed = np.where(arrived == best, (other * CHORDS + score.argmax(1)[other])[:, None], none)
        came[frame], score = np.minimum(np.minimum(moved, kept), changed), best + evidence[frame]
    state = int(score.argmax())
    path = [state]
    for frame in range(len(vectors) - 1, 0, -1):
        state = int(came[frame].reshape(-1)[state])
        path.append(state)
    return np.array(path[::-1])
