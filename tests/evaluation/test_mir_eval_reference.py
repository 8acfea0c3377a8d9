"""Our metrics against mir_eval's numbers, where both define the same thing."""

import metric_cases as reference
import pytest

from orchestrion.evaluation.conditional import note_match
from orchestrion.evaluation.harmony import frame_accuracy
from orchestrion.theory.chords import Chord, ChordSpan

FOLDERS = reference.cases("chord")


def spans(intervals, labels):
    return [ChordSpan(a, b, Chord.parse(label)) for (a, b), label in zip(intervals, labels, strict=True)]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f.name)
def test_chords(folder):
    case = reference.functions(folder)["chord"]
    truth = spans(case["reference_intervals"], case["reference_labels"])
    found = spans(case["estimated_intervals"], case["estimated_labels"])
    assert frame_accuracy(found, truth) == pytest.approx(case["scores"]["majmin"], rel=1e-6)


def test_chords_that_are_no_major_or_minor_triads():
    """As mir_eval 0.8.2 judges them after a right bar: a truth of them is left out, and finding them is wrong."""
    bars = [(0.0, 1.0), (1.0, 2.0)]

    def judged(found, truth):
        return frame_accuracy(spans(bars, ["C:maj", found]), spans(bars, ["C:maj", truth]))

    for label in ("C:aug", "C:dim", "C:dim7", "C:hdim7", "C:sus4", "C:5", "C:maj/2", "X"):
        assert judged("C:min", label) == 1.0 and judged(label, label) == 1.0
        assert all(judged(label, truth) == 0.5 for truth in ("C:maj", "C:min", "N"))
    for label in ("C:maj9", "C:13", "C:7/b7", "C:maj/3", "C:maj(9)"):
        assert judged(label, "C:maj") == judged("C:maj", label) == 1.0
    assert judged("N", "N") == 1.0 and judged("N", "C:maj") == judged("C:min", "C:maj") == 0.5


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f.name)
def test_notes(folder):
    case = reference.functions(folder)["transcription"]
    truth = [(start, pitch) for (start, _), pitch in zip(case["reference"], case["reference_pitch"], strict=True)]
    found = [(start, pitch) for (start, _), pitch in zip(case["estimated"], case["estimated_pitch"], strict=True)]
    match = note_match(found, truth, tolerance=0.05)
    wanted = case["scores"]
    assert match.precision == pytest.approx(wanted["Precision_no_offset"], rel=1e-6)
    assert match.recall == pytest.approx(wanted["Recall_no_offset"], rel=1e-6)
    assert match.f1 == pytest.approx(wanted["F-measure_no_offset"], rel=1e-6)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f.name)
def test_onsets(folder):
    case = reference.functions(folder)["onset"]
    match = note_match([(t, 0) for t in case["estimated"]], [(t, 0) for t in case["reference"]], tolerance=0.05)
    wanted = case["scores"]
    assert (match.precision, match.recall, match.f1) == pytest.approx(
        (wanted["Precision"], wanted["Recall"], wanted["F-measure"]), rel=1e-6
    )


def test_there_is_a_case():
    assert FOLDERS
