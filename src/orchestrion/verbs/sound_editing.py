"""What the verbs share that make a part of a recording anew: only what lies around the part is held in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrion.errors import OptionError
from orchestrion.verbs import options
from orchestrion.verbs.result import MusicResult, Progress, WrittenPiece, plain

if TYPE_CHECKING:
    import numpy as np

    from orchestrion.media.audio import Audio

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
CONTEXT_SECONDS = 12.0  # before and behind the part, further than any system looks
MOST_SECONDS = 600.0  # of a part
BLOCK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A part of a recording and what lies around it.

    Attributes:
        audio: both, at the rate and with the channels of the file.
        offset: samples of the file before it.
        first, last: the part, in samples of the file.
        total: samples of the file.
    """

    audio: Audio
    offset: int
    first: int
    last: int
    total: int


def refuse(what: str, **given: Any) -> None:
    """Refuses options that are of no use for such a file.

    Raises:
        OptionError: one is given; it names the first.
    """
    for name, value in given.items():
        if value is not None and value is not False:
            raise OptionError(f"--{name.replace('_', '-')} is not for {what}; leave it out.")


def surroundings(path: Path, start: float | None, end: float | None) -> Surroundings:
    """What lies around the time from `start` to `end` (seconds; None: the beginning, the end of the file).

    Raises:
        InputError: the file cannot be read.
        OptionError: the part is empty, too long, or lies outside.
    """
    import numpy as np

    from orchestrion.media.audio import Audio
    from orchestrion.media.audio_blocks import audio_blocks

    held: list[np.ndarray] = []
    offset = total = rate = 0
    low = None if start is None else start - CONTEXT_SECONDS
    for block in audio_blocks(path, seconds=BLOCK_SECONDS, rest=0.0, mono=False):
        rate = block.rate
        place, total = total, total + block.samples.shape[1]
        if low is not None and total <= low * rate:
            continue
        if end is not None and place >= (end + CONTEXT_SECONDS) * rate:
            continue
        offset = place if not held else offset
        held.append(block.samples)
        kept = sum(one.shape[1] for one in held)
        if end is None and kept > (MOST_SECONDS + 2 * CONTEXT_SECONDS + 2 * BLOCK_SECONDS) * rate:
            offset += held.pop(0).shape[1]  # the part would be too long, which is told when the length is known
    first = 0 if start is None else round(start * rate)
    last = total if end is None else round(end * rate)
    if not 0 <= first < last <= total:
        raise OptionError(
            f"There is nothing from {first / rate:g} to {last / rate:g} seconds to be made anew in {path}, which lasts "
            f"{total / rate:.2f} seconds."
        )
    if last - first > MOST_SECONDS * rate:
        raise OptionError(f"The part lasts {(last - first) / rate:.0f} seconds; {MOST_SECONDS:g} are the most at once.")
    return Surroundings(Audio(np.concatenate(held, axis=1), rate), offset, first, last, total)


def ending(path: Path) -> Surroundings:
    """The last seconds of a recording, and an empty part behind them.

    Raises:
        InputError: the file cannot be read.
    """
    import numpy as np

    from orchestrion.media.audio import Audio
    from orchestrion.media.audio_blocks import audio_blocks

    held: list[np.ndarray] = []
    total = rate = 0
    for block in audio_blocks(path, seconds=BLOCK_SECONDS, rest=0.0, mono=False):
        rate, total = block.rate, total + block.samples.shape[1]
        held.append(block.samples)
        while sum(one.shape[1] for one in held[1:]) >= CONTEXT_SECONDS * rate:
            held.pop(0)
    samples = np.concatenate(held, axis=1)
    return Surroundings(Audio(samples, rate), total - samples.shape[1], total, total, total)


def edit_sound(
    verb: str,
    task: str,
    source: Path,
    output: Path,
    place: Surroundings,
    asked: dict[str, Any],
    *,
    prompt: str | None,
    seed: int | None,
    n: int,
    system: str,
    device: str,
    progress: Progress | None,
) -> MusicResult:
    """Lets the system's method `task` make the part anew with the options `asked`, and writes the whole recording: in
    WAV and FLAC of 16 bits every sample outside of the part is that of the source. Beside each file lie a spectrogram
    of the part with its surroundings and a record.

    Raises:
        OptionError: an option is out of range, or the system cannot do this.
        OutputError: the files cannot be written; then none is.
    """
    from orchestrion.media.audio import check_format, write_blocks
    from orchestrion.media.pictures import draw_spectrogram
    from orchestrion.media.provenance import write_sidecar
    from orchestrion.verbs.serving import given, load_for, provenance_of
    from orchestrion.verbs.staging import staged

    options.within("--n", n, 1, options.MOST_PIECES, "pieces")
    target = options.check_output(output, AUDIO_SUFFIXES)
    check_format(target, rate=place.audio.rate, channels=place.audio.n_channels)
    seed = options.read_seed(seed)
    model = load_for(task, system, device)
    asked = given(**asked)
    made = []
    for number in range(n):

        def told(done: int, of: int, before: int = number) -> None:
            if progress is not None:
                progress(before * of + done, n * of)

        made.append(getattr(model, task)(place.audio, prompt or "", seed=seed + number, progress=told, **asked))
    span = {"start": place.first / place.audio.rate, "end": place.last / place.audio.rate} if "start" in asked else {}
    record = {"n": n, "file": source.name, **given(prompt=prompt), **asked, **span}
    told_prompt = prompt or source.name
    provenance = provenance_of(model, prompt=told_prompt, seed=seed, verb=verb, options=record)
    pieces, rate = [], place.audio.rate
    with staged(target.parent) as folder:
        for number, one in enumerate(made, 1):
            stem = target.stem if n == 1 else f"{target.stem}-{number}"
            path, picture = folder / f"{stem}{target.suffix}", folder / f"{stem}.png"
            report = {**plain(one.report), "made": [place.first / rate, _end(place, one.audio) / rate]}
            about = replace(provenance, extra={**provenance.extra, "report": report})
            blocks = with_part(source, place, one.audio)
            write_blocks(blocks, path, rate=rate, channels=one.audio.n_channels, metadata=about)
            draw_spectrogram(one.audio, picture, title=source.name)
            files = (path, picture, write_sidecar(path, about))
            final = tuple(target.parent / file.relative_to(folder) for file in files)
            seconds = (place.total + _end(place, one.audio) - place.last) / rate
            pieces.append(WrittenPiece(final, None, round(seconds, 3), report))
    return MusicResult(verb, model.card.name, model.weights_hash, seed, told_prompt, tuple(pieces))


def _end(place: Surroundings, made: Audio) -> int:
    """Where the part ends in the new recording, in samples."""
    return place.last + made.samples.shape[1] - place.audio.samples.shape[1]


def with_part(path: Path, place: Surroundings, made: Audio) -> Iterator[np.ndarray]:
    """The samples of a file block by block, those of the part taken from what was made of its surroundings.

    Raises:
        InputError: the file cannot be read any more.
    """
    from orchestrion.media.audio_blocks import audio_blocks

    done = 0
    for block in audio_blocks(path, seconds=BLOCK_SECONDS, rest=0.0, mono=False):
        samples = block.samples
        first, last = max(place.first - done, 0), min(place.last - done, samples.shape[1])
        if first < last:
            samples = samples.copy()
            samples[:, first:last] = made.samples[:, first + done - place.offset : last + done - place.offset]
        yield samples
        done += samples.shape[1]
    longer = made.samples[:, place.total - place.offset :]
    if place.first == place.total and longer.shape[1]:
        yield longer
