"""Commands that make and describe music."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrion.cli import choices as c
from orchestrion.cli.screen import carry_out, lines, make, show_music, table

app = typer.Typer()


@app.command(epilog='Example: orchestrion generate "a slow waltz in D minor for flute and strings" -o waltz.wav')
def generate(
    prompt: Annotated[str | None, typer.Argument(help="What the music should be, in a sentence.")] = None,
    output: c.Output = Path("music.wav"),
    theme: Annotated[
        Path | None, typer.Option(help="A score of two bars that shall return in the music; instead of a sentence.")
    ] = None,
    bars: Annotated[int | None, typer.Option(help="Length in bars.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Length in seconds.")] = None,
    tempo: Annotated[float | None, typer.Option(help="Quarter notes a minute.")] = None,
    key: Annotated[str | None, typer.Option(help="Like 'D minor' or 'Bb major'.")] = None,
    metre: Annotated[str | None, typer.Option(help="Like 3/4 or 6/8.")] = None,
    instruments: Annotated[str | None, typer.Option(help="Names with commas, like 'flute, strings, drums'.")] = None,
    temperature: c.Temperature = None,
    top_p: c.TopP = None,
    seed: c.Seed = None,
    n: c.Pieces = 1,
    soundfont: c.SoundFont = None,
    stems: c.Stems = False,
    sheet: c.Sheet = False,
    steps: Annotated[int | None, typer.Option(help="Steps of the sampler; systems of sound only.")] = None,
    guidance: Annotated[float | None, typer.Option(help="Strength of the text; systems of sound only.")] = None,
    negative: Annotated[str | None, typer.Option(help="What it shall not be; systems of sound only.")] = None,
    candidates: Annotated[int | None, typer.Option(help="Tries, of which the best is kept; of sound only.")] = None,
    system: Annotated[
        str | None, typer.Option(help="As elsewhere; midicaps, or theme_transformer with a theme, if left out.")
    ] = None,
    device: c.Device = "cpu",
    json: c.Json = False,
) -> None:
    """Make music from a sentence, or from a theme. Options go before what the sentence says."""
    from orchestrion.verbs.generate import generate

    carry_out(
        "Composing",
        json,
        lambda progress: generate(
            prompt or "",
            output,
            theme=theme,
            bars=bars,
            seconds=seconds,
            tempo=tempo,
            key=key,
            metre=metre,
            instruments=instruments,
            temperature=temperature,
            top_p=top_p,
            seed=seed,
            n=n,
            soundfont=soundfont,
            stems=stems,
            sheet=sheet,
            steps=steps,
            guidance=guidance,
            negative=negative,
            candidates=candidates,
            system=system,
            device=device,
            progress=progress,
        ),
        show_music,
    )


@app.command("continue", epilog="Example: orchestrion continue tune.mid --bars 8 -o longer.mid")
def continue_(
    source: c.AnySource,
    output: c.OwnOutput = None,
    bars: Annotated[int | None, typer.Option(help="How many bars to add to a score; 8 if left out.")] = None,
    seconds: Annotated[float | None, typer.Option(help="How many to add to a recording; 10 if left out.")] = None,
    prompt: c.Prompt = None,
    negative: c.Negative = None,
    steps: c.Steps = None,
    guidance: c.Guidance = None,
    temperature: c.Temperature = None,
    seed: c.Seed = None,
    n: c.Pieces = 1,
    soundfont: c.SoundFont = None,
    stems: c.Stems = False,
    sheet: c.Sheet = False,
    system: c.OwnSystem = None,
    device: c.Device = "cpu",
    json: c.Json = False,
) -> None:
    """Go on where a score or a recording ends."""
    from orchestrion.verbs.continue_ import continue_
    from orchestrion.verbs.describe import is_sound

    target = output or Path("continued.wav" if is_sound(source) else "continued.mid")
    carry_out(
        "Continuing",
        json,
        lambda progress: continue_(
            source,
            target,
            bars=bars,
            temperature=temperature,
            seconds=seconds,
            prompt=prompt,
            negative=negative,
            steps=steps,
            guidance=guidance,
            seed=seed,
            n=n,
            soundfont=soundfont,
            stems=stems,
            sheet=sheet,
            system=system,
            device=device,
            progress=progress,
        ),
        show_music,
    )


@app.command(epilog="Example: orchestrion infill tune.mid --bars 9-12 -o mended.mid")
def infill(
    source: c.AnySource,
    output: c.OwnOutput = None,
    bars: Annotated[
        str | None, typer.Option(help="First and last bar of a score to write anew, counted from 1, like 9-12.")
    ] = None,
    tracks: Annotated[str | None, typer.Option(help="Tracks to write anew, with commas; all if left out.")] = None,
    start: Annotated[float | None, typer.Option("--from", help="Where in a recording, in seconds.")] = None,
    end: Annotated[float | None, typer.Option("--to", help="Up to where in a recording, in seconds.")] = None,
    above: Annotated[float | None, typer.Option(help="Only what lies above so many Hz; recordings only.")] = None,
    prompt: c.Prompt = None,
    negative: c.Negative = None,
    steps: c.Steps = None,
    guidance: c.Guidance = None,
    temperature: c.Temperature = None,
    seed: c.Seed = None,
    n: c.Pieces = 1,
    soundfont: c.SoundFont = None,
    stems: c.Stems = False,
    sheet: c.Sheet = False,
    system: c.OwnSystem = None,
    device: c.Device = "cpu",
    json: c.Json = False,
) -> None:
    """Make some bars of a score or a span of a recording anew, to fit what stands around them."""
    from orchestrion.verbs.describe import is_sound
    from orchestrion.verbs.infill import infill

    target = output or Path("infilled.wav" if is_sound(source) else "infilled.mid")
    carry_out(
        "Filling in",
        json,
        lambda progress: infill(
            source,
            target,
            bars=bars,
            tracks=tracks,
            temperature=temperature,
            start=start,
            end=end,
            above=above,
            prompt=prompt,
            negative=negative,
            steps=steps,
            guidance=guidance,
            seed=seed,
            n=n,
            soundfont=soundfont,
            stems=stems,
            sheet=sheet,
            system=system,
            device=device,
            progress=progress,
        ),
        show_music,
    )


@app.command(epilog="Example: orchestrion arrange tune.mid --keep melody --add bass,drums,piano -o band.wav")
@c.editing("getmusic")
def arrange(
    source: c.Source,
    add: Annotated[str, typer.Option(help="Tracks to write, with commas, like bass,drums,piano.")],
    output: c.Output = Path("arranged.mid"),
    keep: Annotated[str | None, typer.Option(help="Tracks to keep, with commas; all if left out.")] = None,
    **how: Any,
) -> None:
    """Keep some tracks of a file, note for note, and write others to go with them."""
    from orchestrion.verbs.arrange import arrange

    make("Arranging", partial(arrange, source, output, keep=keep, add=add), how)


@app.command(epilog="Example: orchestrion harmonize tune.abc -o chords.mid")
@c.editing("getmusic")
def harmonize(
    source: c.Source,
    output: c.Output = Path("harmonized.mid"),
    melody: Annotated[str | None, typer.Option(help="Track that carries the melody; found if left out.")] = None,
    **how: Any,
) -> None:
    """Write chords for a melody."""
    from orchestrion.verbs.harmonize import harmonize

    make("Harmonising", partial(harmonize, source, output, melody=melody), how)


@app.command(epilog="Example: orchestrion restyle sonata.mid --genre jazz --strength 0.6 --passes 5 -o jazz.wav")
@c.editing("improvnet")
def restyle(
    source: c.Source,
    output: c.Output = Path("restyled.mid"),
    genre: Annotated[str, typer.Option(help="One that the system knows: classical, pop or jazz.")] = "jazz",
    strength: Annotated[float | None, typer.Option(help="From 0 to 1: how much is written anew in a pass.")] = None,
    passes: Annotated[int | None, typer.Option(help="How often the piece is gone through.")] = None,
    keep_passes: Annotated[bool, typer.Option("--keep-passes", help="Write the result of every pass.")] = False,
    picture: Annotated[
        Path | None, typer.Option(help="A picture of how alike both are to themselves: .png, .svg, .pdf.")
    ] = None,
    **how: Any,
) -> None:
    """Improvise on a piece in the style of another genre; where its sections begin, it stays."""
    from orchestrion.verbs.restyle import restyle

    asked = {"genre": genre, "strength": strength, "passes": passes, "keep_passes": keep_passes, "picture": picture}
    make("Improvising", partial(restyle, source, output, **asked), how)


@app.command(epilog="Example: orchestrion fade sonata.mid --rhythm 0.4 --density -0.3 --arousal 0.8 -o faded.wav")
@c.editing("music_fadernets")
def fade(
    source: c.Source,
    output: c.Output = Path("faded.mid"),
    rhythm: Annotated[float | None, typer.Option(help="From -1, fewer onsets, to 1, more.")] = None,
    density: Annotated[float | None, typer.Option(help="From -1, fewer notes at a time, to 1, more.")] = None,
    arousal: Annotated[float | None, typer.Option(help="From -1, calmer, to 1, more excited.")] = None,
    tracks: Annotated[
        str | None, typer.Option(help="Tracks to write anew, with commas; keyboards if left out.")
    ] = None,
    **how: Any,
) -> None:
    """Move sliders on a piece: rhythm, density, arousal."""
    from orchestrion.verbs.fade import fade

    make("Fading", partial(fade, source, output, rhythm=rhythm, density=density, arousal=arousal, tracks=tracks), how)


@app.command(epilog="Example: orchestrion paint tune.mid --mask rising --bars 1-4 -o painted.mid")
@c.editing("pictures_of_midi", temperature=False)
def paint(
    source: c.Source,
    mask: Annotated[
        str,
        typer.Option(
            help="A picture, white where music shall appear; or rising, falling, diverging, "
            "melody, accompaniment, continuation, all."
        ),
    ],
    output: c.Output = Path("painted.mid"),
    bars: Annotated[str | None, typer.Option(help="First and last bar of a shape, counted from 1, like 9-12.")] = None,
    low: Annotated[int | None, typer.Option(help="Lowest pitch of a shape, as a MIDI number.")] = None,
    high: Annotated[int | None, typer.Option(help="Highest pitch of a shape, as a MIDI number.")] = None,
    repaint: Annotated[int | None, typer.Option(help="How often each step is done, to fit what is kept.")] = None,
    candidates: Annotated[int, typer.Option(help="Tries, of which one is kept.")] = 1,
    busy: Annotated[float, typer.Option(help="Which one: that with more notes than so many percent of them.")] = 100.0,
    **how: Any,
) -> None:
    """Write notes where a mask on the piano roll is white, and keep all others."""
    from orchestrion.verbs.paint import paint

    make(
        "Painting",
        partial(
            paint,
            source,
            output,
            mask=mask,
            bars=bars,
            low=low,
            high=high,
            repaint=repaint,
            candidates=candidates,
            busy=busy,
        ),
        how,
    )


@app.command(epilog="Example: orchestrion slices chorale.mid --replace 0.3 -o swapped.wav")
@c.editing("word2vec_music", temperature=False)
def slices(
    source: c.Source,
    output: c.Output = Path("swapped.mid"),
    replace: Annotated[float, typer.Option(help="Share of the slices that are swapped.")] = 0.3,
    neighbours: Annotated[int, typer.Option(help="Related slices to choose from; with more it strays farther.")] = 20,
    **how: Any,
) -> None:
    """Swap slices of a piece for related ones: the rhythm stays, the harmony changes."""
    from orchestrion.verbs.slices import slices

    make("Swapping slices", partial(slices, source, output, replace=replace, neighbours=neighbours), how)


@app.command(epilog="Example: orchestrion describe song.mp3 -o song.png")
def describe(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="MIDI, MusicXML, ABC, kern, or a sound file.")],
    picture: Annotated[Path | None, typer.Option("--output", "-o", help="A picture of it: .png, .svg or .pdf.")] = None,
    seed: c.FixedSeed = 0,
    url: c.Url = None,
    model: c.Model = None,
    json: c.Json = False,
) -> None:
    """Say in a sentence and in figures what is in a file."""
    from orchestrion.verbs.describe import describe

    carry_out(
        "Listening",
        json,
        lambda progress: describe(source, seed=seed, url=url, model=model, picture=picture, progress=progress),
        show_description,
    )


def show_description(result: Any) -> str:
    """A line for each fact; of a sound without the times of its beats, and with chords and sections as rows."""
    facts = result.to_dict()
    if "heard_by" not in facts:
        return lines(result)
    told = {name: value for name, value in facts.items() if name not in ("beats", "downbeats", "heard_by")}
    told["sections"] = ["{label} {start:g}–{end:g}".format(**part) for part in facts["sections"]]
    told["chords"] = " ".join(span["chord"] for span in facts["chords"])
    return table(told)
