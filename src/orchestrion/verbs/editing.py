"""What the verbs that change a given score share."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypedDict

from orchestrion.verbs import options
from orchestrion.verbs.result import MusicResult, Progress


class Editing(TypedDict, total=False):
    """What every verb that changes a score takes besides its own options.

    Attributes:
        temperature: above 1 bolder, below 1 safer; the system's own by default.
        seed: the same seed gives the same files; a fresh one is drawn and reported where none is given.
        n: how many results, written as name-1, name-2 …
        soundfont: a .sf2 file for the sound.
        stems: also one sound file for each track.
        sheet: also an engraved sheet, .svg.
        system: a name, name:official, or the path of a weights file.
        device: cpu, cuda or mps.
        progress: called with the work done and the work in all.
    """

    temperature: float | None
    seed: int | None
    n: int
    soundfont: str | Path | None
    stems: bool
    sheet: bool
    system: str
    device: str
    progress: Progress | None


def edit(
    verb: str,
    task: str,
    source: str | Path,
    output: str | Path,
    asked: dict[str, Any],
    *,
    temperature: float | None = None,
    seed: int | None = None,
    n: int = 1,
    soundfont: str | Path | None = None,
    stems: bool = False,
    sheet: bool = False,
    system: str = "getmusic",
    device: str = "cpu",
    progress: Progress | None = None,
) -> MusicResult:
    """Reads `source`, lets the system's method `task` work on it with the options `asked`, and writes the result.

    Raises:
        InputError: the source cannot be read or has no notes.
        OptionError: an option is out of range, or the system cannot do this.
        OutputError: the files cannot be written; then none is.
    """
    from orchestrion.verbs.music import Extras, write_pieces
    from orchestrion.verbs.serving import as_list, given, load_for, provenance_of, read_music

    options.check_sampling(temperature, None, n)
    target = options.check_output(Path(output))
    seed = options.read_seed(seed)
    score = read_music(Path(source))
    model = load_for(task, system, device)
    asked = given(temperature=temperature, **asked)
    method = getattr(model, task)
    made = []
    for number in range(n):
        made += as_list(method(score, seed=seed + number, progress=progress, **asked))
    name = Path(source).name
    provenance = provenance_of(model, prompt=name, seed=seed, verb=verb, options={"n": n, **asked})
    pieces = write_pieces(made, target, provenance, Extras(Path(soundfont) if soundfont else None, stems, sheet))
    return MusicResult(verb, model.card.name, model.weights_hash, seed, name, pieces)
