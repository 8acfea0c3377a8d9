"""How well what is heard in one recording agrees with another, or with what is known: beats, tempo, key, sections,
melody, chroma, dynamics. Where mir_eval has the measure, it is mir_eval's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from orchestrion.errors import OptionError

BEAT_TOLERANCE = 0.07  # seconds on either side
CENTS = 50  # by which a melody may be off
FIRST_BEATS = 5.0  # seconds at the beginning that are not judged


@dataclass(frozen=True, slots=True)
class BeatAgreement:
    """Measures of beats, 0 to 1 (Davies, Degara & Plumbley 2009).

    Attributes:
        f_measure: beats found within 70 ms.
        cemgil: Gaussian closeness (σ 40 ms).
        cml_continuous, cml_total: longest correct run, and share of beats in correct runs, at the annotated level.
        aml_continuous, aml_total: the same when half, double and off-beat are allowed.
        p_score: correlation of the two trains of impulses.
        information_gain: of the beat errors against chance.
    """

    f_measure: float
    cemgil: float
    cml_continuous: float
    cml_total: float
    aml_continuous: float
    aml_total: float
    p_score: float
    information_gain: float


def beat_agreement(
    estimated: Sequence[float], reference: Sequence[float], *, first: float = FIRST_BEATS
) -> BeatAgreement:
    """Beats, or downbeats, in seconds; those before `first` do not count (mir_eval's convention).

    All 0 where one of the two has fewer beats than are needed.

    Raises:
        OptionError: beats are out of order or no numbers.
    """
    from mir_eval import beat

    known, found = (_times(times) for times in (reference, estimated))
    known, found = beat.trim_beats(known, first), beat.trim_beats(found, first)
    if len(known) < 2 or len(found) < 2:
        value = beat.f_measure(known, found) if len(known) and len(found) else 0.0
        return BeatAgreement(float(value), *[0.0] * 7)
    cml_continuous, cml_total, aml_continuous, aml_total = beat.continuity(known, found)
    return BeatAgreement(
        f_measure=float(beat.f_measure(known, found, f_measure_threshold=BEAT_TOLERANCE)),
        cemgil=float(beat.cemgil(known, found)[0]),
        cml_continuous=float(cml_continuous),
        cml_total=float(cml_total),
        aml_continuous=float(aml_continuous),
        aml_total=float(aml_total),
        p_score=float(beat.p_score(known, found)),
        information_gain=float(beat.information_gain(known, found)),
    )


def _times(times: Sequence[float]) -> np.ndarray:
    array = np.asarray(times, np.float64)
    if array.ndim != 1 or not np.isfinite(array).all() or (np.diff(array) < 0).any():
        raise OptionError("Beats must be times in seconds in ascending order.")
    return array


def tempo_agreement(
    estimated: Sequence[float], reference: Sequence[float], *, weight: float = 0.5, tolerance: float = 0.08
) -> float:
    """P-score of two tempi in quarter notes a minute (MIREX): the weight of each known tempo that is found within 8 %.

    Args:
        estimated, reference: two tempi each.
        weight: of the first known tempo.
    """
    from mir_eval import tempo

    return float(tempo.detection(np.asarray(reference, float), weight, np.asarray(estimated, float), tolerance)[0])


def key_agreement(estimated: str, reference: str) -> float:
    """MIREX key score of names such as "C major": 1, fifth above 0.5, relative 0.3, parallel 0.2, else 0."""
    from mir_eval import key

    return float(key.weighted_score(reference, estimated))


@dataclass(frozen=True, slots=True)
class BoundaryAgreement:
    """Hit rates of section boundaries, and median times in seconds from each one to the nearest of the other set."""

    precision: float
    recall: float
    f_measure: float
    reference_to_estimated: float
    estimated_to_reference: float


def boundary_agreement(
    estimated: Sequence[float], reference: Sequence[float], *, tolerance: float = 0.5
) -> BoundaryAgreement:
    """Boundaries in seconds, beginning and end of the piece among them, within `tolerance` (0.5 or 3 s are usual)."""
    from mir_eval import segment, util

    known, found = (util.boundaries_to_intervals(_times(times)) for times in (reference, estimated))
    precision, recall, f_measure = segment.detection(known, found, window=tolerance)
    there, back = segment.deviation(known, found)
    return BoundaryAgreement(float(precision), float(recall), float(f_measure), float(there), float(back))


@dataclass(frozen=True, slots=True)
class MelodyAgreement:
    """Shares of frames, 0 to 1 (Salamon et al. 2014): voicing found, voicing invented, pitch within 50 cents, the same
    in any octave, and all together."""

    voicing_recall: float
    voicing_false_alarm: float
    raw_pitch: float
    raw_chroma: float
    overall: float


def melody_agreement(
    estimated_times: Float[np.ndarray, " n"],
    estimated_hz: Float[np.ndarray, " n"],
    reference_times: Float[np.ndarray, " m"],
    reference_hz: Float[np.ndarray, " m"],
    *,
    cents: int = CENTS,
) -> MelodyAgreement:
    """Pitch contours in Hz, 0 where there is no melody, on any grid of times in seconds."""
    from mir_eval import melody

    known_voicing, known, found_voicing, found = melody.to_cent_voicing(
        np.asarray(reference_times, float),
        np.asarray(reference_hz, float),
        np.asarray(estimated_times, float),
        np.asarray(estimated_hz, float),
    )
    recall, false_alarm = melody.voicing_measures(known_voicing, found_voicing)
    voiced = (known_voicing, known, found_voicing, found)
    return MelodyAgreement(
        float(recall),
        float(false_alarm),
        float(melody.raw_pitch_accuracy(*voiced, cent_tolerance=cents)),
        float(melody.raw_chroma_accuracy(*voiced, cent_tolerance=cents)),
        float(melody.overall_accuracy(*voiced, cent_tolerance=cents)),
    )


@dataclass(frozen=True, slots=True)
class ChromaAgreement:
    """Of two chromagrams: share of frames with the same strongest pitch class, mean cosine, and number of frames that
    count."""

    same_class: float
    cosine: float
    frames: int


def chroma_agreement(
    estimated: Float[np.ndarray, "12 n"], reference: Float[np.ndarray, "12 m"], *, silence: float = 1e-6
) -> ChromaAgreement:
    """Chromagrams at one frame rate, over the frames that both have and in which the reference sounds.

    `same_class` is the melody accuracy of Music ControlNet (arXiv 2311.07069). NaN where the reference is silent.

    Raises:
        OptionError: there are not twelve rows.
    """
    if len(estimated) != 12 or len(reference) != 12:
        raise OptionError(f"Chromagrams have 12 rows, not {len(estimated)} and {len(reference)}.")
    frames = min(estimated.shape[1], reference.shape[1])
    made, known = np.asarray(estimated[:, :frames], float), np.asarray(reference[:, :frames], float)
    sounding = known.max(0, initial=0) > silence
    made, known = made[:, sounding], known[:, sounding]
    if not known.shape[1]:
        return ChromaAgreement(float("nan"), float("nan"), 0)
    alike = (made.argmax(0) == known.argmax(0)) & (made.max(0) > silence)
    lengths = np.linalg.norm(made, axis=0) * np.linalg.norm(known, axis=0)
    cosine = (made * known).sum(0) / np.where(lengths > 0, lengths, 1)
    return ChromaAgreement(float(alike.mean()), float(cosine.mean()), int(sounding.sum()))


@dataclass(frozen=True, slots=True)
class DynamicsAgreement:
    """Pearson's r of loudness curves: the mean over pieces ("micro"), and over all their frames at once ("macro")."""

    micro: float
    macro: float


def dynamics_agreement(estimated: Sequence[np.ndarray], reference: Sequence[np.ndarray]) -> DynamicsAgreement:
    """Loudness curves in dB, one a piece, frame by frame (Music ControlNet). Pieces without change do not count.

    Raises:
        OptionError: the curves do not pair up.
    """
    if len(estimated) != len(reference) or any(a.shape != b.shape for a, b in zip(estimated, reference, strict=False)):
        raise OptionError("Loudness curves must pair up, frame by frame.")
    if not len(estimated):
        return DynamicsAgreement(float("nan"), float("nan"))
    single = [_pearson(a, b) for a, b in zip(estimated, reference, strict=True)]
    known = [r for r in single if not np.isnan(r)]
    micro = float(np.mean(known)) if known else float("nan")
    return DynamicsAgreement(micro, _pearson(np.concatenate(list(estimated)), np.concatenate(list(reference))))


def _pearson(first: np.ndarray, second: np.ndarray) -> float:
    a, b = first - np.mean(first), second - np.mean(second)
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / norm if norm > 1e-12 else float("nan")
