"""Commands that listen: sounds to vectors and to tags."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrion.cli import choices as c
from orchestrion.cli.screen import carry_out

app = typer.Typer()
Hop = Annotated[float | None, typer.Option(help="Seconds between windows; the length of a window if left out.")]
Sound = Annotated[Path, typer.Argument(metavar="FILE", help="A recording, or a score as it sounds.")]


@app.command(epilog="Example: orchestrion embed a.mp3 b.wav --pooling none -o vectors.npz")
def embed(
    sources: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Recordings, or scores as they sound.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write: .npz or .parquet.")] = Path(
        "vectors.npz"
    ),
    hop: Hop = None,
    pooling: Annotated[str, typer.Option(help="mean: a vector a file; none: a vector a window.")] = "mean",
    system: c.System = "clmr",
    device: c.Device = "cpu",
    json: c.Json = False,
) -> None:
    """Turn sounds of any length into vectors that can be compared."""
    from orchestrion.verbs.embed import embed

    carry_out(
        "Listening",
        json,
        lambda progress: embed(
            sources, output, hop=hop, pooling=pooling, system=system, device=device, progress=progress
        ),
        show_embedded,
    )


@app.command(epilog="Example: orchestrion tag song.mp3 --hop 0.5 -o tags.png")
def tag(
    source: Sound,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Tags over time: .png, .svg or .pdf, or .csv.")
    ] = None,
    probe: Annotated[
        Path | None, typer.Option(help="What `orchestrion probe` made; the shipped one if left out.")
    ] = None,
    hop: Hop = None,
    top: Annotated[int | None, typer.Option(help="At most so many tags.")] = None,
    system: c.System = "clmr",
    device: c.Device = "cpu",
    json: c.Json = False,
) -> None:
    """Say which tags a sound has, as a whole and over time."""
    from orchestrion.verbs.tag import tag

    carry_out(
        "Listening",
        json,
        lambda progress: tag(
            source, output, probe=probe, hop=hop, top=top, system=system, device=device, progress=progress
        ),
        show_tagged,
    )


@app.command(epilog="Example: orchestrion probe music --labels labels.csv -o probe.safetensors")
def probe(
    source: Annotated[Path, typer.Argument(metavar="FOLDER", help="Recordings, also in folders within.")],
    labels: Annotated[Path, typer.Option(help="CSV with a column of files and one of labels, or one for each tag.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write, .safetensors.")] = Path(
        "probe.safetensors"
    ),
    hidden: Annotated[int | None, typer.Option(help="Units of a hidden layer; a linear head if left out.")] = None,
    epochs: Annotated[int, typer.Option(help="At most so many rounds of training.")] = 200,
    seed: c.FixedSeed = 0,
    system: c.System = "clmr",
    device: c.Device = "cpu",
    json: c.Json = False,
) -> None:
    """Make a tagger of your own from labelled recordings, and measure it on some it has not heard."""
    from orchestrion.verbs.probe import probe

    carry_out(
        "Listening",
        json,
        lambda progress: probe(
            source,
            labels,
            output,
            hidden=hidden,
            epochs=epochs,
            seed=seed,
            system=system,
            device=device,
            progress=progress,
        ),
        show_probed,
    )


def show_embedded(result: Any) -> str:
    """The file, how many vectors, and what is to be known of single sounds."""
    told = [
        str(result.file),
        f"  {result.vectors} vectors of {result.dimension}, window {result.window:.3g} s, space {result.space}",
    ]
    told += [f"  note: {path} is shorter than a window and was filled up with silence" for path in result.padded]
    told += [f"  left out: {reason}" for _, reason in result.failures]
    return "\n".join(told)


def show_tagged(result: Any) -> str:
    """A line for each tag."""
    told = [f"{share:6.1%}  {name}" for name, share in result.tags.items()]
    if result.padded:
        told.append("note: the sound is shorter than a window and was filled up with silence")
    return "\n".join([*told, *([str(result.output)] if result.output else [])])


def show_probed(result: Any) -> str:
    """What it reaches, label by label."""
    learned, stopped, tested = result.pieces
    told = [str(result.file), f"  learned from {learned} recordings, stopped by {stopped}, tested on {tested}"]
    means = f"  ROC-AUC {result.roc_auc:.3f} (chance 0.5), PR-AUC {result.pr_auc:.3f} (chance {result.chance:.3f})"
    told.append(means + (f", accuracy {result.accuracy:.1%}" if result.accuracy is not None else ""))
    for name, figures in result.labels.items():
        measured = figures["pr_auc"] == figures["pr_auc"]
        values = f"ROC {figures['roc_auc']:.3f}  PR {figures['pr_auc']:.3f}" if measured else "not measured"
        told.append(f"  {name}: {values}  ({figures['files']} files, {figures['test_files']} tested)")
    if result.unmatched:
        told.append(f"  {len(result.unmatched)} entries of the table have no file, such as {result.unmatched[0]}")
    told += [f"  left out: {reason}" for _, reason in result.failures[:10]]
    return "\n".join(told)
