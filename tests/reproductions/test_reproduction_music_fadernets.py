"""The experiment in its smallest size: every claim has a figure, and the report is written."""

import pytest

from orchestrion.reproductions.music_fadernets import run


@pytest.mark.slow
def test_every_part_runs(tmp_path):
    told = []
    report = run(
        (0,), tmp_path, lambda done, total: told.append((done, total)), training_steps=3, learnt=8, tests=4
    )  # fmt: skip
    assert len(report.claims) == 9 and told[-1] == (3, 3) and (tmp_path / "report.md").exists()
    assert 0 <= report.figures["arousal right, paper"][0] <= 1
