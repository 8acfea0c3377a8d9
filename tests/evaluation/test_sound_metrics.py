"""Signal, spectral, class, neighbour, retrieval and agreement metrics: published values, known answers, hard cases."""

from __future__ import annotations

import json
import os
from pathlib import Path

import metric_cases as reference
import numpy as np
import pytest
import torch

from orchestrion.errors import OptionError
from orchestrion.evaluation import (
    agreement,
    audio_memorisation,
    coverage,
    divergence,
    neighbours,
    retrieval,
    signal,
    spectral_distance,
)

ROOT = Path(os.environ.get("ORCHESTRION_REFERENCE", Path(__file__).parents[1] / "reference")) / "metrics"
AUDIO = [folder for folder in sorted(ROOT.glob("*")) if (folder / "data.npz").exists()]
HEARD = reference.cases("chord")
RNG = np.random.default_rng


@pytest.fixture(params=AUDIO, ids=lambda f: f.name)
def case(request):
    data = np.load(request.param / "data.npz")
    wanted = json.loads((request.param / "functions.json").read_text())
    return data["estimate"], data["reference"], wanted


def test_torchmetrics_values(case):
    made, known, wanted = case
    values = wanted["torchmetrics"]
    assert signal.si_sdr(made, known) == pytest.approx(values["si_sdr"], abs=1e-4)
    assert signal.si_sdr(made, known, zero_mean=True) == pytest.approx(values["si_sdr_zero_mean"], abs=1e-4)
    assert signal.si_snr(made, known) == pytest.approx(values["si_snr"], abs=1e-4)
    assert signal.snr(made, known) == pytest.approx(values["snr"], abs=1e-4)
    assert signal.snr(made, known, zero_mean=True) == pytest.approx(values["snr_zero_mean"], abs=1e-4)
    assert signal.sdr(made, known) == pytest.approx(values["sdr_512_taps"], abs=1e-3)


def test_windowed_snr_is_bss_eval_4(case):
    """museval's SDR of one image a window is the ratio of the signal to all errors."""
    made, known, wanted = case
    table, size = np.array(wanted["museval"]["SDR"]), 4000
    for window in range(table.shape[1]):
        part = slice(window * size, (window + 1) * size)
        assert signal.snr(made[:, part], known[:, part]) == pytest.approx(table[:, window], abs=1e-3)


def test_auraloss_values(case):
    made, known, wanted = case
    made, known = (torch.from_numpy(x).float()[None] for x in (made, known))
    values = {name.split(" (")[0]: value for name, value in wanted["auraloss"].items()}
    distance = spectral_distance.multi_resolution_stft
    official = {"quirks": "official"}
    for name, options in (
        ("MultiResolutionSTFTLoss default", official),
        ("with w_lin_mag 1", {**official, "magnitude": 1.0}),
        ("mel 64 bins sr 8000 scale mel", {**official, "n_mels": 64, "sample_rate": 8000}),
        ("STFTLoss default", {**official, "n_ffts": [1024], "hop_lengths": [256], "win_lengths": [1024]}),
    ):
        assert float(distance(made, known, **options).total) == pytest.approx(values[name], rel=1e-4), name
    plain = distance(made, known)
    apart = [float(distance(made[:, i : i + 1], known[:, i : i + 1]).convergence) for i in range(2)]
    assert float(plain.convergence) == pytest.approx(np.mean(apart), rel=1e-5)  # each signal by its own norm
    assert float(plain.convergence) != pytest.approx(float(distance(made, known, **official).convergence), rel=1e-3)


def test_there_are_reference_cases():
    assert AUDIO and HEARD


