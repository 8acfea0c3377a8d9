"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
Source = Annotated[Path, typer.Argument(metavar="FILE", help="MIDI, MusicXML, ABC or kern file.")]
Workers = Annotated[int | None, typer.Option(help="Processes; one for each core if left out.")]
Url = Annotated[str | None, typer.Option(help="OpenAI-compatible endpoint of a language model that writes.")]
Model = Annotated[str | None, typer.Option(help="Name of the language model there.")]
