"""The experiment in its smallest size: every figure is there, and the report is written."""

import numpy as np
import pytest

from orchestrion.reproductions.pictures_of_midi import Budget, run


@pytest.mark.slow
def test_every_part_runs(tmp_path):
    budget = Budget(pieces=40, steps=3, crops=4, shapes=2, candidates=3, sampling_steps=2)
    told = []
    report = run(seeds=(0,), folder=tmp_path, budget=budget, progress=lambda done, total: told.append((done, total)))
    assert len(report.claims) == 5 and told == [(1, 1)] and (tmp_path / "report.md").exists()
    assert 0 < report.figures["overlap: true"][0] <= 1
    assert report.figures["overlap: true"][0] > report.figures["overlap: another piece"][0] - 0.5
    assert np.isfinite(report.figures["notes: true"]).all()
