"""Builds the full corpus."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrion.errors import OutputError
from orchestrion.verbs import options
from orchestrion.verbs.result import Progress, Result


@dataclass(frozen=True, slots=True)
class Prepared(Result):
    """The corpus file, how many pieces it has, its hash, and what was left out with the reasons."""

    file: Path
    pieces: int
    hash: str
    skipped: tuple[tuple[str, str], ...]


def data_prepare(
    folder: str | Path | None = None,
    *,
    workers: int | None = None,
    limit: int | None = None,
    seed: int = 0,
    resume: bool = True,
    progress: Progress | None = None,
) -> Prepared:
    """Builds the corpus in `folder`, the user's data folder by default; a killed run goes on where it was.

    Args:
        limit: at most so many pieces of each kind, for a trial.

    Raises:
        MissingDependencyError: the arranger program is not installed.
        OutputError: the folder cannot be made.
    """
    from orchestrion.data.corpus import corpus_hash, default_folder
    from orchestrion.data.factory.build import build_corpus

    options.within("--workers", workers, 1, 1024)
    options.within("--limit", limit, 1, 10**9)
    target = Path(folder) if folder is not None else default_folder()
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {target} cannot be made ({error.strerror}); choose another.") from error
    report = build_corpus(target, workers=workers, limit=limit, seed=seed, resume=resume, progress=progress)
    skipped = tuple((what, why) for what, why in report.skipped)
    return Prepared(report.path, report.pieces, corpus_hash(report.path), skipped)
