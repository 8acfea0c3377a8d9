"""Measures scores with the symbolic metrics, recordings against others, and systems as their papers do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrion.errors import InputError, OptionError
from orchestrion.verbs.data_render import SCORE_SUFFIXES
from orchestrion.verbs.hearing import SOUND_SUFFIXES
from orchestrion.verbs.result import Progress, Result

if TYPE_CHECKING:
    from orchestrion.reproductions.paper_table import PaperTable
    from orchestrion.verbs.evaluate_sound import SoundEvaluation

KINDS = ("score", "sound")


@dataclass(frozen=True, slots=True)
class Evaluation(Result):
    """How many files were measured, the metrics, and the files that could not be read with the reasons."""

    files: int
    reference: int
    metrics: dict[str, Any]
    failures: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SystemEvaluation(Result):
    """A table of the paper beside the same measures of the miniature that ships."""

    table: PaperTable


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
) -> Evaluation | SoundEvaluation | SystemEvaluation:
    """Symbolic metrics of scores, alone or against those of a reference folder; measures of recordings against
    reference recordings (`verbs.evaluate_sound`); or those of a system's paper (`evaluate_system`).

    Args:
        source: a file, a folder, or the name of a system where there is no such file.
        kind: "score" or "sound"; by default what the source is or holds, scores where it holds both.
        system, rate, hop, paired, output, device: of recordings, see `evaluate_sound`; giving one means sound.

    Raises:
        InputError: nothing to measure, or recordings without a reference.
        OptionError: an option is out of range or belongs to the other kind.
    """
    options = {"system": system, "rate": rate, "hop": hop, "paired": paired or None, "output": output}
    asked = {name: value for name, value in options.items() if value is not None}
    if not (asked or reference or kind or Path(source).exists()) and str(source).isidentifier():
        return evaluate_system(str(source), progress=progress)
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


def evaluate_system(name: str, *, seed: int = 0, progress: Progress | None = None) -> SystemEvaluation:
    """Measures the miniature of a system with the measures of its paper.

    Raises:
        InputError: there is neither such a system nor such a file.
        OptionError: the system has no such table.
    """
    from importlib import import_module
    from importlib.util import find_spec

    from orchestrion.systems.registry import available

    if name not in available():
        raise InputError(f"There is no file, folder or system {name}.")
    place = f"orchestrion.reproductions.{name}"
    table = getattr(import_module(place), "paper_table", None) if find_spec(place) is not None else None
    if table is None:
        raise OptionError(
            f"There is no table of the paper for {name}; `orchestrion reproduce {name}` checks its claims."
        )
    return SystemEvaluation(table(seed=seed, progress=progress))


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
