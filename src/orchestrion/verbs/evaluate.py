"""Measures scores with the symbolic metrics."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrion.errors import InputError
from orchestrion.verbs.data_render import SCORE_SUFFIXES
from orchestrion.verbs.result import Progress, Result


@dataclass(frozen=True, slots=True)
class Evaluation(Result):
    """How many files were measured, the metrics, and the files that could not be read with the reasons."""

    files: int
    reference: int
    metrics: dict[str, Any]
    failures: tuple[tuple[str, str], ...]


def evaluate(
    source: str | Path, *, reference: str | Path | None = None, progress: Progress | None = None
) -> Evaluation:
    """Symbolic metrics of a file or of all scores in a folder, against those of a reference folder where given.

    Raises:
        InputError: nothing to measure.
    """
    from orchestrion.evaluation.report import report

    scores, failures = read_scores(Path(source), progress)
    if reference is None:
        found = report(scores)
        return Evaluation(len(scores), 0, found, failures)
    others, more = read_scores(Path(reference), None)
    return Evaluation(len(scores), len(others), report(scores, reference=others), failures + more)


def read_scores(place: Path, progress: Progress | None) -> tuple[list[Any], tuple[tuple[str, str], ...]]:
    """All scores at a path, and the files there that cannot be read.

    Raises:
        InputError: there is none that can be read.
    """
    from orchestrion.verbs.serving import read_music

    if not place.exists():
        raise InputError(f"There is no file or folder {place}.")
    paths = [place]
    if place.is_dir():
        paths = sorted(path for path in place.rglob("*") if path.suffix.lower() in SCORE_SUFFIXES)
    scores, failures = [], []
    for done, path in enumerate(paths):
        if progress is not None:
            progress(done, len(paths))
        try:
            scores.append(read_music(path))
        except InputError as error:
            failures.append((str(path), str(error)))
    if not scores:
        raise InputError(failures[0][1] if failures else f"The folder {place} holds no score.")
    return scores, tuple(failures)
