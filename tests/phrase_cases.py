"""A tune of phrases that several tests take."""

import numpy as np

from orchestrion.analysis.skeleton import Phrases
from orchestrion.analysis.skyline import Line
from orchestrion.representations.phrase_notes import tokens_of


def tune():
    """Four phrases of two bars of 4/4, a skeleton of their first and last notes."""
    length = np.array([4, 4, 4, 4, 4, 4, 8] * 4)
    stop = np.cumsum(length)
    pitch = np.array([60, 62, 64, 65, 67, 65, 64, 69, 67, 65, 64, 62, 60, 62] * 2)
    kept = np.zeros(28, bool)
    kept[[0, 6, 7, 13, 14, 20, 21, 27]] = True
    line = Line(stop - length, stop, pitch + 6, (4, 4))
    return line, tokens_of(line, Phrases.at([7, 14, 21], 28), kept)
