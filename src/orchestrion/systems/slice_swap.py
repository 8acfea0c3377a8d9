"""Puts other pitch classes into the slices of a score: each voice moves as little as it can."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from orchestrion.representations.slices import TOLERANCE, pitch_classes

if TYPE_CHECKING:
    from symusic.core import ScoreTick


def moves(old: Sequence[int], new: Sequence[int]) -> dict[int, int]:
    """Old pitch class → semitones from −5 to 6, so that as many new classes as can be are reached by small moves.

    With more old classes than new ones, those left over go to the nearest; with fewer, some new ones are left out.
    """
    from scipy.optimize import linear_sum_assignment

    step = np.array([[(b - a + 5) % 12 - 5 for b in new] for a in old])
    rows, columns = linear_sum_assignment(np.abs(step))
    nearest = np.abs(step).argmin(1)
    nearest[rows] = columns
    return {pc: int(step[n, nearest[n]]) for n, pc in enumerate(old)}


def swap_slices(score: ScoreTick, swaps: Mapping[int, int], *, beats: float = 1.0) -> ScoreTick:
    """A copy in which the notes that begin in some slices take other pitch classes.

    Times, velocities and drums are kept, and so are notes that ring into a slice from before.

    Args:
        swaps: number of a slice → its new word.
    """
    made = score.copy()
    ticks = score.ticks_per_quarter * beats
    begun: dict[int, set[int]] = {}
    places = []
    for track in made.tracks:
        if track.is_drum:
            continue
        for note in track.notes:
            place = int((note.time + TOLERANCE * score.ticks_per_quarter) // ticks)
            if place in swaps:
                begun.setdefault(place, set()).add(note.pitch % 12)
                places.append((note, place))
    shifts = {place: moves(sorted(old), pitch_classes(swaps[place])) for place, old in begun.items()}
    for note, place in places:
        pitch = note.pitch + shifts[place][note.pitch % 12]
        note.pitch = pitch if 0 <= pitch < 128 else pitch - 12 * (1 if pitch > 127 else -1)
    return made
