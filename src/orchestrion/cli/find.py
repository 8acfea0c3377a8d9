"""Commands that find music."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrion.cli import choices as c
from orchestrion.cli.screen import carry_out

app = typer.Typer()
SHOWN = 10  # failures on the screen


@app.command(epilog="Example: orchestrion index music --workers 2")
def index(
    source: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of music, with all folders in it.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the index; inside DIR if left out.")
    ] = None,
    system: Annotated[
        str, typer.Option(help="What embeds: a system, or a network such as clap:official.")
    ] = "musicldm",
    scores: Annotated[bool, typer.Option(help="Also scores, as they sound.")] = True,
    workers: c.Workers = None,
    device: c.Device = "cpu",
    json: c.Json = False,
) -> None:
    """Make a folder searchable; only what is new or changed is heard again."""
    from orchestrion.verbs.index import index

    carry_out(
        "Indexing",
        json,
        lambda progress: index(
            source, output, system=system, scores=scores, workers=workers, device=device, progress=progress
        ),
        show_indexed,
    )


@app.command(epilog='Example: orchestrion search "calm piano at night" --index music')
def search(
    query: Annotated[str, typer.Argument(metavar="TEXT|FILE", help="A sentence, a recording or a score.")],
    index: Annotated[Path, typer.Option(help="Folder that was indexed, or folder of the index.")] = Path(),
    n: Annotated[int, typer.Option("--n", help="How many files.")] = 10,
    system: Annotated[str | None, typer.Option(help="Which embedder of the index; the first that fits.")] = None,
    device: c.Device = "cpu",
    json: c.Json = False,
) -> None:
    """Find music by a sentence, or by what it should be like."""
    from orchestrion.verbs.search import search

    carry_out("Searching", json, lambda progress: search(query, index, system=system, n=n, device=device), show_found)


def show_indexed(result: Any) -> str:
    """What was done, and the files that were left out."""
    told = [
        f"{result.files} files in {result.folder}: {result.added} added, {result.changed} changed, "
        f"{result.removed} removed, {result.unchanged} unchanged"
    ]
    told += [f"  left out: {why}" for _, why in result.failures[:SHOWN]]
    if (more := len(result.failures) - SHOWN) > 0:
        told.append(f"  and {more} more; --json lists all")
    return "\n".join(told)


def show_found(result: Any) -> str:
    """A line for each file."""
    return "\n".join(f"{hit.similarity:6.3f}  {hit.path}" for hit in result.hits)
