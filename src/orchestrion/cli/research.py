"""Commands for research, and for looking around."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrion.cli import choices as c
from orchestrion.cli.screen import carry_out, lines

app = typer.Typer()


@app.command(epilog="Example: orchestrion train getmusic --preset mini -o runs/getmusic")
def train(
    system: Annotated[str, typer.Argument(help="Name of the system.")],
    preset: Annotated[str, typer.Option(help="Sizes of the network.")] = "mini",
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="An argument other than the preset's; may be repeated."),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder of checkpoints and logs.")] = None,
    data: Annotated[
        str, typer.Option(help="compact, full, the path of a corpus, or a folder of recordings.")
    ] = "compact",
    steps: Annotated[int | None, typer.Option(help="At most so many steps of each stage, for a trial.")] = None,
    resume: Annotated[
        bool | None,
        typer.Option(
            "--resume/--no-resume",
            help="There must be, or must not be, a run in the folder to go on with. If left out, either will do.",
        ),
    ] = None,
    accumulate: Annotated[int, typer.Option(help="Split each batch into so many shares, to save memory.")] = 1,
    compile: Annotated[bool, typer.Option("--compile", help="Compile the network first.")] = False,
    seed: c.FixedSeed = 0,
    device: c.Device = "cpu",
    json: c.Json = False,
) -> None:
    """Train a system; a killed run goes on where it was."""
    from orchestrion.verbs.train import read_changes, train

    carry_out(
        "Training",
        json,
        lambda progress: train(
            system,
            preset=preset,
            changes=read_changes(changes or ()),
            folder=output,
            data=data,
            steps=steps,
            resume=resume,
            accumulate=accumulate,
            compile=compile,
            seed=seed,
            device=device,
            progress=progress,
            tell=lambda text: print(text, file=sys.stderr, flush=True),
        ),
    )


@app.command(epilog="Example: orchestrion evaluate generated --reference corpus")
def evaluate(
    source: Annotated[
        Path, typer.Argument(metavar="FILE|DIR|SYSTEM", help="A score or recording, a folder of them, or a system.")
    ],
    reference: Annotated[Path | None, typer.Option(help="What to compare with; recordings need it.")] = None,
    kind: Annotated[str | None, typer.Option(help="score or sound, where a folder holds both.")] = None,
    system: Annotated[
        str | None, typer.Option(help="What embeds recordings: a system, or a network such as vggish:official.")
    ] = None,
    rate: Annotated[int | None, typer.Option(help="Bring recordings to this rate in Hz first.")] = None,
    hop: Annotated[float | None, typer.Option(help="Seconds between the windows that are embedded.")] = None,
    paired: Annotated[bool, typer.Option("--paired", help="Also compare recordings of equal names.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for report.json and report.md on recordings.")
    ] = None,
    device: c.Device = "cpu",
    json: c.Json = False,
) -> None:
    """Measure scores with the symbolic metrics, recordings against others, or a system as its paper does."""
    from orchestrion.verbs.evaluate import evaluate

    carry_out(
        "Measuring",
        json,
        lambda progress: evaluate(
            source,
            reference=reference,
            kind=kind,
            system=system,
            rate=rate,
            hop=hop,
            paired=paired,
            output=output,
            device=device,
            progress=progress,
        ),
        show_evaluation,
    )


@app.command(epilog="Example: orchestrion compare getmusic improvnet --task continue --n 20 -o compared")
def compare(
    systems: Annotated[list[str], typer.Argument(metavar="SYSTEM…", help="Names of systems.")],
    task: Annotated[str, typer.Option(help="What they are to do: continue or melody.")] = "continue",
    pieces: Annotated[
        Path | None, typer.Option(help="Folder of scores to continue; held-out pieces of the corpus if left out.")
    ] = None,
    n: Annotated[int, typer.Option("--n", help="At most so many pieces.")] = 20,
    known: Annotated[int, typer.Option(help="Bars that are given.")] = 8,
    bars: Annotated[int, typer.Option(help="Bars that are to follow.")] = 8,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for compare.md, compare.json and compare.png.")
    ] = None,
    seed: c.FixedSeed = 0,
    device: c.Device = "cpu",
    json: c.Json = False,
) -> None:
    """Compare systems at the same task on the same held-out pieces."""
    from orchestrion.verbs.compare import compare

    carry_out(
        "Comparing",
        json,
        lambda progress: compare(
            systems,
            task=task,
            pieces=pieces,
            n=n,
            known=known,
            bars=bars,
            seed=seed,
            output=output,
            device=device,
            progress=progress,
        ),
        show_comparison,
    )


@app.command(epilog="Example: orchestrion reproduce getmusic --seeds 0,1,2")
def reproduce(
    name: Annotated[str, typer.Argument(help="Name of the system.")],
    seeds: Annotated[str, typer.Option(help="Whole numbers with commas.")] = "0,1,2",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder of the report.")] = None,
    json: c.Json = False,
) -> None:
    """Check the headline claim of a paper in small."""
    from orchestrion.errors import OptionError
    from orchestrion.verbs.reproduce import reproduce

    parts = [part.strip() for part in seeds.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise OptionError(f"{seeds!r} are no seeds; write whole numbers with commas, like 0,1,2.")
    carry_out(
        "Reproducing",
        json,
        lambda progress: reproduce(name, seeds=[int(part) for part in parts], folder=output, progress=progress),
        show_reproduction,
    )


@app.command(epilog="Example: orchestrion systems getmusic --json")
def systems(
    name: Annotated[str | None, typer.Argument(help="Name of one system; all if left out.")] = None,
    json: c.Json = False,
) -> None:
    """List the systems and what each can do."""
    from orchestrion.verbs.systems import systems

    carry_out("Looking", json, lambda progress: systems(name), show_systems)


@app.command(epilog="Example: orchestrion doctor")
def doctor(json: c.Json = False) -> None:
    """Say what is installed and what works."""
    from orchestrion.verbs.doctor import doctor

    if not carry_out("Looking", json, lambda progress: doctor(), show_diagnosis).healthy:
        raise typer.Exit(1)


def show_evaluation(result: Any) -> str:
    """The figures of scores, the page on recordings, or the table of a paper."""
    if hasattr(result, "table"):
        return result.table.markdown()
    if not hasattr(result, "report"):
        return lines(result)
    from orchestrion.evaluation.sound_report import to_markdown

    told = [to_markdown(result.report)]
    told += [f"silent: {name}" for name in result.silent]
    told += [f"left out: {why}" for _, why in result.failures]
    return "\n".join([*told, *map(str, result.files)])


def show_comparison(result: Any) -> str:
    """The loss of each, the best first, and where the tables lie."""
    told = [f"{result.task}, {result.pieces} pieces; distance from the pieces themselves, the least is the best"]
    told += [f"{loss:.3f}  {name}" for name, loss in sorted(result.loss.items(), key=lambda item: item[1])]
    return "\n".join([*told, *map(str, result.files)])


def show_reproduction(result: Any) -> str:
    """A line for each claim, and where the report lies."""
    told = [
        f"{'holds' if claim.holds else 'does not hold'}: {claim.name}: {claim.mean:.3g}, at least {claim.threshold:g}"
        for claim in result.report.claims
    ]
    return "\n".join([*told, f"report: {result.folder / 'report.md'}"])


def show_systems(result: Any) -> str:
    """A paragraph for each system."""
    told = []
    for entry in result.systems:
        presets = ", ".join(f"{name} {count / 1e6:.1f} M" for name, count in entry["presets"].items())
        weights = "weights ship with the package" if entry["bundled"] else "no weights ship"
        told.append(f"{entry['name']}  {entry['title']}")
        told.append(f"  {', '.join(entry['tasks'])} · {presets} · {weights}")
    return "\n".join(told)


def show_diagnosis(result: Any) -> str:
    """A line for each finding."""
    memory = f", {result.memory_gb} GB" if result.memory_gb is not None else ""
    told = [f"orchestrion {result.orchestrion}, Python {result.python}, {result.platform}"]
    told.append(f"{result.cores} cores{memory}")
    told += [f"{name} {number or 'is missing'}" for name, number in result.packages.items()]
    told += [f"extra {name}: {'installed' if found else 'not installed'}" for name, found in result.extras.items()]
    told.append("weights: " + (", ".join(result.weights) or "none"))
    told += [f"{'works' if check.works else 'FAILS'}  {check.name}: {check.detail}" for check in result.checks]
    return "\n".join(told)


@app.command(epilog="Example: orchestrion explore music/ -o explored")
def explore(
    source: Annotated[
        Path | None, typer.Argument(metavar="[FOLDER]", help="Scores to learn from; the vectors that ship if left out.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the pictures.")] = Path("explored"),
    words: Annotated[int, typer.Option(help="Size of the vocabulary that is learned.")] = 500,
    seed: c.FixedSeed = 0,
    system: c.System = "word2vec_music",
    device: c.Device = "cpu",
    json: c.Json = False,
) -> None:
    """Draw how near chords and keys are in a body of music: chord functions, keys, the circle of fifths."""
    from orchestrion.verbs.explore import explore

    carry_out(
        "Exploring",
        json,
        lambda progress: explore(
            source, output=output, words=words, seed=seed, system=system, device=device, progress=progress
        ),
        lines,
    )
