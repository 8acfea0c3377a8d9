"""Where the phrases of a tune that is to be written begin and end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from orchestrion.analysis.skyline import Line
from orchestrion.errors import OptionError
from orchestrion.representations.phrase_notes import marked_phrases

if TYPE_CHECKING:
    from symusic.core import ScoreTick

DEFAULT_PHRASE = 4  # bars of a phrase where nothing says how long it is


def phrase_plan(score: ScoreTick | None, line: Line, plan: Sequence[int]) -> tuple[int, list[int]]:
    """Where the first phrase begins and where each ends, in sixteenths: from a plan of bars, else from markers of
    phrases, else in phrases of four bars.

    Raises:
        OptionError: a phrase of the plan has no bar, or the skeleton goes on after the plan.
    """
    bar = line.bar
    first = int(line.start[0]) if len(line) else 0
    begin = first if line.shift else first // bar * bar
    end = -(-int(line.stop[-1]) // bar) * bar if len(line) else 0
    if plan:
        if min(plan) < 1:
            raise OptionError("Each phrase of the plan needs at least one bar; write it like 4,4,4,4.")
        origin = -(-begin // bar) * bar if line.shift else begin
        stops = [origin + int(total) * bar for total in np.cumsum(plan)]
        if end > stops[-1]:
            have, need = sum(plan), (end - origin) // bar
            raise OptionError(f"The plan has {have} bars, but the skeleton goes on for {need}; lengthen the plan.")
        return begin, stops
    marked = None if score is None else marked_phrases(score, line)
    if marked is not None:
        starts = [int(line.start[note]) for note in marked.starts[1:]]
        return begin, [*starts, max(end, begin + bar)]
    stops = list(range(begin // bar * bar + DEFAULT_PHRASE * bar, end, DEFAULT_PHRASE * bar))
    return begin, [*stops, max(end, begin + bar)]
