"""Text to music."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrion.errors import OptionError, PromptError
from orchestrion.verbs import options
from orchestrion.verbs.result import MusicResult, Progress

if TYPE_CHECKING:
    from orchestrion.verbs.music import Extras

MAX_CHARACTERS = 4000  # as the reader of prompts


def generate(
    prompt: str,
    output: str | Path,
    *,
    theme: str | Path | None = None,
    bars: int | None = None,
    seconds: float | None = None,
    tempo: float | None = None,
    key: str | None = None,
    metre: str | None = None,
    instruments: str | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    seed: int | None = None,
    n: int = 1,
    soundfont: str | Path | None = None,
    stems: bool = False,
    sheet: bool = False,
    steps: int | None = None,
    guidance: float | None = None,
    negative: str | None = None,
    candidates: int | None = None,
    system: str | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> MusicResult:
    """Makes `n` pieces of music from a sentence, or from a theme. What the options say goes before what the text says.

    Args:
        prompt: free English text; empty where there is a theme.
        theme: a MIDI, MusicXML, ABC or kern file whose first two bars (of a longer one what returns most) shall come
            again and again in the music.
        output: its suffix chooses the format: .wav, .flac, .ogg, .mp3, .mid or .musicxml; systems that write no notes
            make sound files.
        bars, seconds: length, in one of them.
        tempo: quarter notes a minute.
        key, metre, instruments: as in "D minor", "3/4", "flute, strings, drums".
        seed: the same seed gives the same files; a fresh one is drawn and reported where none is given.
        stems: also one sound file for each track, in the folder name-stems.
        sheet: also an engraved sheet, .svg.
        steps, guidance, negative, candidates: of systems of sound: steps of the sampler, strength of the text, what the
            music shall not be, and how many are made of which the best is kept.
        system: by default midicaps, and theme_transformer for a theme.

    Raises:
        PromptError: the text is empty or too long.
        InputError: the theme cannot be read, or has too few notes.
        OptionError: an option is out of range or contradicts another.
        OutputError: the files cannot be written; then none is.
    """
    from orchestrion.verbs.music import Extras, write_pieces
    from orchestrion.verbs.serving import as_list, given, load_for, provenance_of

    if theme is not None and prompt.strip():
        raise OptionError("A theme and a sentence cannot both be given; leave out one of them.")
    if theme is not None:
        refused = given(
            seconds=seconds, key=key, metre=metre, instruments=instruments, steps=steps, guidance=guidance,
            negative=negative, candidates=candidates,
        )  # fmt: skip
        if refused:
            raise OptionError(f"A theme says by itself what --{min(refused)} would; leave it out.")
        options.check_length(bars, None)
        options.within("--tempo", tempo, 20, 300, "quarter notes a minute")
        options.check_sampling(temperature, top_p, n)
        asked = given(bars=bars, tempo=tempo, temperature=temperature, top_p=top_p)
        extras = Extras(Path(soundfont) if soundfont else None, stems, sheet)
        return _develop(Path(theme), output, asked, options.read_seed(seed), n, extras, system, device, progress)
    system = system or "midicaps"
    if not prompt.strip():
        raise PromptError('The text is empty; say what the music should be, like "a slow waltz for flute".')
    if len(prompt) > MAX_CHARACTERS:
        raise PromptError(f"The text has {len(prompt)} characters; {MAX_CHARACTERS} are the most, so shorten it.")
    options.check_length(bars, seconds)
    options.within("--tempo", tempo, 20, 300, "quarter notes a minute")
    options.check_sampling(temperature, top_p, n)
    target = options.check_output(Path(output))
    seed = options.read_seed(seed)
    asked = given(
        bars=bars,
        seconds=seconds,
        tempo=tempo,
        key=options.read_key(key),
        metre=options.read_metre(metre),
        instruments=options.read_instruments(instruments),
        temperature=temperature,
        top_p=top_p,
    )
    model = load_for("generate", system, device)
    if "score" not in model.card.modalities:
        asked |= given(steps=steps, guidance=guidance, negative=negative, candidates=candidates)
        return _generate_sound(model, prompt, target, asked, seed, n, progress)
    for name, value in (("steps", steps), ("guidance", guidance), ("negative", negative), ("candidates", candidates)):
        if value is not None:
            raise OptionError(f"The system {model.card.name!r} has no --{name}; leave it out, or name one of sound.")
    made = as_list(model.generate(prompt, n=n, seed=seed, progress=progress, **asked))
    provenance = provenance_of(model, prompt=prompt, seed=seed, verb="generate", options={"n": n, **asked})
    extras = Extras(Path(soundfont) if soundfont else None, stems, sheet)
    pieces = write_pieces(made, target, provenance, extras, title=prompt if len(prompt) <= 80 else None)
    return MusicResult("generate", model.card.name, model.weights_hash, seed, prompt, pieces)


def _develop(
    theme: Path,
    output: str | Path,
    asked: dict[str, Any],
    seed: int,
    n: int,
    extras: Extras,
    system: str | None,
    device: str,
    progress: Progress | None,
) -> MusicResult:
    """Pieces in which the theme of a file returns."""
    from orchestrion.verbs.music import write_pieces
    from orchestrion.verbs.serving import load_for, provenance_of, read_music

    target = options.check_output(Path(output))
    score = read_music(theme)  # before torch is imported: a mistake is told at once
    model = load_for("develop", system or "theme_transformer", device)
    made = model.develop(score, n=n, seed=seed, progress=progress, **asked)
    provenance = provenance_of(
        model, prompt=theme.name, seed=seed, verb="generate", options={"n": n, "theme": theme.name, **asked}
    )
    pieces = write_pieces(made, target, provenance, extras, title=theme.name)
    return MusicResult("generate", model.card.name, model.weights_hash, seed, theme.name, pieces)


def _generate_sound(
    model: Any, prompt: str, target: Path, asked: dict[str, Any], seed: int, n: int, progress: Progress | None
) -> MusicResult:
    """The same for a system that writes no notes, after its options and the format are seen to fit."""
    from inspect import signature

    from orchestrion.verbs.music import AUDIO_SUFFIXES, write_sounds
    from orchestrion.verbs.serving import provenance_of

    known = signature(model.generate).parameters
    if unknown := [name for name in asked if name not in known]:
        name = unknown[0].replace("_", "-")
        raise OptionError(f"The system {model.card.name!r} has no --{name}; leave it out, or say it in the text.")
    options.check_output(target, AUDIO_SUFFIXES)
    made = model.generate(prompt, n=n, seed=seed, progress=progress, **asked)
    provenance = provenance_of(model, prompt=prompt, seed=seed, verb="generate", options={"n": n, **asked})
    pieces = write_sounds(made, target, provenance, title=prompt if len(prompt) <= 80 else None)
    return MusicResult("generate", model.card.name, model.weights_hash, seed, prompt, pieces)
