"""Commands that build data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrion.cli import choices as c
from orchestrion.cli.screen import carry_out

app = typer.Typer(help="Build data sets: prepare, render, caption.")
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder, with all folders in it.")]


@app.command(epilog="Example: orchestrion data prepare --output corpus --workers 2")
def prepare(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder; the user's own if left out.")] = None,
    workers: c.Workers = None,
    limit: Annotated[int | None, typer.Option(help="At most so many pieces of each kind, for a trial.")] = None,
    seed: c.FixedSeed = 0,
    resume: Annotated[bool, typer.Option(help="Go on where an earlier run was.")] = True,
    json: c.Json = False,
) -> None:
    """Build the full corpus."""
    from orchestrion.verbs.data_prepare import data_prepare

    carry_out(
        "Building the corpus",
        json,
        lambda progress: data_prepare(
            output, workers=workers, limit=limit, seed=seed, resume=resume, progress=progress
        ),
    )


@app.command(epilog="Example: orchestrion data render scores -o sound --format flac --stems")
def render(
    folder: Folder,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the sound files.")],
    format: Annotated[str, typer.Option(help="wav, flac, ogg or mp3.")] = "flac",
    soundfont: c.SoundFont = None,
    stems: c.Stems = False,
    workers: c.Workers = None,
    cluster: Annotated[bool, typer.Option("--cluster", help="Use the machines of a Ray cluster.")] = False,
    json: c.Json = False,
) -> None:
    """Render all scores of a folder to sound."""
    from orchestrion.verbs.data_render import data_render

    carry_out(
        "Rendering",
        json,
        lambda progress: data_render(
            folder,
            output,
            format=format,
            soundfont=soundfont,
            stems=stems,
            workers=workers,
            cluster=cluster,
            progress=progress,
        ),
    )


@app.command(epilog="Example: orchestrion data caption scores -o captions.parquet")
def caption(
    folder: Folder,
    output: Annotated[Path, typer.Option("--output", "-o", help="Table to write, .parquet.")] = Path(
        "captions.parquet"
    ),
    seed: c.FixedSeed = 0,
    url: c.Url = None,
    model: c.Model = None,
    workers: c.Workers = None,
    cluster: Annotated[bool, typer.Option("--cluster", help="Use the machines of a Ray cluster.")] = False,
    json: c.Json = False,
) -> None:
    """Caption all MIDI files of a folder, in the schema of the MidiCaps data set."""
    from orchestrion.verbs.data_caption import data_caption

    carry_out(
        "Captioning",
        json,
        lambda progress: data_caption(
            folder,
            output,
            seed=seed,
            url=url,
            model=model,
            workers=workers,
            cluster=cluster,
            progress=progress,
        ),
    )
