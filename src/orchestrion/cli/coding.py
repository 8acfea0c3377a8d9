"""Commands that turn sound into latents, latents into sound, and sound into other sound."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrion.cli import choices as c
from orchestrion.cli.screen import carry_out

app = typer.Typer()
Sound = Annotated[Path, typer.Argument(metavar="FILE", help="A recording of any length, or a score as it sounds.")]
SoundFile = Annotated[Path, typer.Option("--output", "-o", help="File to write: .wav, .flac, .ogg or .mp3.")]
LatentSize = Annotated[int | None, typer.Option(help="Latent dimensions to keep; found by fidelity if left out.")]


@app.command(epilog="Example: orchestrion encode violin.wav --latent-size 8 -o violin.npz")
def encode(
    source: Sound,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write: .npz or .safetensors.")] = Path(
        "latents.npz"
    ),
    latent_size: LatentSize = None,
    fidelity: Annotated[float | None, typer.Option(help="Share of variance that the kept dimensions exceed.")] = None,
    system: c.System = "rave",
    device: c.Device = "cpu",
    json: c.Json = False,
) -> None:
    """Turn sound into latents."""
    from orchestrion.verbs.encode import encode

    carry_out(
        "Encoding",
        json,
        lambda progress: encode(
            source,
            output,
            latent_size=latent_size,
            fidelity=fidelity,
            system=system,
            device=device,
            progress=progress,
        ),
        show_encoded,
    )


@app.command(epilog="Example: orchestrion decode violin.npz -o again.wav")
def decode(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="Latents that `orchestrion encode` wrote.")],
    output: SoundFile = Path("decoded.wav"),
    seed: c.Seed = None,
    system: c.System = "rave",
    device: c.Device = "cpu",
    json: c.Json = False,
) -> None:
    """Turn latents into sound."""
    from orchestrion.verbs.decode import decode

    carry_out(
        "Decoding",
        json,
        lambda progress: decode(source, output, seed=seed, system=system, device=device, progress=progress),
        show_sound,
    )


@app.command(epilog="Example: orchestrion transfer voice.wav -o strings.wav")
def transfer(
    source: Sound,
    output: SoundFile = Path("transferred.wav"),
    style: Annotated[Path | None, typer.Option(help="A recording whose style is put on, if the system can.")] = None,
    latent_size: LatentSize = None,
    seed: c.Seed = None,
    system: c.System = "rave",
    device: c.Device = "cpu",
    json: c.Json = False,
) -> None:
    """Play a sound with the timbre that the system was trained on."""
    from orchestrion.verbs.transfer import transfer

    carry_out(
        "Transferring",
        json,
        lambda progress: transfer(
            source,
            output,
            style=style,
            latent_size=latent_size,
            seed=seed,
            system=system,
            device=device,
            progress=progress,
        ),
        show_sound,
    )


@app.command(epilog="Example: orchestrion export rave -o rave.ts")
def export(
    system: Annotated[str, typer.Argument(help="A system's name, or the path of a weights file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write: .ts (TorchScript) or .onnx.")],
    latent_size: LatentSize = None,
    steps: Annotated[int, typer.Option(help="Latent frames in a block of an ONNX model.")] = 1,
    json: c.Json = False,
) -> None:
    """Write a model that works block by block, for other programs."""
    from orchestrion.verbs.export import export

    carry_out(
        "Exporting",
        json,
        lambda progress: export(system, output, latent_size=latent_size, steps=steps),
    )


def show_encoded(result: Any) -> str:
    """Where the latents are, and how many."""
    rows = f"{result.channels} x " if result.channels > 1 else ""
    return (
        f"{result.file}\n  {rows}{result.dimensions} dimensions, {result.frames} frames, {result.rate:.4g} a second, "
        f"{result.compression:.0f} times fewer numbers than samples, system {result.system}"
    )


def show_sound(result: Any) -> str:
    """Where the sound is."""
    return (
        f"{result.file}\n  {result.seconds:.1f} s, {result.channels} channels at {result.rate} Hz, seed {result.seed}, "
        f"system {result.system}"
    )
