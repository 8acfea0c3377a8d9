"""Spoiled segments: what the encoder is shown of what follows."""

import pytest
import symusic

from orchestrion.data.piece import Piece
from orchestrion.representations.performance_tokens import PerformanceVocabulary
from orchestrion.training.performance_segments import PerformanceSegments

LATE = 100  # pitch of the segments after the one in the middle


def segments(share: float) -> PerformanceSegments:
    """One piece of three segments; the last one is told by its pitch."""
    score = symusic.Score(480)
    score.tempos.append(symusic.Tempo(0, 120))
    track = symusic.Track("", 0)
    for number in range(30):  # a note every half second
        track.notes.append(symusic.Note(480 * number, 240, LATE if number >= 20 else 60, 80))
    score.tracks.append(track)
    piece = Piece("p", score=score, tags={"genre": ["jazz"]})
    sizes = {"encoder_length": 512, "decoder_length": 112, "context": 2, "transpose": 0}
    return PerformanceSegments([piece], PerformanceVocabulary(), no_right_share=share, **sizes)


def shown(share: float) -> list[bool]:
    """Of each item whose own segment is not the last: whether the last segment's pitch is read."""
    found = []
    made = segments(share)
    for seed in range(60):
        tokens, target = made.item(0, seed, augment=False)
        if not any(token[0] == "piano" and token[1] == LATE for token in target if not isinstance(token, str)):
            found.append(
                any(token[0] == "piano" and token[1] == LATE for token in tokens if not isinstance(token, str))
            )
    return found


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0.4, 1.0), (1.0, 0.0, 0.0)])
def test_what_follows_is_shown_or_not(share, least, most):
    found = shown(share)
    assert len(found) > 20 and least <= sum(found) / len(found) <= most


def test_the_share_lies_between():
    none, some, all_shown = (sum(shown(share)) for share in (1.0, 0.5, 0.0))
    assert none < some < all_shown