def test_signal_metrics_known():
    rng = RNG(0)
    s, n = rng.normal(size=(2, 8000))
    n -= n @ s / (s @ s) * s
    n *= np.linalg.norm(s) / np.linalg.norm(n)
    mixed = s + 0.1 * n
    assert signal.snr(mixed, s) == pytest.approx(20)
    assert signal.si_sdr(mixed, s) == pytest.approx(20)
    assert signal.si_sdr(-7 * mixed, s) == pytest.approx(20)  # scale and polarity do not matter
    assert signal.snr(2 * s, s) == pytest.approx(0)
    assert signal.si_snr(mixed + 3, s + 5) == pytest.approx(float(signal.si_snr(mixed, s)))
    filtered = np.convolve(s, [0.5, 0.3, -0.2])[: len(s)]
    assert signal.sdr(filtered, s) > 50  # a short filter is forgiven
    assert signal.si_sdr(filtered, s) < 10
    assert signal.snr(s, s) == np.inf
    assert np.isnan(signal.snr(s, 0 * s)) and np.isnan(signal.sdr(s, 0 * s))
    assert signal.si_sdr(0 * s, s) == -np.inf or np.isnan(signal.si_sdr(0 * s, s))
    tone = np.sin(np.arange(8000) * 0.1)
    assert np.isfinite(signal.sdr(tone + 0.01 * n, tone))  # its autocorrelation is singular
    assert signal.si_sdr(np.stack([mixed, s + n]), np.stack([s, s])).shape == (2,)


def test_log_spectral_distance_known():
    s = RNG(1).normal(size=9000)
    assert signal.log_spectral_distance(s, s) == 0
    assert signal.log_spectral_distance(10 * s, s) == pytest.approx(20)  # ten times the amplitude is 20 dB everywhere
    assert signal.log_spectral_distance(s[:100], s[:100]) == 0  # shorter than a frame


@pytest.mark.parametrize("metric", [signal.snr, signal.si_sdr, signal.sdr, signal.log_spectral_distance])
def test_bad_signals_are_refused(metric):
    s = np.ones(4000)
    for made, known in ((s, s[:-1]), (s[:0], s[:0]), (s * np.nan, s)):
        with pytest.raises(OptionError):
            metric(made, known)


def test_spectral_distances_known():
    wave = torch.from_numpy(RNG(2).normal(0, 0.1, size=(2, 1, 8192))).float()
    found = spectral_distance.multi_resolution_stft(2 * wave, wave)
    assert float(found.convergence) == pytest.approx(1, rel=1e-4)
    assert float(found.log_magnitude) == pytest.approx(np.log(2), rel=1e-3)
    assert float(spectral_distance.multi_resolution_stft(wave, wave).total) == 0
    assert float(spectral_distance.log_mel(2 * wave, wave, sample_rate=8000)) == pytest.approx(np.log(2), rel=1e-3)
    scales = spectral_distance.multi_scale_mel(
        10 * wave, wave, sample_rate=44100, win_lengths=(512, 1024), n_mels=(20, 40)
    )
    assert float(scales) == pytest.approx(2, rel=1e-3)  # one decade at each of two scales
    wave.requires_grad_()
    spectral_distance.multi_resolution_stft(wave, wave.detach() * 0.5, magnitude=1).total.backward()
    assert wave.grad is not None and torch.isfinite(wave.grad).all()
    silent = torch.zeros(1, 1, 4096)
    assert torch.isfinite(spectral_distance.multi_resolution_stft(silent, silent).total)


def test_bad_spectra_are_refused():
    wave = torch.ones(1, 1, 4096)
    for options in ({"n_ffts": [512]}, {"n_mels": 4}, {"quirks": "odd"}):
        with pytest.raises(OptionError):
            spectral_distance.multi_resolution_stft(wave, wave, **options)
    with pytest.raises(OptionError, match="too short"):
        spectral_distance.multi_resolution_stft(wave[..., :1], wave[..., :1])
    with pytest.raises(OptionError, match="shapes"):
        spectral_distance.log_mel(wave, wave[..., 1:], sample_rate=8000)
    with pytest.raises(OptionError, match="scale"):
        spectral_distance.multi_scale_mel(wave, wave, sample_rate=8000, n_mels=(5,))


