"""The experiment in its smallest size: every arm runs, splits keep tunes whole, and few labels are few."""

import numpy as np
import pytest

from orchestrion.reproductions.clmr import Budget, Experiment, few_labels, play, run


def test_few_labels():
    rng = np.random.default_rng(0)
    labels = (rng.random((200, 10)) < 0.3).astype(np.float32)
    train = np.arange(0, 140)
    few = few_labels(labels, train, 0)
    assert len(few) >= 7 and set(few) <= set(train) and len(set(few)) == len(few)
    assert (labels[few].sum(0) >= 2).all() and len(few) < 16
    assert (few_labels(labels, train, 0) == few).all() and list(few_labels(labels, train, 1)) != list(few)


@pytest.mark.slow
def test_every_arm_runs(tmp_path):
    budget = Budget(pieces=24, steps=2, short_steps=2, supervised_steps=2)
    told = []
    report = run(seeds=(0,), folder=tmp_path, budget=budget, progress=lambda done, total: told.append((done, total)))
    assert len(report.claims) == 5 and all(np.isfinite(claim.values).all() for claim in report.claims)
    assert told[-1][0] == told[-1][1] and (tmp_path / "report.md").exists()
    experiment = Experiment(play(24, 16000), 0, budget)
    tunes = [{experiment.sounds.tunes[piece] for piece in part} for part in (experiment.train, experiment.test)]
    assert not tunes[0] & tunes[1]
