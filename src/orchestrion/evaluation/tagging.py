"""How well scores of tags tell which pieces have them: areas under curves, tag by tag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, slots=True)
class TaggingScores:
    """Areas under curves, from 0 to 1.

    Attributes:
        roc_auc, pr_auc: means over the tags that could be measured (macro); NaN where none could be.
        roc_aucs, pr_aucs: of each tag; NaN for those that could not be.
        positives: pieces with each tag.
        skipped: numbers of the tags without a positive, or without a negative, among the pieces.
    """

    roc_auc: float
    pr_auc: float
    roc_aucs: tuple[float, ...]
    pr_aucs: tuple[float, ...]
    positives: tuple[int, ...]
    skipped: tuple[int, ...]


def tagging_scores(labels: Float[np.ndarray, "pieces tags"], scores: Float[np.ndarray, "pieces tags"]) -> TaggingScores:
    """ROC-AUC and PR-AUC (average precision) of each tag over pieces, and their means over tags.

    A tag without a positive has neither; it is skipped and not counted as 0. One without a negative has no ROC-AUC, and
    its average precision says nothing, so it is skipped as well.

    Args:
        labels: 1 where a piece has a tag, 0 elsewhere.
        scores: larger where a tag is likelier: logits or probabilities.

    Raises:
        ValueError: shapes differ, a score is not a number, or a label is neither 0 nor 1.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    labels, scores = np.asarray(labels), np.asarray(scores, np.float64)
    if labels.shape != scores.shape or labels.ndim != 2:
        raise ValueError(f"labels {list(labels.shape)} and scores {list(scores.shape)} must be [pieces, tags], alike")
    if not np.isfinite(scores).all():
        raise ValueError("some scores are not numbers")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("labels must be 0 or 1")
    positives = labels.sum(0).astype(int)
    roc, precision = np.full(labels.shape[1], np.nan), np.full(labels.shape[1], np.nan)
    measured = [tag for tag, count in enumerate(positives) if 0 < count < len(labels)]
    for tag in measured:
        roc[tag] = roc_auc_score(labels[:, tag], scores[:, tag])
        precision[tag] = average_precision_score(labels[:, tag], scores[:, tag])
    return TaggingScores(
        roc_auc=float(roc[measured].mean()) if measured else float("nan"),
        pr_auc=float(precision[measured].mean()) if measured else float("nan"),
        roc_aucs=tuple(roc.tolist()),
        pr_aucs=tuple(precision.tolist()),
        positives=tuple(positives.tolist()),
        skipped=tuple(tag for tag in range(labels.shape[1]) if tag not in measured),
    )


def accuracy(labels: Sequence[int] | np.ndarray, scores: Float[np.ndarray, "pieces classes"]) -> float:
    """Share of pieces whose class has the largest score, for labels of which every piece has exactly one."""
    return float((np.asarray(scores).argmax(1) == np.asarray(labels)).mean())


def pooled(
    values: Float[np.ndarray, "windows dim"], pieces: Sequence[int] | np.ndarray, count: int
) -> Float[np.ndarray, "pieces dim"]:
    """The mean over the windows of each piece; `pieces` says to which of `count` pieces a window belongs.

    Raises:
        ValueError: a piece has no window.
    """
    index = np.asarray(pieces)
    windows = np.bincount(index, minlength=count)
    if (windows == 0).any() or len(windows) > count:
        raise ValueError(
            f"piece {int(np.argmin(windows))} has no window" if len(windows) <= count else "too few pieces"
        )
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, index, values)
    return (sums / windows[:, None]).astype(np.float32)
