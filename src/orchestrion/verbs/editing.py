"""What the verbs that change a given score share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from orchestrion.verbs import options
from orchestrion.verbs.result import MusicResult, Progress

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Bool
    from symusic.core import ScoreTick


class Making(TypedDict, total=False):
    """What every verb that makes a score takes besides its own options.

    Attributes:
        seed: the same seed gives the same files; a fresh one is drawn and reported where none is given.
        n: how many results, written as name-1, name-2 …
        soundfont: a .sf2 file for the sound.
        stems: also one sound file for each track.
        sheet: also an engraved sheet, .svg.
        system: a name, name:official, or the path of a weights file.
        device: cpu, cuda or mps.
        progress: called with the work done and the work in all.
    """

    seed: int | None
    n: int
    soundfont: str | Path | None
    stems: bool
    sheet: bool
    system: str
    device: str
    progress: Progress | None


class Editing(Making, total=False):
    """The same, where notes are drawn by chance.

    Attributes:
        temperature: above 1 bolder, below 1 safer; the system's own by default.
    """

    temperature: float | None


def edit(
    verb: str,
    task: str,
    source: str | Path,
    output: str | Path,
    asked: dict[str, Any],
    **how: Unpack[Editing],
) -> MusicResult:
    """Reads `source`, lets the system's method `task` work on it with the options `asked`, and writes the result with a
    picture of both.

    Raises:
        InputError: the source cannot be read or has no notes.
        OptionError, OutputError: as `make`.
    """
    from orchestrion.verbs.serving import read_music

    options.check_sampling(how.get("temperature"), None, how.get("n", 1))
    options.check_output(Path(output))
    score = read_music(Path(source))
    return make(verb, task, (score,), output, asked, name=Path(source).name, before=score.copy(), **how)


def make(
    verb: str,
    task: str,
    inputs: Sequence[Any],
    output: str | Path,
    asked: dict[str, Any],
    *,
    name: str,
    told: dict[str, Any] | None = None,
    before: ScoreTick | None = None,
    shade: Bool[np.ndarray, "pitches columns"] | None = None,
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
    """Lets the system's method `task` work `n` times on the inputs, and writes the results.

    Args:
        name: of what it was made from, for the provenance.
        told: what the provenance says in place of options that are too large for it.
        before, shade: of the picture before and after, see `music.Extras`.

    Raises:
        OptionError: an option is out of range, or the system cannot do this.
        OutputError: the files cannot be written; then none is.
    """
    from orchestrion.verbs.music import Extras, write_pieces
    from orchestrion.verbs.serving import as_list, given, load_for, provenance_of

    options.check_sampling(temperature, None, n)
    target = options.check_output(Path(output))
    seed = options.read_seed(seed)
    model = load_for(task, system, device)
    asked = given(temperature=temperature, **asked)
    method = getattr(model, task)
    made = []
    for number in range(n):
        made += as_list(method(*inputs, seed=seed + number, progress=progress, **asked))
    record = {"n": n, **asked, **(told or {})}
    provenance = provenance_of(model, prompt=name, seed=seed, verb=verb, options=record)
    extras = Extras(Path(soundfont) if soundfont else None, stems, sheet, before=before, shade=shade)
    pieces = write_pieces(made, target, provenance, extras)
    return MusicResult(verb, model.card.name, model.weights_hash, seed, name, pieces)
