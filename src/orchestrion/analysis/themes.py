"""Where the themes of a melody are: phrases of two bars whose vectors lie close together (Theme Transformer, Shih et
al. 2023, arXiv 2111.04093, section III), and the plain search for exact repetitions that this is compared with.

Melodies are arrays of (onset, length, pitch), times in sixteenths. What turns phrases into vectors is given from
outside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

PHRASE_BARS = 2
LEAST_NOTES = 3  # a phrase of fewer is no theme: rests would be the largest cluster
EPS = 0.13  # of DBSCAN, as published; here a cosine distance
MIN_SAMPLES = 2

Melody = Int[np.ndarray, "notes 3"]
Embed = Callable[[Sequence[Melody]], Float[np.ndarray, "phrases dim"]]


@dataclass(frozen=True, slots=True, eq=False)
class Phrase:
    """Bars [first, last) and the melody's notes that begin there, with onsets from the first of these bars."""

    first: int
    last: int
    notes: Melody


@dataclass(frozen=True, slots=True, eq=False)
class Themes:
    """Phrases of a piece and which belong together.

    Attributes:
        phrases: all of them, in order.
        labels: of each phrase the number of its theme, 0 for the commonest; −1 where it has none.
        vectors: of each phrase; zeros where it has too few notes.
    """

    phrases: tuple[Phrase, ...]
    labels: Int[np.ndarray, " phrases"]
    vectors: Float[np.ndarray, "phrases dim"]

    @property
    def count(self) -> int:
        """How many themes there are."""
        return int(self.labels.max()) + 1 if len(self.labels) else 0

    def occurrences(self, theme: int = 0) -> tuple[Phrase, ...]:
        """The phrases of a theme, in order."""
        return tuple(phrase for phrase, label in zip(self.phrases, self.labels, strict=True) if label == theme)

    @property
    def regions(self) -> tuple[tuple[int, int], ...]:
        """Bars [first, last) of the commonest theme."""
        return tuple((phrase.first, phrase.last) for phrase in self.occurrences())


def cut_phrases(
    melody: Melody, bars: Int[np.ndarray, " borders"], *, length: int = PHRASE_BARS, offset: int = 0
) -> list[Phrase]:
    """Consecutive phrases of `length` bars from bar `offset` on; bars that are left at the end make none.

    Args:
        bars: borders in sixteenths, the end of the last included.
    """
    place = np.searchsorted(melody[:, 0], bars)
    phrases = []
    for first in range(offset, len(bars) - length, length):
        notes = melody[place[first] : place[first + length]].copy()
        notes[:, 0] -= bars[first]
        phrases.append(Phrase(first, first + length, notes))
    return phrases


def group(vectors: Float[np.ndarray, "phrases dim"], *, eps: float = EPS, min_samples: int = MIN_SAMPLES) -> np.ndarray:
    """[phrases] clusters by DBSCAN over cosine distances, the largest first (of equals the one that begins earlier); −1
    for what lies alone."""
    from sklearn.cluster import DBSCAN

    if not len(vectors):
        return np.zeros(0, np.int64)
    found = DBSCAN(eps=eps, min_samples=min_samples, metric="cosine").fit_predict(vectors)
    return _by_size(found)


def _by_size(labels: np.ndarray) -> np.ndarray:
    names = [name for name in dict.fromkeys(labels.tolist()) if name >= 0]
    names.sort(key=lambda name: -int((labels == name).sum()))
    return np.array([names.index(label) if label >= 0 else -1 for label in labels.tolist()], np.int64)


def find_themes(
    melody: Melody,
    bars: Int[np.ndarray, " borders"],
    embed: Embed,
    *,
    eps: float = EPS,
    min_samples: int = MIN_SAMPLES,
    length: int = PHRASE_BARS,
    offsets: Sequence[int] | None = None,
) -> Themes:
    """The themes of a melody.

    Args:
        embed: phrases → vectors of length 1.
        eps: largest cosine distance of neighbours; greater values join freer variants.
        length: bars of a phrase.
        offsets: bars at which the first phrase may begin, of which the one that gives the most themed phrases counts;
            by default every bar of the first phrase.
    """
    best: Themes | None = None
    for offset in range(length) if offsets is None else offsets:
        phrases = cut_phrases(melody, bars, length=length, offset=offset)
        full = np.array([len(phrase.notes) >= LEAST_NOTES for phrase in phrases], bool)
        found = (
            embed([phrase.notes for phrase, kept in zip(phrases, full, strict=True) if kept]) if full.any() else None
        )
        vectors = np.zeros((len(phrases), 0 if found is None else found.shape[1]))
        labels = np.full(len(phrases), -1, np.int64)
        if found is not None:
            vectors[full] = found
            labels[full] = group(found, eps=eps, min_samples=min_samples)
        themes = Themes(tuple(phrases), labels, vectors)
        if best is None or len(themes.regions) > len(best.regions):
            best = themes
    assert best is not None
    return best


def exact_themes(melody: Melody, bars: Int[np.ndarray, " borders"], *, length: int = PHRASE_BARS) -> Themes:
    """The same by equality: phrases with the same onsets, lengths and intervals are one theme."""
    phrases = cut_phrases(melody, bars, length=length)
    seen: dict[bytes, int] = {}
    names = []
    for number, phrase in enumerate(phrases):
        if len(phrase.notes) < LEAST_NOTES:
            names.append(-1)
            continue
        known = phrase.notes.copy()
        known[:, 2] -= known[0, 2]
        names.append(seen.setdefault(known.astype(np.int64).tobytes(), number))
    labels = np.array(names, np.int64)
    alone = np.array([label < 0 or (labels == label).sum() < 2 for label in labels], bool)
    labels[alone] = -1
    return Themes(tuple(phrases), _by_size(labels), np.zeros((len(phrases), 0)))
