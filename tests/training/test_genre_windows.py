"""Windows of performances, and that a classifier of them learns what tells two genres apart."""

import numpy as np
import pytest
import torch

from orchestrion.representations.performance_tokens import PerformanceVocabulary, TimedNote
from orchestrion.training import genre_windows
from orchestrion.training.genre_windows import (
    genre_probabilities,
    train_genre_classifier,
    window_accuracy,
    window_ids,
    windows,
)
from orchestrion.training.performance_segments import PerformanceSegments

WORDS = PerformanceVocabulary((60, 90), 36, 84, 50, 1000, ("low", "high"))


def played(middle: int, seed: int, count: int = 7):
    """Segments with a few notes around a pitch."""
    rng = np.random.default_rng(seed)
    return [
        [TimedNote(int(middle + rng.integers(-5, 6)), 60, int(onset), 200) for onset in (0, 250, 500)]
        for _ in range(count)
    ]


def performances(seeds, transpose=1):
    pieces = PerformanceSegments([], WORDS, encoder_length=64, decoder_length=32, context=1, transpose=transpose)
    pieces.pieces = [(genre, played(middle, seed)) for seed in seeds for genre, middle in (("low", 45), ("high", 75))]
    return pieces


def test_windows_slide_by_one_segment_and_leave_silence_out():
    segments = played(60, 0)
    assert windows(segments) == [segments[0:5], segments[1:6], segments[2:7]]
    assert windows(segments[:2]) == [segments[:2]]
    assert windows([[], [], []]) == []
    assert windows([*[[]] * 5, segments[0]]) == [[*[[]] * 4, segments[0]]]


def test_what_is_read_is_padded_and_marked():
    segments = played(60, 0)
    ids, real = window_ids([segments[:5], segments[:2]], WORDS)
    assert ids.shape == real.shape and real[0].all() and not real[1].all()
    assert torch.equal(real, ids > 0)
    longest, _ = window_ids([segments * 20], WORDS)
    assert longest.shape[1] == genre_windows.LONGEST


def test_a_short_training_tells_low_from_high(monkeypatch):
    monkeypatch.setattr(genre_windows, "SMALL", {"width": 32, "num_layers": 1, "num_heads": 2, "feed_forward": 32})
    model = train_genre_classifier(performances(range(6)), steps=60)
    assert window_accuracy(model, performances(range(20, 26))) == 1.0
    low, high = (genre_probabilities(model, played(middle, 50), WORDS) for middle in (45, 75))
    assert low.shape == (3, 2) and np.allclose(low.sum(1), 1, atol=1e-5)
    assert low[:, 0].mean() > 0.8 and high[:, 1].mean() > 0.8
    assert genre_probabilities(model, [[], []], WORDS).shape == (0, 2)
    again = train_genre_classifier(performances(range(6)), steps=60)
    assert np.array_equal(genre_probabilities(again, played(45, 50), WORDS), low)


def test_a_genre_without_pieces_is_told():
    pieces = performances(range(2))
    pieces.pieces = [one for one in pieces.pieces if one[0] == "low"]
    with pytest.raises(ValueError, match="low, high"):
        train_genre_classifier(pieces, steps=1)