def test_divergence_known():
    from scipy.special import softmax

    a, b = RNG(0).normal(size=(2, 6, 5))
    p, q = softmax(b, axis=1), softmax(a, axis=1)
    assert divergence.paired_divergence(a, b, epsilon=0) == pytest.approx((p * np.log(p / q)).sum(1).mean())
    assert divergence.paired_divergence(a, a) == pytest.approx(0, abs=1e-5)
    assert divergence.paired_divergence(a, b) != pytest.approx(divergence.paired_divergence(b, a))
    assert divergence.paired_divergence(a + 100, b) == pytest.approx(divergence.paired_divergence(a, b))
    far = divergence.paired_divergence(np.array([[1000.0, 0]]), np.array([[0, 1000.0]]))
    assert far == pytest.approx(-np.log(1e-6))  # ε keeps it finite
    with pytest.raises(OptionError):
        divergence.paired_divergence(a, b[:3])


def test_inception_score_known():
    sure = np.eye(4)[np.arange(40) % 4] * 1000
    assert divergence.inception_score(sure, splits=1).mean == pytest.approx(4)  # four classes, evenly, each certain
    assert divergence.inception_score(np.zeros((40, 4))).mean == pytest.approx(1)
    with pytest.raises(OptionError):
        divergence.inception_score(sure[:3], splits=10)


@pytest.mark.slow  # torchmetrics takes its time to be imported
def test_inception_score_is_torchmetrics():
    from torchmetrics.image.inception import InceptionScore

    class Features(torch.nn.Module):
        def forward(self, x):
            return x[:, 0, 0].float()

    logits = RNG(3).integers(0, 255, size=(60, 7)).astype(np.uint8)
    theirs = InceptionScore(feature=Features(), splits=3)
    theirs.update(torch.from_numpy(np.tile(logits[:, None, None], (1, 3, 2, 1))))
    torch.manual_seed(0)
    order = torch.randperm(60)
    torch.manual_seed(0)
    mean, deviation = theirs.compute()
    ours = divergence.inception_score(logits[order.numpy()].astype(float), splits=3, seed=None)
    assert ours.mean == pytest.approx(float(mean), rel=1e-4)
    assert ours.deviation == pytest.approx(float(deviation), rel=1e-3)


def naive_coverage(made, known, k):
    from scipy.spatial.distance import cdist

    real = np.sort(cdist(known, known), axis=1)[:, k]
    fake = np.sort(cdist(made, made), axis=1)[:, k]
    apart = cdist(known, made)
    inside = apart < real[:, None]
    return inside.any(0).mean(), (apart < fake[None]).any(1).mean(), inside.sum(0).mean() / k, inside.any(1).mean()


