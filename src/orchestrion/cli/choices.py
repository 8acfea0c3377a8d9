"""Options that several commands share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]
Seed = Annotated[int | None, typer.Option(help="The same seed gives the same files; drawn and reported if left out.")]
FixedSeed = Annotated[int, typer.Option(help="Random seed.")]
Device = Annotated[str, typer.Option(help="cpu, cuda or mps.")]
System = Annotated[str, typer.Option(help="A system's name, name:official, or the path of a weights file.")]
Pieces = Annotated[int, typer.Option("--n", help="How many pieces, as name-1, name-2 …")]
Temperature = Annotated[float | None, typer.Option(help="Above 1 bolder, below 1 safer.")]
TopP = Annotated[float | None, typer.Option("--top-p", help="Share of probability to choose from.")]
SoundFont = Annotated[Path | None, typer.Option("--soundfont", help="A .sf2 file for the sound.")]
Stems = Annotated[bool, typer.Option("--stems", help="Also one sound file for each track.")]
Sheet = Annotated[bool, typer.Option("--sheet", help="Also an engraved sheet, .svg.")]
Output = Annotated[
    Path, typer.Option("--output", "-o", help="File to write: .wav, .flac, .ogg, .mp3, .mid or .musicxml.")
]
OwnOutput = Annotated[
    Path | None, typer.Option("--output", "-o", help="File to write; scores and recordings have names of their own.")
]
AnySource = Annotated[Path, typer.Argument(metavar="FILE", help="MIDI, MusicXML, ABC or kern file, or a recording.")]
OwnSystem = Annotated[str | None, typer.Option("--system", help="As elsewhere; the best one for FILE if left out.")]
Prompt = Annotated[str | None, typer.Option(help="What it shall be, in a sentence; recordings only.")]
Negative = Annotated[str | None, typer.Option(help="What it shall not be; recordings only.")]
Steps = Annotated[int | None, typer.Option(help="Steps of the sampler; recordings only.")]
Guidance = Annotated[float | None, typer.Option(help="Strength of the text; recordings only.")]
Source = Annotated[Path, typer.Argument(metavar="FILE", help="MIDI, MusicXML, ABC or kern file.")]
Workers = Annotated[int | None, typer.Option(help="Processes; one for each core if left out.")]
Url = Annotated[str | None, typer.Option(help="OpenAI-compatible endpoint of a language model that writes.")]
Model = Annotated[str | None, typer.Option(help="Name of the language model there.")]


def editing(
    system: str | None = None, *, temperature: bool = True
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorator: a command whose last parameter is `**how` takes the options of `verbs.editing.Editing` in it, and
    `json`; those that it declares itself are its own.

    Args:
        system: that does the work unless another is named.
        temperature: whether there is such an option.
    """
    shared: dict[str, tuple[Any, Any]] = {
        "temperature": (Temperature, None),
        "seed": (Seed, None),
        "n": (Pieces, 1),
        "soundfont": (SoundFont, None),
        "stems": (Stems, False),
        "sheet": (Sheet, False),
        "system": (System, system),
        "device": (Device, "cpu"),
        "json": (Json, False),
    }

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        *own, _ = inspect.signature(command, eval_str=True).parameters.values()
        taken = {one.name for one in own} | (set() if temperature else {"temperature"})
        added = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
            for name, (kind, default) in shared.items()
            if name not in taken
        ]
        parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own] + added

        @functools.wraps(command)
        def run(**given: Any) -> None:
            command(**given)

        del run.__wrapped__  # the parser reads the signature below, not that of the command
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        return run

    return decorate
