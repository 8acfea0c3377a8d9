"""Where phrases end: by boundaries that a listener hears in a melody, and by bars that come again."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from jaxtyping import Float

LBDM_WEIGHTS = {"pitch": 0.25, "onset": 0.5, "rest": 0.25}  # Cambouropoulos 2001


def boundary_strengths(
    onset: Float[np.ndarray, " notes"], offset: Float[np.ndarray, " notes"], pitch: Float[np.ndarray, " notes"]
) -> Float[np.ndarray, " notes"]:
    """How much each note begins something new: the local boundary detection model (LBDM; Cambouropoulos 2001).

    Of pitch intervals, times between onsets and rests, each is weighed by how much it differs from its neighbours
    (|a − b| / (a + b)); each profile is scaled to at most 1, and they are added with weights 0.25, 0.5 and 0.25. The
    first note has 0: its boundary is the beginning.

    Args:
        onset, offset: of the notes of one line in order, in any unit.
        pitch: in semitones.
    """
    count = len(onset)
    if count < 2:
        return np.zeros(count)
    profiles = {
        "pitch": np.abs(np.diff(np.asarray(pitch, float))),
        "onset": np.diff(np.asarray(onset, float)),
        "rest": np.maximum(np.asarray(onset, float)[1:] - np.asarray(offset, float)[:-1], 0.0),
    }
    total = np.zeros(count - 1)
    for name, values in profiles.items():
        both = values[1:] + values[:-1]
        change = np.divide(np.abs(np.diff(values)), both, out=np.zeros(max(count - 2, 0)), where=both > 0)
        strength = values * (np.append(0.0, change) + np.append(change, 0.0))
        if strength.max() > 0:
            total += LBDM_WEIGHTS[name] * strength / strength.max()
    return np.append(0.0, total)


def phrase_starts(
    onset: Float[np.ndarray, " notes"],
    offset: Float[np.ndarray, " notes"],
    pitch: Float[np.ndarray, " notes"],
    *,
    threshold: float = 0.4,
    shortest: int = 4,
) -> list[int]:
    """Indices of the notes that begin phrases, the first note among them.

    Args:
        threshold: least `boundary_strengths`, which must also be greater than its neighbours' (of equals the first).
        shortest: notes of a phrase at least; the stronger boundaries are kept.
    """
    if not len(onset):
        return []
    strength = boundary_strengths(onset, offset, pitch)
    around = np.pad(strength, 1)
    peak = (strength >= threshold) & (strength > around[:-2]) & (strength >= around[2:])
    starts = [0]
    for index in sorted(np.flatnonzero(peak), key=lambda i: -strength[i]):
        if all(abs(index - other) >= shortest for other in [*starts, len(onset)]):
            starts.append(int(index))
    return sorted(starts)


def repeated_spans(bars: Sequence[Hashable], *, shortest: int = 2) -> list[tuple[int, int, int]]:
    """(first, second, length): runs of bars that come again later without overlap, the longest first; none lies wholly
    inside another pair with the same distance.

    Args:
        bars: a signature of each bar; None for silence, which is never a repetition.
        shortest: bars of a run at least.
    """
    count = len(bars)
    found: list[tuple[int, int, int]] = []
    for distance in range(1, count):
        run = 0
        for first in range(count - distance + 1):
            other = first + distance
            if other < count and bars[first] is not None and bars[first] == bars[other]:
                run += 1
                continue
            if min(run, distance) >= shortest:
                found.append((first - run, other - run, min(run, distance)))
            run = 0
    return sorted(found, key=lambda span: (-span[2], span[0], span[1]))


def form(bars: Sequence[Hashable], *, length: int = 8) -> str:
    """Letters of the parts of a piece: "AABA". Parts of `length` bars are the same where at least three quarters of
    their bars are equal; the last, shorter part is compared over the bars that it has."""
    letters: list[tuple[str, Sequence[Hashable]]] = []
    result = ""
    for start in range(0, len(bars), length):
        part = bars[start : start + length]
        for letter, known in letters:
            if sum(a == b for a, b in zip(part, known, strict=False)) >= 0.75 * len(part):
                result += letter
                break
        else:
            letter = chr(ord("A") + len(letters) % 26)
            letters.append((letter, part))
            result += letter
    return result
