"""Probes: what can be learned is, nothing leaks between splits, and files come back the same."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrion.errors import InputError, WeightsError
from orchestrion.evaluation.probes import Probe, measure_probe, probe_pieces, split_by_group, train_probe
from orchestrion.evaluation.views import view_figures
from orchestrion.hub.weights import write_weights


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=3, max_size=40), st.integers(0, 1000))
def test_groups_stay_together_and_every_item_is_in_one_part(groups, seed):
    if len(set(groups)) < 3:
        with pytest.raises(ValueError, match="cannot be split"):
            split_by_group(groups, seed=seed)
        return
    parts = split_by_group(groups, seed=seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(groups)))
    assert all(len(part) for part in parts)
    names = [{groups[item] for item in part} for part in parts]
    assert not (names[0] & names[1] or names[0] & names[2] or names[1] & names[2])
    again = split_by_group(groups, seed=seed)
    assert all((a == b).all() for a, b in zip(parts, again, strict=True))


def test_shares():
    parts = split_by_group(range(100))
    assert [len(part) for part in parts] == [70, 10, 20]


def made(task="tags", count=90, windows=3):
    """Pieces whose labels can be read from their vectors, on very unlike scales."""
    rng = np.random.default_rng(0)
    if task == "tags":
        labels = (rng.random((count, 2)) < 0.4).astype(np.float32)
    else:
        labels = np.eye(3, dtype=np.float32)[rng.integers(0, 3, count)]
    clean = np.concatenate([labels, rng.standard_normal((count, 3))], axis=1)
    vectors = np.repeat(clean, windows, 0) + 0.1 * rng.standard_normal((count * windows, clean.shape[1]))
    vectors = (vectors * np.linspace(1, 500, clean.shape[1]) + 7).astype(np.float32)
    return vectors, np.repeat(np.arange(count), windows), labels


@pytest.mark.parametrize(("task", "hidden"), [("tags", None), ("tags", 8), ("classes", None)])
def test_learns_what_can_be_learned(task, hidden):
    vectors, pieces, labels = made(task)
    splits = split_by_group(range(len(labels)))
    names = [f"label {n}" for n in range(labels.shape[1])]
    found = probe_pieces(
        vectors, pieces, labels, names, splits, task=task, hidden=hidden, learning_rate=0.02, batch_size=64
    )
    assert found.scores.pr_auc > 0.97 and found.scores.roc_auc > 0.97
    assert found.pieces == (63, 9, 18)
    assert found.accuracy is None if task == "tags" else found.accuracy > 0.9
    shuffled = np.random.default_rng(1).permutation(len(labels))
    guess = probe_pieces(vectors, pieces, labels[shuffled], names, splits, task=task, epochs=20)
    assert guess.scores.roc_auc < 0.8 and 0 < guess.chance < 1


def test_same_seed_same_probe_and_the_global_generator_is_left_alone():
    vectors, pieces, labels = made()
    state = torch.random.get_rng_state()
    one, two = (train_probe(vectors, labels[pieces], "ab", epochs=2, seed=3)[0] for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(one.layers[0].weight, two.layers[0].weight)
    other, _ = train_probe(vectors, labels[pieces], "ab", epochs=2, seed=4)
    assert not torch.equal(one.layers[0].weight, other.layers[0].weight)


def test_stops_early_and_keeps_the_best():
    vectors, pieces, labels = made()
    noise = np.random.default_rng(2).standard_normal(vectors.shape).astype(np.float32)
    held = (noise[:30], labels[pieces][:30])
    _, epochs = train_probe(noise, labels[pieces], "ab", validation=held, epochs=500, patience=3, learning_rate=0.1)
    assert epochs < 500
    _, all_of_them = train_probe(noise, labels[pieces], "ab", epochs=7)
    assert all_of_them == 7


def test_standardising_is_part_of_the_first_layer():
    vectors, pieces, labels = made()
    vectors[:, 0] = 3  # says nothing
    probe, _ = train_probe(vectors, labels[pieces], "ab", epochs=3)
    assert (probe.layers[0].weight[:, 0] == 0).all()
    scores, _ = measure_probe(probe, vectors, pieces, labels)
    shifted, _ = measure_probe(probe, vectors + 1e-3, pieces, labels)
    assert shifted.roc_auc == pytest.approx(scores.roc_auc, abs=0.02)


def test_saved_and_loaded(tmp_path):
    probe = Probe(["a", "b"], inputs=4, hidden=3, task="classes", space="somewhere")
    path = tmp_path / "probe.safetensors"
    probe.save(path, {"seed": 5})
    back = Probe.load(path)
    vectors = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    assert (back.scores(vectors) == probe.scores(vectors)).all()
    np.testing.assert_allclose(back.scores(vectors).sum(1), 1, rtol=1e-5)
    assert (back.labels, back.task, back.space, back.about) == (("a", "b"), "classes", "somewhere", {"seed": 5})
    write_weights(path, probe.state_dict(), {"kind": "other"})
    with pytest.raises(WeightsError, match="is no probe"):
        Probe.load(path)
    write_weights(path, probe.state_dict(), {"kind": "probe", "labels": "[1", "arguments": "{}"})
    with pytest.raises(WeightsError, match="is damaged"):
        Probe.load(path)
    with pytest.raises(ValueError, match="labels"):
        Probe([], inputs=4)


def test_no_labels_at_all():
    vectors, pieces, labels = made()
    with pytest.raises(InputError, match="No piece for training"):
        probe_pieces(vectors, pieces, labels * 0, "ab", split_by_group(range(len(labels))))


def test_figures_of_views():
    one = torch.eye(4)
    same = view_figures(one, 5 * one)  # length does not matter
    assert same.alignment == 0 and same.found == 1
    assert same.uniformity == pytest.approx(-4)  # d² = 2 between all
    turned = view_figures(one, one.roll(1, 0))
    assert turned.alignment == pytest.approx(2) and turned.found == 0
    point = view_figures(torch.ones(3, 2), torch.ones(3, 2))
    assert point.uniformity == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match="at least two"):
        view_figures(one[:1], one[:1])
