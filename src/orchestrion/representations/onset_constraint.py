"""What keeps the first chord of a harmonised segment together (ImprovNet, arXiv 2502.04522)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from orchestrion.representations.performance_tokens import END, PerformanceVocabulary


class OnsetConstraint:
    """After the first and the second note of a segment, the next token is an onset at most `spread` ms later than the
    last one, until `notes` of them stand together; afterwards anything may come.

    Args:
        spread: milliseconds.
        notes: of the chord.
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
            self._onset = int(kind[1])
        elif not isinstance(kind, str) and kind[0] == "piano":
            self._count += 1
            self._after_note = True