def test_coverage_is_the_naive_one(monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK", 7)
    made, known = RNG(0).normal(0.5, 1, size=(50, 6)), RNG(1).normal(size=(70, 6))
    for k in (1, 3, 5):
        found = coverage.coverage(made, known, k=k)
        wanted = naive_coverage(made, known, k)
        assert (found.precision, found.recall, found.density) == pytest.approx(wanted[:3])
        assert found.coverage == pytest.approx(wanted[3])


def test_coverage_known():
    known = RNG(0).normal(size=(200, 4))
    same = coverage.coverage(known + 1e-9, known)
    assert (same.precision, same.recall, same.coverage) == (1, 1, 1)
    far = coverage.coverage(known + 100, known)
    assert (far.precision, far.recall, far.density, far.coverage) == (0, 0, 0, 0)
    fallen = coverage.coverage(np.repeat(known[:1], 200, axis=0) + 1e-3 * known, known)  # one mode again and again
    assert fallen.precision > 0.9 and fallen.coverage < 0.2
    with pytest.raises(OptionError, match="more than 5"):
        coverage.coverage(known[:5], known)


def test_retrieval_known():
    similarity = np.array([[0.9, 0.1, 0.5], [0.3, 0.2, 0.1], [0.5, 0.5, 0.5]])
    assert retrieval.ranks(similarity).tolist() == [1, 2, 3]  # ties count against
    found = retrieval.retrieval(retrieval.ranks(similarity), items=3, ks=(1, 2))
    assert found.recall == {1: pytest.approx(1 / 3), 2: pytest.approx(2 / 3)}
    assert found.median_rank == 2
    assert found.mean_reciprocal_rank == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    assert retrieval.ranks(similarity, np.array([1, 1, 1])).tolist() == [3, 2, 3]
    assert retrieval.ranks(similarity, np.array([[0, 1, 1], [0, 0, 1], [1, 1, 0]], bool)).tolist() == [2, 3, 2]
    assert retrieval.ranks(np.array([[np.nan, 0.1]])).tolist() == [2]
    for targets in (np.array([5, 0, 0]), np.zeros((3, 3), bool)):
        with pytest.raises(OptionError):
            retrieval.ranks(similarity, targets)
    with pytest.raises(OptionError):
        retrieval.retrieval([], items=3)


@pytest.mark.slow
def test_retrieval_is_torchmetrics():
    from torchmetrics.functional.retrieval import retrieval_recall, retrieval_reciprocal_rank

    queries, items = RNG(0).normal(size=(30, 8)), RNG(1).normal(size=(30, 8))
    items = 0.5 * queries + items
    found = retrieval.retrieval(retrieval.ranks_of_pairs(queries, items), items=30)
    # torchmetrics takes what has no score above 0 as not found at all: cosines are shifted.
    scores = 2 + torch.from_numpy(neighbours.unit(queries) @ neighbours.unit(items).T)
    truth = torch.eye(30, dtype=torch.bool)
    theirs = [float(retrieval_reciprocal_rank(row, target)) for row, target in zip(scores, truth, strict=True)]
    assert found.mean_reciprocal_rank == pytest.approx(np.mean(theirs), rel=1e-6)
    theirs = [float(retrieval_recall(row, target, top_k=5)) for row, target in zip(scores, truth, strict=True)]
    assert found.recall[5] == pytest.approx(np.mean(theirs))


def test_pair_similarity():
    assert retrieval.pair_similarity(np.array([[1.0, 0], [1, 1]]), np.array([[5.0, 0], [1, -1]])) == pytest.approx(
        [1, 0]
    )
    with pytest.raises(OptionError):
        retrieval.pair_similarity(np.ones((2, 3)), np.ones((2, 4)))


def test_memorisation_finds_copies():
    from orchestrion.evaluation.embedding_sets import EmbeddingSet, EmbeddingSettings

    how = EmbeddingSettings("space", 16000, 16000, "none", 1.0, 1.0)
    training = RNG(0).normal(size=(40, 32))
    made = RNG(1).normal(size=(10, 32))
    made[:3] = 2 * training[[7, 8, 9]] + 0.01 * made[:3]
    known = EmbeddingSet(training, how, np.arange(40), tuple(f"t{i}" for i in range(40)))
    found = audio_memorisation.memorisation(EmbeddingSet(made, how, np.arange(10), tuple("abcdefghij")), known)
    assert found.shares == {0.9: pytest.approx(0.3), 0.95: pytest.approx(0.3)}
    assert {(pair.generated, pair.training) for pair in found.closest[:3]} == {("a", "t7"), ("b", "t8"), ("c", "t9")}
    single = audio_memorisation.nearest(training, training, itself=False)
    assert single.similarity.max() < 0.95 and (single.item != np.arange(40)).all()
    similarity = audio_memorisation.nearest(made, training).similarity
    threshold = audio_memorisation.threshold_at(similarity, 0.4)
    assert audio_memorisation.share_above(similarity, threshold) == pytest.approx(0.4)
    with pytest.raises(OptionError):
        audio_memorisation.nearest(made[:0], training)
    with pytest.raises(ValueError, match="share"):
        audio_memorisation.threshold_at(similarity, 0)


@pytest.mark.parametrize("folder", HEARD, ids=lambda f: f.name)
def test_mir_eval_values(folder):
    cases = reference.functions(folder)
    truth = cases["beat"]["reference"]
    names = {
        "f_measure": "F-measure",
        "cemgil": "Cemgil",
        "cml_continuous": "Correct Metric Level Continuous",
        "cml_total": "Correct Metric Level Total",
        "aml_continuous": "Any Metric Level Continuous",
        "aml_total": "Any Metric Level Total",
        "p_score": "P-score",
        "information_gain": "Information gain",
    }
    for name, entry in cases["beat"]["cases"].items():
        found = agreement.beat_agreement(entry["estimated"], truth)
        for field, official in names.items():
            wanted = entry["scores"][official]
            if field == "information_gain":  # beats that lie on the edge of a bin: the stored ones are rounded
                assert getattr(found, field) == pytest.approx(wanted, abs=5e-3), name
            else:
                assert getattr(found, field) == pytest.approx(wanted, rel=1e-6, abs=1e-8), (name, field)
    for entry in cases["tempo"]:
        score = agreement.tempo_agreement(entry["estimated"], entry["reference"], weight=entry["weight"])
        assert score == pytest.approx(entry["scores"]["P-score"])
    for known, found, score in cases["key"]:
        assert agreement.key_agreement(found, known) == pytest.approx(score)
    entry = cases["segment"]
    edges = [[a for a, _ in entry[f"{kind}_intervals"]] + [entry[f"{kind}_intervals"][-1][1]] for kind in
             ("estimated", "reference")]  # fmt: skip
    for tolerance in (0.5, 3.0):
        found = agreement.boundary_agreement(*edges, tolerance=tolerance)
        assert found.f_measure == pytest.approx(entry["scores"][f"F-measure@{tolerance}"])
    assert found.reference_to_estimated == pytest.approx(entry["scores"]["Ref-to-est deviation"])


def test_beats_in_hard_cases():
    beats = np.arange(6, 20, 0.5)
    assert agreement.beat_agreement(beats, beats).f_measure == 1
    for made, known in (([], beats), (beats, []), ([7.0], beats), ([], [])):
        found = agreement.beat_agreement(made, known)
        assert found.cml_total == 0 and 0 <= found.f_measure < 0.2
    for bad in ([3.0, 2.0], [np.nan], [[1.0]]):
        with pytest.raises(OptionError):
            agreement.beat_agreement(bad, beats)


def test_melody_known():
    times = np.arange(0, 2, 0.01)
    truth = np.where(times < 1, 440.0, 0.0)
    assert agreement.melody_agreement(times, truth, times, truth).overall == 1
    octave = agreement.melody_agreement(times, truth / 2, times, truth)
    assert (octave.raw_pitch, octave.raw_chroma) == (0, 1)
    everywhere = agreement.melody_agreement(times, np.full(200, 440.0), times, truth)
    assert everywhere.voicing_false_alarm == 1 and everywhere.overall == pytest.approx(0.5, abs=0.02)


def test_chroma_and_dynamics_known():
    known = np.eye(12)[:, [0, 4, 7, 0]]
    assert agreement.chroma_agreement(known, known) == agreement.ChromaAgreement(1, 1, 4)
    moved = agreement.chroma_agreement(np.roll(known, 1, axis=0), known)
    assert (moved.same_class, moved.cosine) == (0, 0)
    partly = agreement.chroma_agreement(known[:, :3], np.where(np.arange(4) == 1, 0, known))
    assert partly.frames == 2  # one frame is silent, one is missing
    assert np.isnan(agreement.chroma_agreement(known, 0 * known).cosine)
    with pytest.raises(OptionError, match="12 rows"):
        agreement.chroma_agreement(known[:11], known)
    curve = RNG(0).normal(size=50)
    found = agreement.dynamics_agreement([curve, 5 - curve], [2 * curve, curve])
    assert found.micro == pytest.approx(0)
    assert agreement.dynamics_agreement([3 * curve + 1], [curve]).macro == pytest.approx(1)
    assert np.isnan(agreement.dynamics_agreement([np.ones(5)], [np.ones(5)]).micro)
    with pytest.raises(OptionError):
        agreement.dynamics_agreement([curve], [curve[:3]])
