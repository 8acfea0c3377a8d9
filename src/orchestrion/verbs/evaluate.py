"""Measures scores with the symbolic metrics, and recordings against others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrion.errors import InputError, OptionError
from orchestrion.verbs.data_render import SCORE_SUFFIXES
from orchestrion.verbs.hearing import SOUND_SUFFIXES
from orchestrion.verbs.result import Progress, Result

if TYPE_CHECKING:
    from orchestrion.verbs.evaluate_sound import SoundEvaluation

KINDS = ("score", "sound")


@dataclass(frozen=True, slots=True)
class Evaluation(Result):
    """How many files were measured, the metrics, and the files that could not be read with the reasons."""

    files: int
    reference: int
    metrics: dict[str, Any]
    failures: tuple[tuple[str, str], ...]


def evaluate(
    source: str | Path,
    *,
    reference: str | Path | None = None,
    kind: str | None = None,
    system: str | None = None,
    rate: int | None = None,
    hop: float | None = None,
    paired: bool = False,
    output: str | Path | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Evaluation | SoundEvaluation:
    """Symbolic metrics of scores, alone or against those of a reference folder; or measures of recordings against
    reference recordings (`verbs.evaluate_sound`).

    Args:
        source: a file, or a folder.
        kind: "score" or "sound"; by default what the source is or holds, scores where it holds both.
        system, rate, hop, paired, output, device: of recordings, see `evaluate_sound`; giving one means sound.

    Raises:
        InputError: nothing to measure, or recordings without a reference.
        OptionError: an option is out of range or belongs to the other kind.
    """
    options = {"system": system, "rate": rate, "hop": hop, "paired": paired or None, "output": output}
    asked = {name: value for name, value in options.items() if value is not None}
    kind = _kind(Path(source), kind, asked)
    if kind == "sound":
        from orchestrion.verbs.evaluate_sound import evaluate_sound

        if reference is None:
            raise InputError("Recordings are measured against others; name their folder with --reference.")
        return evaluate_sound(source, reference=reference, device=device, progress=progress, **asked)
    if asked:
        raise OptionError(f"--{next(iter(asked))} is for recordings; leave it out, or add --kind sound.")

    from orchestrion.evaluation.report import report

    scores, failures = read_scores(Path(source), progress)
    if reference is None:
        found = report(scores)
        return Evaluation(len(scores), 0, found, failures)
    others, more = read_scores(Path(reference), None)
    return Evaluation(len(scores), len(others), report(scores, reference=others), failures + more)


def _kind(place: Path, kind: str | None, asked: dict[str, Any]) -> str:
    """What is to be measured."""
    if kind is not None:
        if kind not in KINDS:
            raise OptionError(f"There is no kind {kind!r}; choose score or sound.")
        return kind
    if asked:
        return "sound"
    if place.is_dir():
        suffixes = {path.suffix.lower() for path in place.rglob("*")}
        return "sound" if suffixes.isdisjoint(SCORE_SUFFIXES) and not suffixes.isdisjoint(SOUND_SUFFIXES) else "score"
    return "sound" if place.suffix.lower() in SOUND_SUFFIXES else "score"


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
