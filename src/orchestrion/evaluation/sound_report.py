"""All measures of a set of sounds against a reference set, as one record, and as a page to read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from orchestrion.evaluation import signal
from orchestrion.evaluation.audio_memorisation import THRESHOLDS, Memorisation, memorisation
from orchestrion.evaluation.coverage import Coverage, coverage
from orchestrion.evaluation.divergence import InceptionScore, inception_score, paired_divergence
from orchestrion.evaluation.embedding_sets import EmbeddingSet
from orchestrion.evaluation.frechet import FrechetScore, frechet_infinity, frechet_score
from orchestrion.evaluation.retrieval import Retrieval, pair_similarity, ranks_of_pairs, retrieval
from orchestrion.evaluation.spectral_distance import log_mel, multi_resolution_stft
from orchestrion.evaluation.statistics import Estimate, bootstrap_mean
from orchestrion.media.audio import Audio

NEIGHBOURS = 5
FEWEST = 16  # embeddings from which a Fréchet distance is extrapolated


@dataclass(frozen=True, slots=True)
class TextAgreement:
    """Of sounds and the texts they were made from: cosine similarity (CLAP score), and finding each sound by its
    text."""

    score: Estimate
    search: Retrieval


@dataclass(frozen=True, slots=True)
class SoundReport:
    """What was measured; None for what the sounds or the embedder do not allow.

    Attributes:
        generated, reference: numbers of sounds.
        frechet: FAD.
        frechet_infinity: FAD extrapolated to infinitely many embeddings.
        coverage: precision, recall, density and coverage.
        memorisation: nearest reference sounds; copies, if the reference is what a system was trained on.
        text: agreement with texts.
        inception: of the classes that the embedder hears.
        divergence: paired KL of these classes, in nats.
        waveforms: measure → mean over paired sounds with its interval.
    """

    generated: int
    reference: int
    frechet: FrechetScore
    frechet_infinity: FrechetScore | None
    coverage: Coverage | None
    memorisation: Memorisation
    text: TextAgreement | None = None
    inception: InceptionScore | None = None
    divergence: float | None = None
    waveforms: Mapping[str, Estimate] | None = None


def sound_report(
    generated: EmbeddingSet,
    reference: EmbeddingSet,
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    seed: int = 0,
) -> SoundReport:
    """All that two sets of embeddings, made in the same way, tell.

    Raises:
        OptionError: they were made in different ways, or hold fewer than two embeddings.
    """
    plain = frechet_score(generated, reference)
    fewest = min(len(generated), len(reference))
    return SoundReport(
        generated=len(generated.names),
        reference=len(reference.names),
        frechet=plain,
        frechet_infinity=frechet_infinity(generated, reference, seed=seed) if len(generated) >= FEWEST else None,
        coverage=coverage(generated.vectors, reference.vectors, k=NEIGHBOURS) if fewest > NEIGHBOURS else None,
        memorisation=memorisation(generated, reference, thresholds=thresholds),
    )


def with_texts(
    report: SoundReport, texts: Float[np.ndarray, "n dim"], sounds: Float[np.ndarray, "n dim"]
) -> SoundReport:
    """The report with the agreement of sounds and their texts, embedded in one space."""
    agreement = TextAgreement(
        score=bootstrap_mean(pair_similarity(texts, sounds)),
        search=retrieval(ranks_of_pairs(texts, sounds), items=len(sounds)),
    )
    return dataclasses.replace(report, text=agreement)


def with_classes(
    report: SoundReport, generated: Float[np.ndarray, "n classes"], target: Float[np.ndarray, "n classes"] | None
) -> SoundReport:
    """The report with inception score, and with the divergence from paired targets where there are."""
    return dataclasses.replace(
        report,
        inception=inception_score(generated, splits=min(10, len(generated))),
        divergence=None if target is None else paired_divergence(generated, target),
    )


def waveform_measures(estimate: Audio, reference: Audio) -> dict[str, float]:
    """How near a sound is to its reference: dB of SI-SDR, SI-SNR, SDR and SNR, log-spectral distance (dB), and the
    multi-resolution STFT and log-mel distances, the mean over channels.

    The estimate is brought to the rate and number of channels of the reference, and both are cut to the shorter one.
    """
    made = estimate.resample(reference.rate)
    made, known = (made, reference) if made.n_channels == reference.n_channels else (made.mono(), reference.mono())
    samples = min(made.samples.shape[1], known.samples.shape[1])
    first, second = made.samples[:, :samples], known.samples[:, :samples]
    waves, target = torch.from_numpy(first)[None], torch.from_numpy(second)[None]
    measures = {
        "si_sdr": signal.si_sdr(first, second),
        "si_snr": signal.si_snr(first, second),
        "sdr": signal.sdr(first, second),
        "snr": signal.snr(first, second),
        "log_spectral_distance": signal.log_spectral_distance(first, second),
        "multi_resolution_stft": multi_resolution_stft(waves, target).total.numpy(),
        "log_mel": log_mel(waves, target, sample_rate=reference.rate).numpy(),
    }
    return {name: float(np.mean(value)) for name, value in measures.items()}


def with_waveforms(report: SoundReport, measured: Sequence[Mapping[str, float]]) -> SoundReport:
    """The report with the means of `waveform_measures` over paired sounds; infinite values do not count."""
    names = measured[0] if measured else ()
    columns = {name: np.array([row[name] for row in measured]) for name in names}
    means = {name: bootstrap_mean(np.where(np.isfinite(column), column, np.nan)) for name, column in columns.items()}
    return dataclasses.replace(report, waveforms=means)


def to_markdown(report: SoundReport) -> str:
    """The report as a page: what was compared and how, then a table of figures."""
    rows = [("FAD ↓", f"{report.frechet.distance:.4g}", f"N = {report.frechet.generated}, not extrapolated")]
    if (endless := report.frechet_infinity) is not None and endless.line is not None:
        rows.append(("FAD∞ ↓", f"{endless.distance:.4g}", f"extrapolated, R² {endless.line.r_squared:.3f}"))
    if (found := report.coverage) is not None:
        for name in ("precision", "recall", "density", "coverage"):
            rows.append((f"{name} ↑", f"{getattr(found, name):.3f}", f"k = {found.k}"))
    copies = report.memorisation
    rows += [
        (f"SIM_AA@{100 * t:g} ↓", f"{share:.3f}", "share nearer than this to a reference sound")
        for t, share in copies.shares.items()
    ]
    rows.append(("nearest reference", f"{copies.mean:.3f}", "mean cosine similarity"))
    if (text := report.text) is not None:
        rows.append(("text agreement ↑", _interval(text.score), f"{text.score.n} texts"))
        ranked = f"R@1 {text.search.recall[1]:.3f}, median rank {text.search.median_rank:g}"
        rows.append(("found by their text ↑", ranked, f"among {text.search.items}"))
    if (inception := report.inception) is not None:
        rows.append(("IS ↑", f"{inception.mean:.3f} ± {inception.deviation:.3f}", f"{inception.splits} splits"))
    if report.divergence is not None:
        rows.append(("KL ↓", f"{report.divergence:.4g}", "paired, nats"))
    rows += [(name, _interval(value), f"{value.n} pairs") for name, value in (report.waveforms or {}).items()]
    told = [
        "# Measured sounds",
        "",
        f"{report.generated} sounds against {report.reference}: {report.frechet.settings}; "
        f"{report.frechet.generated} embeddings against {report.frechet.reference}, "
        f"{report.frechet.dimension} dimensions.",
        "",
        "| measure | value | |",
        "|---|---|---|",
        *[f"| {name} | {value} | {note} |" for name, value, note in rows],
        "",
        "## Nearest to a reference sound",
        "",
        "| similarity | sound | reference |",
        "|---|---|---|",
        *[f"| {pair.similarity:.3f} | {_cell(pair.generated)} | {_cell(pair.training)} |" for pair in copies.closest],
    ]
    return "\n".join(told) + "\n"


def _interval(value: Estimate) -> str:
    return f"{value.mean:.4g} [{value.low:.4g}, {value.high:.4g}]"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
