"""Renders a folder of scores to sound."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from orchestrion.errors import InputError, OptionError, OutputError
from orchestrion.verbs import options
from orchestrion.verbs.result import Progress, Result

SECONDS_A_SCORE = 1800.0
SCORE_SUFFIXES = (".mid", ".midi", ".musicxml", ".mxl", ".xml", ".abc", ".krn")


@dataclass(frozen=True, slots=True)
class Rendered(Result):
    """The folder of sound, how many scores were rendered, and those that were left out with the reasons."""

    folder: Path
    rendered: int
    failures: tuple[tuple[str, str], ...]


def render_one(path: Path, *, root: Path, output: Path, format: str, soundfont: Path | None, stems: bool) -> str:
    """Renders one score to the same place under `output` as it has under `root`; returns the name of the file."""
    from orchestrion.media.audio import write_audio
    from orchestrion.media.render import render, render_stems
    from orchestrion.verbs.serving import read_music
    from orchestrion.verbs.staging import staged

    score = read_music(path)
    place = path.relative_to(root)
    target = output / place.parent / f"{place.name}.{format}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with staged(target.parent) as folder:
        write_audio(render(score, soundfont=soundfont), folder / target.name)
        if stems:
            parts = folder / f"{place.name}-stems"
            parts.mkdir()
            for number, (name, audio) in enumerate(render_stems(score, soundfont=soundfont).items(), 1):
                safe = "".join(c if c.isalnum() or c in " -_" else "_" for c in name)
                write_audio(audio, parts / f"{number:02d}-{safe}.{format}")
    return target.relative_to(output).as_posix()


def data_render(
    folder: str | Path,
    output: str | Path,
    *,
    format: str = "flac",
    soundfont: str | Path | None = None,
    stems: bool = False,
    workers: int | None = None,
    cluster: bool = False,
    progress: Progress | None = None,
) -> Rendered:
    """Renders all scores under `folder` into `output`; files that fail are listed, a killed run goes on.

    Raises:
        InputError: the folder is missing or holds no score.
        OutputError: the output folder cannot be made.
        MissingDependencyError: `cluster` without the extra of that name.
    """
    from orchestrion.data.pipeline import map_files

    root, target = Path(folder), Path(output)
    if format not in ("wav", "flac", "ogg", "mp3"):
        raise OptionError(f"There is no sound format {format!r}; choose wav, flac, ogg or mp3.")
    options.within("--workers", workers, 1, 1024)
    if not root.is_dir():
        raise InputError(f"There is no folder {root}; give one with scores.")
    paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in SCORE_SUFFIXES and path.is_file())
    if not paths:
        raise InputError(f"The folder {root} holds no score; known are {', '.join(SCORE_SUFFIXES)}.")
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {target} cannot be made ({error.strerror}); choose another.") from error
    work = partial(
        render_one,
        root=root,
        output=target,
        format=format,
        soundfont=Path(soundfont) if soundfont else None,
        stems=stems,
    )
    run = map_files(
        work,
        paths,
        workers=workers,
        cluster=cluster,
        resume=target / ".progress",
        timeout=SECONDS_A_SCORE,
        progress=progress,
    )
    for left in [path for path in target.rglob(".orchestrion-*") if path.is_dir()]:
        shutil.rmtree(left, ignore_errors=True)  # of workers that were killed
    run.forget()
    failures = tuple((str(path), str(reason)) for path, reason in run.failures)
    return Rendered(target, len(paths) - len(failures), failures)
