"""Commands for tunes: melodies over chords or from skeletons, the skeletons themselves, and themes that return."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrion.cli import choices as c
from orchestrion.cli.screen import carry_out, make

app = typer.Typer()


@app.command(epilog='Example: orchestrion melody "C | Am | F | G7" --repeat 2 -o song.wav')
@c.editing()
def melody(
    progression: Annotated[
        str | None, typer.Argument(metavar="CHORDS", help='Chords, a bar between strokes, like "C | Am | F | G7".')
    ] = None,
    output: c.Output = Path("melody.mid"),
    chords: Annotated[
        Path | None, typer.Option(help="A text file of chords, or a score whose chords are heard.")
    ] = None,
    skeleton: Annotated[Path | None, typer.Option(help="A score whose notes the melody shall pass through.")] = None,
    plan: Annotated[str | None, typer.Option(help="Bars of each phrase, like 4,4,4,4.")] = None,
    repeat: Annotated[int, typer.Option(help="How often the chords are played.")] = 1,
    key: Annotated[str | None, typer.Option(help="Like 'D minor'; found if left out.")] = None,
    tempo: Annotated[float | None, typer.Option(help="Quarter notes a minute.")] = None,
    metre: Annotated[str | None, typer.Option(help="Like 3/4; with a plan only.")] = None,
    system: Annotated[
        str | None, typer.Option(help="cm_hrnn over chords, small_tunes_transformer else, if left out.")
    ] = None,
    **how: Any,
) -> None:
    """Write a melody over chords, or from the notes that carry it, or from a plan of phrases."""
    from orchestrion.verbs.melody import melody

    asked = {"chords": chords, "skeleton": skeleton, "plan": plan, "repeat": repeat}
    make(
        "Singing",
        partial(melody, progression, output, **asked, key=key, tempo=tempo, metre=metre),
        {**how, "system": system},
    )


@app.command(epilog="Example: orchestrion skeleton tune.abc -o bones.mid")
def skeleton(
    source: c.Source,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The skeleton, .mid or .musicxml, and a picture; or .png, .svg, .pdf."),
    ] = None,
    phrases: Annotated[str, typer.Option(help="How phrases are found: rule or lbdm.")] = "rule",
    notes: Annotated[str, typer.Option(help="How the skeleton is found: phrase or rhythm.")] = "phrase",
    json: c.Json = False,
) -> None:
    """Show the phrases of a tune and the notes that carry it."""
    from orchestrion.verbs.skeleton import skeleton

    carry_out("Reading", json, lambda _: skeleton(source, output, phrases=phrases, notes=notes), show_skeleton)


@app.command(epilog="Example: orchestrion themes sonata.mid -o themes.png")
def themes(
    source: c.Source,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A picture of it: .png, .svg or .pdf.")] = None,
    bars: Annotated[int, typer.Option(help="Length of a theme.")] = 2,
    eps: Annotated[float | None, typer.Option(help="How unlike its variants may be, 0 to 1; 0.13 if left out.")] = None,
    json: c.Json = False,
) -> None:
    """Find the themes of a piece and where they return."""
    from orchestrion.verbs.themes import themes

    carry_out("Reading", json, lambda _: themes(source, output, bars=bars, eps=eps), show_themes)


def show_themes(result: Any) -> str:
    """A line for each theme."""
    told = [f"{len(result.themes)} themes in {result.bars} bars of {result.file} ({result.metre})"]
    for row in result.themes:
        places = ", ".join(f"{first}-{last}" for first, last in row["bars"])
        told.append(f"theme {row['name']}, bars {places}: {' '.join(row['notes'])}")
    return "\n".join([*told, *([str(result.picture)] if result.picture else [])])


def show_skeleton(result: Any) -> str:
    """A line for each phrase."""
    told = [f"{result.skeleton} of {result.notes} notes carry the tune of {result.file} ({result.metre})"]
    for row in result.phrases:
        names = " ".join(one["note"] for one in row["skeleton"])
        told.append(f"phrase {row['phrase']}, bars {row['bars'][0]:g} to {row['bars'][1]:g}: {names}")
    return "\n".join([*told, *(str(path) for path in result.files)])
