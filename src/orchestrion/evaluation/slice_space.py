"""What lies near what among word vectors of slices: chords by function, keys by fifths, substitutes in the key.

The analyses of Chuan, Agres & Herremans 2018 (sections 4 and 5). Distances are 1 − cosine; only their order means
something, for they shrink with more negatives and wider windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from orchestrion.representations.slices import SILENCE, pitch_classes, transpose_word, triad
from orchestrion.theory.keys import Key

FUNCTIONS = {
    "V": (7, "major"), "IV": (5, "major"), "vi": (9, "minor"), "ii": (2, "minor"), "iii": (4, "minor"),
    "vii°": (11, "diminished"), "♭III": (3, "major"), "♭II": (1, "major"), "v": (7, "minor"), "♭VI": (8, "major"),
    "tritone": (6, "major"),
}  # fmt: skip
NEAR, FAR = ("V", "IV", "vi"), ("♭III", "♭II", "v")
HARMONIC = {"major": (), "minor": (11,)}  # what a minor key has beside its natural scale
TONICS = (0, 5, 7)  # C, F, G: the keys whose chords are commonest in most corpora


@dataclass(frozen=True, slots=True)
class SliceSpace:
    """Vectors of words.

    Attributes:
        words: [words] the words themselves; UNK is not among them.
        vectors: [words, dim] of length 1.
    """

    words: tuple[int, ...]
    vectors: np.ndarray

    @classmethod
    def from_vectors(cls, words: Sequence[int], vectors: np.ndarray) -> SliceSpace:
        """A space from vectors of any length."""
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        return cls(tuple(words), vectors / np.maximum(length, 1e-12))

    def place(self, word: int) -> int | None:
        """The row of a word; None: it has no vector."""
        return self.words.index(word) if word in self.words else None

    def distance(self, a: int, b: int) -> float:
        """1 − cosine of two words; NaN where one has no vector."""
        rows = self.place(a), self.place(b)
        if rows[0] is None or rows[1] is None:
            return float("nan")
        return float(1 - self.vectors[rows[0]] @ self.vectors[rows[1]])

    def nearest(self, word: int, count: int) -> list[tuple[int, float]]:
        """The `count` nearest words and their cosines; silence and the word itself are left out."""
        row = self.place(word)
        if row is None:
            return []
        cosines = self.vectors @ self.vectors[row]
        order = np.argsort(-cosines, kind="stable")
        found = [(self.words[n], float(cosines[n])) for n in order if n != row and self.words[n] != SILENCE]
        return found[:count]


def chord_distances(space: SliceSpace, tonics: Sequence[int] = TONICS) -> dict[str, float]:
    """Mean distance of a chord of each function from the major triad of the tonic; NaN where none has vectors."""
    found = {}
    for name, (steps, kind) in FUNCTIONS.items():
        values = [space.distance(triad(tonic), triad(tonic + steps, kind)) for tonic in tonics]
        known = [value for value in values if value == value]
        found[name] = float(np.mean(known)) if known else float("nan")
    return found


def function_margin(distances: dict[str, float]) -> float:
    """The nearest of ♭III, ♭II, v minus the farthest of V, IV, vi: above 0 where functions are told apart."""
    return min(distances[name] for name in FAR) - max(distances[name] for name in NEAR)


def known_triads(space: SliceSpace) -> int:
    """How many of the 24 major and minor triads have vectors."""
    return sum(space.place(triad(root, kind)) is not None for root in range(12) for kind in ("major", "minor"))


def key_distances(space: SliceSpace, pieces: Sequence[Sequence[int]]) -> np.ndarray:
    """[12, 12] distance of keys in the order of fifths, mean over pieces: each piece is moved to twelve keys, and a key
    is the mean vector of its slices (section 4.3). Only the key differs, so that nothing else is measured.

    Slices without a vector count for nothing; pieces that have none left in a key are passed over.
    """
    rows = {word: row for row, word in enumerate(space.words) if word != SILENCE}
    total, count = np.zeros((12, 12)), 0
    for words in pieces:
        centres = []
        for fifth in range(12):
            moved = [rows[w] for w in (transpose_word(word, 7 * fifth) for word in words) if w in rows]
            if not moved:
                break
            centres.append(space.vectors[moved].mean(0))
        if len(centres) < 12:
            continue
        unit = SliceSpace.from_vectors(range(12), np.stack(centres)).vectors
        total += 1 - unit @ unit.T
        count += 1
    return total / count if count else np.full((12, 12), np.nan)


def by_fifths(matrix: np.ndarray) -> np.ndarray:
    """[6] mean of a key matrix over pairs 1 to 6 fifths apart."""
    gap = np.abs(np.arange(12)[:, None] - np.arange(12))
    gap = np.minimum(gap, 12 - gap)
    return np.array([matrix[gap == distance].mean() for distance in range(1, 7)])


def fifth_pairs(space: SliceSpace) -> np.ndarray:
    """[12, 12] angles in degrees between the vectors from I to V of the keys in the order of fifths (section 4.2); NaN
    for keys whose triads have no vectors."""
    steps = np.full((12, space.vectors.shape[1]), np.nan)
    for fifth in range(12):
        tonic, dominant = space.place(triad(7 * fifth)), space.place(triad(7 * fifth + 7))
        if tonic is not None and dominant is not None:
            steps[fifth] = space.vectors[dominant] - space.vectors[tonic]
    unit = steps / np.linalg.norm(steps, axis=1, keepdims=True)
    return np.degrees(np.arccos(np.clip(unit @ unit.T, -1, 1)))


def substitute(space: SliceSpace, word: int, neighbours: int) -> int | None:
    """The word that fits the pitch classes of the `neighbours` nearest words best; None where there is none.

    Profile p[c] = Σ_j cos(s, j)·[c ∈ j] / Σ_j cos(s, j); the score of a candidate is the mean of p over its classes
    minus the mean over the others. Words that hold all classes of the old one are no substitutes, as no voice would
    have to move. The paper gives no rule; this one is a reconstruction.
    """
    near = space.nearest(word, neighbours)
    if not near:
        return None
    profile = neighbour_profile(near)
    candidates = [candidate for candidate, _ in near if candidate & word != word]
    return max(candidates, key=lambda held: profile_fit(held, profile), default=None)


def neighbour_profile(near: Sequence[tuple[int, float]]) -> np.ndarray:
    """[12] share of each pitch class among words, weighed by their cosines."""
    weights = np.array([max(cosine, 1e-6) for _, cosine in near])
    sets = np.array([[word >> pc & 1 for pc in range(12)] for word, _ in near])
    return weights @ sets / weights.sum()


def profile_fit(word: int, profile: np.ndarray) -> float:
    """Mean of a profile over the classes of a word minus that over the others."""
    inside = np.array([bool(word >> pc & 1) for pc in range(12)])
    outside = profile[~inside].mean() if not inside.all() else 0.0
    return float(profile[inside].mean() - outside) if inside.any() else -1.0


def in_key(word: int, key: Key) -> bool:
    """Whether all pitch classes are of the major scale, or of the natural or harmonic minor scale."""
    allowed = set(key.scale) | {(key.tonic + step) % 12 for step in HARMONIC[key.mode]}
    return set(pitch_classes(word)) <= allowed


def tonal_distance(a: int, b: int) -> float:
    """Mean number of steps in the Tonnetz (thirds and fifths) between each note of one word and each of the other."""
    pairs = [TONNETZ_STEPS[(x - y) % 12] for x in pitch_classes(a) for y in pitch_classes(b)]
    return float(np.mean(pairs)) if pairs else float("nan")


def _tonnetz_steps() -> tuple[int, ...]:
    steps = {0: 0}
    reached = [0]
    while reached:
        place = reached.pop(0)
        for interval in (3, 4, 5, 7, 8, 9):
            if (new := (place + interval) % 12) not in steps:
                steps[new] = steps[place] + 1
                reached.append(new)
    return tuple(steps[n] for n in range(12))


TONNETZ_STEPS = _tonnetz_steps()
"""Steps to each interval of 0 to 11 semitones, by minor thirds, major thirds and fifths."""
