"""A small network that hears the genre of a performance from windows of its segments (ImprovNet, arXiv 2502.04522,
section IV): what improvisations in another genre are judged by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from orchestrion.nn.bert import BertClassifier
from orchestrion.representations.performance_tokens import (
    START,
    Item,
    PerformanceVocabulary,
    join_segments,
    note_tokens,
)
from orchestrion.training.performance_segments import PerformanceSegments, pad_rows

WINDOW = 5  # segments
LONGEST = 256  # tokens of a window; what is more is left out
SMALL: dict[str, Any] = {"width": 96, "num_layers": 2, "num_heads": 4, "feed_forward": 192, "dropout": 0.1}
BATCH, LEARNING_RATE, DECAY = 16, 2e-3, 0.01


def windows(segments: Sequence[Sequence[Item]]) -> list[Sequence[Sequence[Item]]]:
    """All windows of five neighbouring segments that hold notes; the whole where there are fewer."""
    found = [segments[first : first + WINDOW] for first in range(max(len(segments) - WINDOW + 1, 1))]
    return [window for window in found if any(window)]


def window_ids(
    chosen: Sequence[Sequence[Sequence[Item]]], vocabulary: PerformanceVocabulary
) -> tuple[Int[Tensor, "batch time"], Bool[Tensor, "batch time"]]:
    """What the network reads of windows, and which of it is real."""
    rows = [vocabulary.encode([START, *note_tokens(join_segments(window))])[:LONGEST] for window in chosen]
    ids = pad_rows(rows)
    return ids, ids > 0


def train_genre_classifier(pieces: PerformanceSegments, *, steps: int, seed: int = 0) -> BertClassifier:
    """Learns the genres of the vocabulary from random windows of performances, each genre equally often.

    Raises:
        ValueError: a genre has no piece.
    """
    genres = pieces.vocabulary.genres
    of_genre = [[number for number, (genre, _) in enumerate(pieces.pieces) if genre == name] for name in genres]
    if not all(of_genre):
        raise ValueError(f"there are not pieces of all genres ({', '.join(genres)})")
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = BertClassifier(
        classes=len(genres), vocabulary_size=len(pieces.vocabulary), max_length=LONGEST, **SMALL
    ).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
    for _ in range(steps):
        labels = rng.integers(len(genres), size=BATCH)
        chosen = []
        for label in labels:
            found = windows(pieces.pieces[int(rng.choice(of_genre[label]))][1])
            window, shift = found[int(rng.integers(len(found)))], int(rng.integers(-pieces.transpose, pieces.transpose))
            chosen.append([pieces.played(segment, shift, rng) for segment in window])
        ids, real = window_ids(chosen, pieces.vocabulary)
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(ids, real)
        loss = functional.cross_entropy(logits.float(), torch.from_numpy(labels))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return model.eval()


@torch.inference_mode()
def genre_probabilities(
    model: BertClassifier, segments: Sequence[Sequence[Item]], vocabulary: PerformanceVocabulary
) -> Float[np.ndarray, "windows genres"]:
    """Of all windows of a performance."""
    chosen = windows(segments)
    if not chosen:
        return np.zeros((0, len(vocabulary.genres)))
    return model(*window_ids(chosen, vocabulary)).softmax(-1).numpy()


def window_accuracy(model: BertClassifier, pieces: PerformanceSegments) -> float:
    """Share of pieces whose genre is the most probable over their windows, each genre counting the same."""
    genres = pieces.vocabulary.genres
    right: dict[str, list[bool]] = {}
    for genre, segments in pieces.pieces:
        found = genre_probabilities(model, segments, pieces.vocabulary).mean(0)
        right.setdefault(genre, []).append(genres[int(found.argmax())] == genre)
    return float(np.mean([np.mean(values) for values in right.values()]))
