"""Text to music."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestrion.errors import OptionError, PromptError
from orchestrion.verbs import options
from orchestrion.verbs.result import MusicResult, Progress

MAX_CHARACTERS = 4000  # as the reader of prompts


def generate(
    prompt: str,
    output: str | Path,
    *,
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
    system: str = "midicaps",
    device: str = "cpu",
    progress: Progress | None = None,
) -> MusicResult:
    """Makes `n` pieces of music from a sentence. What the options say goes before what the text says.

    Args:
        prompt: free English text.
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

    Raises:
        PromptError: the text is empty or too long.
        OptionError: an option is out of range or contradicts another.
        OutputError: the files cannot be written; then none is.
    """
    from orchestrion.verbs.music import Extras, write_pieces
    from orchestrion.verbs.serving import as_list, given, load_for, provenance_of

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
