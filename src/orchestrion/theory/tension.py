"""Tonal tension over time, in the spiral array (Herremans & Chew 2016)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from orchestrion.theory.keys import Key
from orchestrion.theory.spiral_array import home, spelled

SILENT = 0.1  # a window whose centre is nearer to the origin than this counts as silent, as published


@dataclass(frozen=True, slots=True, eq=False)
class Tension:
    """Three kinds of tension, one value a window.

    Attributes:
        tensile_strain: distance of the centre of the notes from the key.
        cloud_diameter: greatest distance between two notes that sound together, mean over the steps of the window.
        cloud_momentum: distance of the centre from that of the window before; the first is 0.
    """

    tensile_strain: Float[np.ndarray, " windows"]
    cloud_diameter: Float[np.ndarray, " windows"]
    cloud_momentum: Float[np.ndarray, " windows"]


def tension(
    start: Int[np.ndarray, " notes"],
    stop: Int[np.ndarray, " notes"],
    pitch: Int[np.ndarray, " notes"],
    *,
    key: Key,
    windows: Int[np.ndarray, " borders"],
) -> Tension:
    """Tension of notes on a grid of sixteenths, in windows of it.

    Of every step, the cloud is all sounding pitches, unisons counted once and octaves apart; of a window, the centre
    is the mean of the centres of its steps, silent ones lying at the origin.

    Args:
        start, stop: in sixteenths.
        key: of the music; see `spiral_array.nearest_key`.
        windows: borders of the windows in sixteenths, for instance bar lines; the last is an end.
    """
    steps = int(windows[-1]) if len(windows) else 0
    places = spelled(pitch, key=key)
    centres, diameters = np.zeros((steps, 3)), np.zeros(steps)
    for step in range(steps):
        sounding = (start <= step) & (stop > step)
        if sounding.any():
            cloud = places[sounding][np.unique(pitch[sounding], return_index=True)[1]]
            centres[step] = cloud.mean(0)
            apart = cloud[:, None] - cloud[None]
            diameters[step] = np.sqrt((apart * apart).sum(-1).max())
    slices = [slice(a, b) for a, b in pairwise(windows.tolist())]
    centre = np.array([centres[part].mean(0) for part in slices]).reshape(-1, 3)
    strain = np.linalg.norm(centre - home(key), axis=1)
    diameter = np.array([diameters[part].mean() for part in slices])
    silent = np.linalg.norm(centre, axis=1) < SILENT
    strain[silent] = diameter[silent] = 0.0
    momentum = np.linalg.norm(np.diff(centre, axis=0, prepend=centre[:1]), axis=1)
    return Tension(strain, diameter, momentum)
