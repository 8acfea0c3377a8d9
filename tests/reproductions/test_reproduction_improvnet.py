"""The experiment in its smallest size: every figure is there, the report is written, and what stays the same is so."""

import numpy as np
import pytest

from orchestrion.evaluation.conditional import control_correlation
from orchestrion.reproductions.improvnet import PASSES, RATES, run


@pytest.mark.slow
def test_every_part_runs(tmp_path):
    told = []
    report = run(
        seeds=(0,), folder=tmp_path, steps=3, classifier_steps=3, pieces=1,
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert len(report.claims) == 6 and told == [(1, 1)] and (tmp_path / "report.md").exists()
    genres = [report.figures[f"rate {rate:g}, pass {count}: jazz"][0] for rate in RATES for count in PASSES]
    assert all(0 <= value <= 1 for value in genres)
    strengths = [rate * count for rate in RATES for count in PASSES]
    assert np.isclose(report.claims[1].values[0], control_correlation(strengths, genres))
