"""What keeps the first chord of a harmonised segment together (ImprovNet, arXiv 2502.04522)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from orchestrion.representations.performance_tokens import END, PerformanceVocabulary


class OnsetConstraint:
    """A chord is the first onset of a segment and those that come within `spread` ms of the chord's last one. After a
    note, the next token is an onset at most `spread` ms later than the chord's last one, until the chord has `notes`
    onsets; afterwards anything may come.

    Args:
        spread: milliseconds.
        notes: onsets of the chord; none is no constraint.
    """

    def __init__(self, vocabulary: PerformanceVocabulary, *, spread: int = 50, notes: int = 3) -> None:
        self.vocabulary, self.spread, self.notes = vocabulary, spread, notes
        self.done = False
        self._onset: int | None = None
        self._count = 0
        self._after_note = False
        self._anything = np.ones(len(vocabulary), bool)

    def allowed(self) -> Bool[np.ndarray, " classes"]:
        """Which ids may come next."""
        if not self._after_note or self._onset is None or self._count >= self.notes:
            return self._anything
        mask = np.zeros(len(self.vocabulary), bool)
        step = self.vocabulary.step
        for onset in range(self._onset, self._onset + self.spread + 1, step):
            if ("onset", onset) in self.vocabulary.ids:
                mask[self.vocabulary.ids["onset", onset]] = True
        return mask

    def advance(self, token: int) -> None:
        """Takes the id that was chosen."""
        kind = self.vocabulary.tokens[token - 1] if 0 < token < len(self.vocabulary) else ""
        self._after_note = False
        if kind == END:
            self.done = True
        elif not isinstance(kind, str) and kind[0] == "onset":
            if self._onset is None or abs(self._onset - int(kind[1])) <= self.spread:
                self._onset = int(kind[1])
                self._count += 1
        elif not isinstance(kind, str) and kind[0] == "piano":
            self._after_note = True
