"""Fréchet distances against what fadtk and torchmetrics give, against known answers, and in hard cases."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrion.errors import OptionError
from orchestrion.evaluation import frechet
from orchestrion.evaluation.embedding_sets import EmbeddingSet, EmbeddingSettings, check_alike

ROOT = Path(os.environ.get("ORCHESTRION_REFERENCE", Path(__file__).parents[1] / "reference")) / "metrics"
FOLDERS = [folder for folder in sorted(ROOT.glob("*")) if (folder / "data.npz").exists()]
MADE = EmbeddingSettings("clmr:1234", 22050, 22050, "none", 2.68, 2.68)


def embedded(n, *, dim=4, seed=0, shift=0.0, how=MADE):
    vectors = np.random.default_rng(seed).normal(shift, 1, (n, dim)).astype(np.float32)
    return EmbeddingSet(vectors, how, np.arange(n), tuple(f"{i}.wav" for i in range(n)))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f.name)
def test_published_values(folder):
    data, wanted = np.load(folder / "data.npz"), json.loads((folder / "functions.json").read_text())
    a, b, few = data["fad_a"], data["fad_b"], data["fad_few"]
    assert frechet.frechet_distance(a, b) == pytest.approx(wanted["fad"]["a_b"], rel=1e-6)
    assert frechet.frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet.frechet_distance(a, few) == pytest.approx(wanted["fad"]["a_few"], rel=1e-6)
    rows, case = wanted["fad_inf"]["rows"], wanted["fad_inf"]
    distances = [frechet.frechet_distance(a[chosen], b) for chosen in rows]
    assert distances == pytest.approx(case["fad"], rel=1e-6)
    line = frechet.extrapolate([len(chosen) for chosen in rows], distances)
    assert (line.slope, line.intercept) == pytest.approx((case["slope"], case["intercept"]), rel=1e-5)


def test_there_is_a_reference_case():
    assert FOLDERS


def test_known_answers():
    a = np.random.default_rng(0).normal(size=(100, 2))
    assert frechet.frechet_distance(a, a + 3) == pytest.approx(18)  # only the means differ: 3² in two dimensions
    assert frechet.frechet_distance(a, 3 * (a - a.mean(0)) + a.mean(0)) == pytest.approx(
        4 * np.trace(np.cov(a, rowvar=False))
    )  # σ and 3σ: (3 − 1)² σ²
    one = np.repeat([[1.0, 2.0]], 5, axis=0)  # no spread at all
    assert frechet.frechet_distance(one, one) == 0
    assert frechet.frechet_distance(one, a) == pytest.approx(
        np.square(a.mean(0) - one[0]).sum() + np.trace(np.cov(a, rowvar=False))
    )


@pytest.mark.parametrize(("n", "m", "dim"), [(40, 50, 8), (20, 30, 64), (200, 12, 32)])
def test_equals_scipys_root(n, m, dim):
    """Many or few embeddings, each side of the dimension."""
    from scipy.linalg import sqrtm

    rng = np.random.default_rng(n)
    mix = rng.normal(size=(dim, dim))
    a, b = rng.normal(size=(n, dim)) @ mix, rng.normal(0.3, 2, size=(m, dim)) @ mix
    found = frechet.frechet_distance(a, b)
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    shift = a.mean(0) - b.mean(0)
    naive = shift @ shift + np.trace(first + second - 2 * np.real(sqrtm(first @ second)))
    assert found == pytest.approx(naive, rel=1e-4)


@pytest.mark.slow  # torchmetrics takes its time to be imported
def test_equals_torchmetrics():
    import torch
    from torchmetrics.image.fid import _compute_fid

    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(80, 12)), rng.normal(0.3, 2, size=(60, 12))
    tensors = (a.mean(0), np.cov(a, rowvar=False), b.mean(0), np.cov(b, rowvar=False))
    wanted = float(_compute_fid(*map(torch.from_numpy, tensors)))
    assert frechet.frechet_distance(a, b) == pytest.approx(wanted, rel=1e-4)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 30), st.integers(2, 30), st.integers(1, 12), st.integers(0, 99))
def test_properties(n, m, dim, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(n, dim)), rng.normal(1, 2, size=(m, dim))
    distance = frechet.frechet_distance(a, b)
    assert distance >= 0
    assert frechet.frechet_distance(b, a) == pytest.approx(distance, abs=1e-9)
    turn = np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    assert frechet.frechet_distance(a @ turn + 5, b @ turn + 5) == pytest.approx(distance, rel=1e-6, abs=1e-6)
    joined = frechet.Gaussian.fit(a).merge(frechet.Gaussian.fit(b))
    whole = frechet.Gaussian.fit(np.concatenate([a, b]))
    assert joined.n == whole.n
    np.testing.assert_allclose(joined.mean, whole.mean, atol=1e-9)
    np.testing.assert_allclose(joined.covariance, whole.covariance, atol=1e-9)


def test_nearly_equal_large_offset_is_exact():
    """Embeddings far from the origin: the difference of large numbers must not drown the distance."""
    a = np.random.default_rng(0).normal(size=(300, 16)) + 1e4
    assert frechet.frechet_distance(a, a + 1e-3) == pytest.approx(16e-6, rel=1e-3)


def test_extrapolation_finds_what_many_embeddings_show():
    """The plain distance of few embeddings is far too high; the line through it is not."""
    reference = embedded(4000, dim=16, seed=1)
    few = embedded(160, dim=16, seed=2)
    plain, endless = frechet.frechet_score(few, reference), frechet.frechet_infinity(few, reference)
    assert plain.distance > 0.3  # the truth is 0
    assert abs(endless.distance) < 0.35 * plain.distance
    assert endless.extrapolated and not plain.extrapolated
    assert endless.line.r_squared > 0.5
    again = frechet.frechet_infinity(few, reference)
    assert again.distance == endless.distance
    assert frechet.frechet_infinity(few, reference, seed=1).distance != endless.distance
    quirk = frechet.frechet_infinity(few, reference, quirks="official")
    assert quirk.distance > endless.distance  # drawing with replacement finds the plain distance again


def test_everything_is_printed():
    told = str(frechet.frechet_score(embedded(20), embedded(30, seed=1)))
    for part in ("N = 20 against 30", "not extrapolated", "clmr:1234", "22050 Hz", "none", "2.68 s"):
        assert part in told
    assert "R²" in str(frechet.frechet_infinity(embedded(20), embedded(30, seed=1)))


@pytest.mark.parametrize(
    "change",
    [
        {"space": "vggish:9"},
        {"sample_rate": 16000},
        {"embedder_rate": 16000},
        {"resampler": "soxr HQ"},
        {"window": 1.0},
        {"hop": 1.0},
        {"pooling": "mean"},
    ],
)
def test_unlike_settings_are_refused(change):
    other = embedded(20, seed=1, how=replace(MADE, **change))
    name = next(iter(change)).replace("_", " ")
    for compare in (frechet.frechet_score, frechet.frechet_infinity):
        with pytest.raises(OptionError, match=name):
            compare(embedded(20), other)
    with pytest.raises(OptionError, match=name):
        check_alike(MADE, other.settings)
    with pytest.raises(OptionError, match=name):
        frechet.frechet_score(embedded(20), embedded(20)).minus(frechet.frechet_score(other, other))


def test_unlike_scores_are_refused():
    score = frechet.frechet_score(embedded(40), embedded(40, seed=1))
    assert score.minus(score) == 0
    for other, words in (
        (frechet.frechet_infinity(embedded(40), embedded(40, seed=1)), "extrapolated"),
        (frechet.frechet_score(embedded(20), embedded(40, seed=1)), "20"),
        (frechet.frechet_score(embedded(40), embedded(30, seed=1)), "30 reference"),
    ):
        with pytest.raises(OptionError, match=words):
            score.minus(other)


def test_what_cannot_be_measured_is_refused():
    a = np.ones((3, 2))
    for bad in (a[:1], a[:0], np.array([[np.nan, 1], [1, 1]])):
        with pytest.raises(OptionError):
            frechet.frechet_distance(bad, a)
    with pytest.raises(OptionError, match="dimensions"):
        frechet.frechet_distance(a, np.ones((3, 4)))
    with pytest.raises(OptionError, match="extrapolated"):
        frechet.frechet_infinity(embedded(3), embedded(9))
    with pytest.raises(OptionError, match="quirks"):
        frechet.frechet_infinity(embedded(30), embedded(9), quirks="odd")
    with pytest.raises(ValueError, match="two sizes"):
        frechet.extrapolate([5, 5], [1.0, 2.0])
    with pytest.raises(ValueError, match="no numbers"):
        EmbeddingSet(np.full((1, 2), np.inf), MADE, np.zeros(1, int), ("a",))


def test_windows_of_a_sound_are_averaged():
    made = EmbeddingSet(np.array([[0.0, 2], [2, 4], [5, 5]]), MADE, np.array([0, 0, 2]), ("a", "b", "c"))
    pooled = made.per_sound()
    np.testing.assert_array_equal(pooled.vectors, [[1, 3], [5, 5]])
    assert pooled.names == ("a", "c")
    assert pooled.settings.pooling == "mean"
