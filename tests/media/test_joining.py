"""Where one sound is cut for the next."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrion.errors import OptionError
from orchestrion.media.joining import join_overlapping

FIRST, SECOND = np.arange(41.0), -np.arange(1, 11.0)


@pytest.mark.parametrize(
    ("offset", "quirks", "kept"),
    [
        (0, "none", 31), (3, "none", 34), (-4, "none", 27), (6, "none", 37), (20, "none", 41),
        (0, "official", 31), (3, "official", 37), (-4, "official", 23), (4, "official", 39),
        (5, "official", 0), (6, "official", 2), (-20, "official", 0),
    ],
)  # fmt: skip
@pytest.mark.parametrize("fade", [0, 5])
def test_so_many_samples_of_the_first_are_kept(offset, quirks, kept, fade):
    joined = join_overlapping(FIRST, SECOND, offset, quirks=quirks, fade=fade)
    assert len(joined) == kept + 10
    np.testing.assert_array_equal(joined[:kept], FIRST[:kept])
    np.testing.assert_array_equal(joined[kept + 5 :], SECOND[5:])
    if fade:
        faded = min(5, 41 - kept)
        rise = np.linspace(0, 1, faded)
        np.testing.assert_allclose(
            joined[kept : kept + faded], FIRST[kept : kept + faded] * (1 - rise) + SECOND[:faded] * rise
        )


def test_unknown_quirks_are_refused():
    with pytest.raises(OptionError, match="quirks is 'other'"):
        join_overlapping(FIRST, SECOND, 0, quirks="other")
