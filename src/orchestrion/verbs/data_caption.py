"""Captions a folder of MIDI files into the schema of the released MidiCaps data set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrion.verbs import options
from orchestrion.verbs.describe import caption_writer
from orchestrion.verbs.result import Progress, Result


@dataclass(frozen=True, slots=True)
class Captioned(Result):
    """The parquet file, its rows, and the files that were left out with the reasons."""

    file: Path
    rows: int
    failures: tuple[tuple[str, str], ...]


def data_caption(
    folder: str | Path,
    output: str | Path,
    *,
    seed: int = 0,
    url: str | None = None,
    model: str | None = None,
    workers: int | None = None,
    cluster: bool = False,
    progress: Progress | None = None,
) -> Captioned:
    """Captions all MIDI files under `folder`; files that fail are listed, a killed run goes on.

    Raises:
        InputError: there is no MIDI file, or none that can be described.
        OutputError: the table cannot be written.
        MissingDependencyError: `cluster` without the extra of that name.
    """
    from orchestrion.data.captioning import caption_folder
    from orchestrion.representations.prompt import parse_prompt
    from orchestrion.systems.symbolic_tagger import SymbolicTagger

    options.within("--workers", workers, 1, 1024)
    target = options.check_output(Path(output), (".parquet",))

    run = caption_folder(
        Path(folder),
        target,
        read=parse_prompt,
        tag_genres=SymbolicTagger.load().tag,
        writer=caption_writer(url, model),
        seed=seed,
        workers=workers,
        cluster=cluster,
        progress=progress,
    )
    return Captioned(run.output, run.rows, run.failures)
