"""Changes that leave a phrase recognisable, for learning which phrases are alike (Theme Transformer, section III): it
moves along its scale, its last note gets another length, notes are split and joined.

Phrases are arrays of (onset, length, pitch), times in sixteenths, in order.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import Int

LAST_LENGTHS = (1, 2, 3, 4, 6, 8, 12, 16)  # sixteenths that a last note may get

Phrase = Int[np.ndarray, "notes 3"]


def shift_on_scale(phrase: Phrase, scale: Iterable[int], degrees: int) -> Phrase:
    """Moves every note by `degrees` steps of the scale; a note beside the scale stays as far above its step.

    Args:
        scale: pitch classes.
    """
    steps = np.array(sorted(set(scale)), np.int64)
    moved = phrase.copy()
    octave, pitch_class = np.divmod(phrase[:, 2], 12)
    degree = np.searchsorted(steps, pitch_class, side="right") - 1  # the step at or below; −1: the last one below
    beside = pitch_class - np.where(degree < 0, steps[-1] - 12, steps[degree])
    octaves, degree = np.divmod(octave * len(steps) + degree + degrees, len(steps))
    moved[:, 2] = octaves * 12 + steps[degree] + beside
    return moved


def stretch_last(phrase: Phrase, length: int) -> Phrase:
    """Gives the last note another length."""
    moved = phrase.copy()
    moved[-1, 1] = length
    return moved


def split_note(phrase: Phrase, index: int) -> Phrase:
    """Plays a note twice, each time half as long; a note of one sixteenth stays."""
    onset, length, pitch = phrase[index].tolist()
    half = length // 2
    if half < 1:
        return phrase.copy()
    both = np.array([[onset, half, pitch], [onset + half, length - half, pitch]], phrase.dtype)
    return np.concatenate([phrase[:index], both, phrase[index + 1 :]])


def join_notes(phrase: Phrase, index: int) -> Phrase:
    """Holds a note over the next one, where that has the same pitch and follows at once; else the phrase stays."""
    if index + 1 >= len(phrase):
        return phrase.copy()
    (onset, length, pitch), (following, more, other) = phrase[index].tolist(), phrase[index + 1].tolist()
    if pitch != other or onset + length != following:
        return phrase.copy()
    both = np.array([[onset, length + more, pitch]], phrase.dtype)
    return np.concatenate([phrase[:index], both, phrase[index + 2 :]])


def vary(
    phrase: Phrase,
    scale: Iterable[int],
    rng: np.random.Generator,
    *,
    farthest: int = 4,
    shift: bool = True,
    lengths: bool = True,
    splits: bool = True,
) -> Phrase:
    """A variant by chance: a shift of up to `farthest` degrees, another last length, and one or two notes split or
    joined, each with probability 1/2 or more.

    Args:
        shift, lengths, splits: which of the three changes may be made.
    """
    made = phrase.copy()
    if shift:
        made = shift_on_scale(made, scale, int(rng.integers(-farthest, farthest + 1)))
    if splits:
        for _ in range(int(rng.integers(0, 3))):
            index = int(rng.integers(len(made)))
            joined = join_notes(made, index)
            made = joined if len(joined) < len(made) else split_note(made, index)
    if lengths and rng.random() < 0.75:
        made = stretch_last(made, int(rng.choice(LAST_LENGTHS)))
    return made
