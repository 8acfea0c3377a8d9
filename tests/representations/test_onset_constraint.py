"""What may follow a note of a harmony's first chord: the values that the published `harmonize.py` gives."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrion.representations.onset_constraint import OnsetConstraint
from orchestrion.representations.performance_tokens import PerformanceVocabulary

WORDS = PerformanceVocabulary()
NOTE = ("piano", 50, 75)


@pytest.mark.parametrize(
    ("written", "first"),
    [
        ([("onset", 100), ("dur", 100), NOTE], 100),
        ([("onset", 100), ("dur", 100), NOTE, ("onset", 120), ("dur", 100), NOTE], 120),
        ([("onset", 90), ("onset", 260), NOTE], 90),  # a far onset is none of the chord
        ([("onset", 90), ("onset", 60), NOTE], 60),
        ([("onset", 90), ("onset", 90), ("onset", 100), NOTE], None),  # the chord is full
        ([("onset", 90), NOTE, NOTE, NOTE], 90),  # notes without onsets do not fill it
        ([NOTE], None),
    ],
)
def test_what_may_follow_a_note(written, first):
    constraint = OnsetConstraint(WORDS)
    for token in written:
        constraint.advance(WORDS.ids[token])
    allowed = WORDS.decode(np.flatnonzero(constraint.allowed()).tolist())
    if first is None:
        assert constraint.allowed().all()
    else:
        assert allowed == [("onset", onset) for onset in range(first, first + 51, 10)]
