"""What arguments of the published codecs mean where they are left out or seldom used."""

from __future__ import annotations

import pytest

from orchestrion.errors import WeightsError
from orchestrion.hub.official import codecs as official

SIZES = {"dimension": 8, "n_filters": 4, "ratios": (3, 2)}


@pytest.mark.parametrize(
    ("package", "units", "norm", "identity", "lstm"),
    [("encodec", 1, "weight_norm", False, 2), ("audiocraft", 3, "none", True, 0)],
)
def test_the_packages_of_seanet_differ_in_what_is_left_out(package, units, norm, identity, lstm):
    for decoder in (False, True):
        ours = official.seanet_arguments(SIZES, decoder=decoder, package=package)
        assert (ours["units"], ours["norm"], ours["identity"], ours["lstm"]) == (units, norm, identity, lstm)
        said = {"n_residual_layers": 2, "norm": "time_group_norm", "true_skip": True, "lstm": 1}
        ours = official.seanet_arguments({**SIZES, **said}, decoder=decoder, package=package)
        assert (ours["units"], ours["norm"], ours["identity"], ours["lstm"]) == (2, "time_group_norm", True, 1)
    with pytest.raises(WeightsError, match="no package 'other'"):
        official.seanet_arguments(SIZES, decoder=False, package="other")
