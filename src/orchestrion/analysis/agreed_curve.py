"""One curve out of those that many listeners drew: Ferreira & Whitehead 2019 ("Learning to Generate Music with
Sentiment") group them by dynamic time warping and average the group that agrees."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

ROUNDS = 20  # of k-means; groups of thirty curves stand still after three to six


def agreed_curve(
    curves: Float[np.ndarray, "listeners time"], *, groups: int = 3, seed: int = 0
) -> Float[np.ndarray, " time"]:
    """The mean curve of those that agree: of `groups` groups, the one of largest variance is left out and the larger
    of the others counts. None is left out where groups stay empty. Where there are no more listeners than groups, the
    mean of all."""
    if len(curves) <= groups:
        return curves.mean(0)
    group = warped_groups(curves, groups=groups, seed=seed)
    found = [curves[group == number] for number in range(groups)]
    found = sorted((one for one in found if len(one)), key=lambda one: float(one.var(0).mean()))
    return max(found[:-1] if len(found) == groups > 1 else found, key=len).mean(0)


def warped_groups(
    curves: Float[np.ndarray, "curves time"], *, groups: int, seed: int = 0
) -> Int[np.ndarray, " curves"]:
    """The group of each curve: k-means under dynamic time warping, with barycentres (Petitjean et al. 2011) as means.
    Groups begin at curves that lie far from one another (k-means++)."""
    rng = np.random.default_rng(seed)
    middles = [curves[int(rng.integers(len(curves)))]]
    far = np.full(len(curves), np.inf)
    while len(middles) < groups:
        far = np.minimum(far, [_warped(middles[-1], curve)[0] for curve in curves])
        chance = far / far.sum() if far.sum() > 0 else None
        middles.append(curves[int(rng.choice(len(curves), p=chance))])
    held = np.full(len(curves), -1)
    for _ in range(ROUNDS):
        warped = [[_warped(middle, curve) for middle in middles] for curve in curves]
        nearest = np.array([int(np.argmin([distance for distance, _ in row])) for row in warped])
        if (nearest == held).all():
            break
        held = nearest
        for number in range(groups):
            members = np.flatnonzero(held == number)
            if len(members):
                paths = [warped[one][number][1] for one in members]
                middles[number] = _barycentre(curves[members], paths, len(middles[number]))
    return held


def _warped(
    middle: Float[np.ndarray, " time"], curve: Float[np.ndarray, " time"]
) -> tuple[float, Int[np.ndarray, "steps 2"]]:
    """The squared distance along the best path, and the path: places of both."""
    import librosa

    total, path = librosa.sequence.dtw(middle[None], curve[None], metric="sqeuclidean")
    return float(total[-1, -1]), path


def _barycentre(
    curves: Float[np.ndarray, "curves time"], paths: list[Int[np.ndarray, "steps 2"]], length: int
) -> Float[np.ndarray, " time"]:
    total, count = np.zeros(length), np.zeros(length)
    for curve, path in zip(curves, paths, strict=True):
        np.add.at(total, path[:, 0], curve[path[:, 1]])
        np.add.at(count, path[:, 0], 1)
    return total / count  # a path passes through every place
