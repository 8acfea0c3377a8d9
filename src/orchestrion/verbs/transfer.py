"""A sound with another timbre."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrion.verbs import options
from orchestrion.verbs.decode import AUDIO_SUFFIXES, CodedSound
from orchestrion.verbs.result import Progress

if TYPE_CHECKING:
    import numpy as np

    from orchestrion.media.audio import Audio

STYLE_SECONDS = 30.0


def transfer(
    source: str | Path,
    output: str | Path,
    *,
    style: str | Path | None = None,
    latent_size: int | None = None,
    seed: int | None = None,
    system: str = "rave",
    device: str = "cpu",
    progress: Progress | None = None,
) -> CodedSound:
    """A recording of any length as if made by what the system was trained on, in memory that does not grow.

    Args:
        output: .wav, .flac, .ogg or .mp3.
        style: a recording whose style is put on, for systems that know styles.
        latent_size: dimensions that the sound goes through; fewer keep less of it.
        seed: of the noise that stands for what they do not say.

    Raises:
        InputError: a file cannot be read.
        OptionError: an option is unknown or out of range, or the system knows no style.
        OutputError: the result cannot be written.
    """
    target = options.check_output(Path(output), AUDIO_SUFFIXES)
    options.within("--latent-size", latent_size, 1, 1 << 16)
    chosen = options.read_seed(seed)
    path = Path(source)
    from orchestrion.verbs.coding import check_source, load_codec, sound_blocks

    check_source(path)
    if style is not None:
        check_source(Path(style))
    model = load_codec("transfer", system, device)

    from orchestrion.media.audio import write_blocks
    from orchestrion.media.provenance import write_sidecar
    from orchestrion.verbs.serving import given, provenance_of

    with model.styled(_first(path), None if style is None else _first(Path(style))):
        size = model.exported(latent_size)
        encoding = model.encoding(sound_blocks(path, progress), latent_size=size)
        parts = encoding_in_time(encoding, model, size, chosen)
        first = next(parts)
        picked = given(style=None if style is None else str(style), latent_size=latent_size)
        provenance = provenance_of(model, prompt=path.name, seed=chosen, verb="transfer", options=picked)
        written = _Counted(first, parts)
        write_blocks(written, target, rate=model.rate, channels=len(first), metadata=provenance)
    write_sidecar(target, provenance)
    seconds = written.samples / model.rate
    return CodedSound(target, model.card.name, model.weights_hash, len(first), model.rate, seconds, chosen)


def encoding_in_time(encoding: Any, model: Any, size: int, seed: int) -> Iterator[np.ndarray]:
    """The sound of latents while they come, as long as what they were made of."""
    import numpy as np

    given_on, held = 0, None
    for block in model.decoding(iter(encoding), size=size, seed=seed):
        held = block if held is None else np.concatenate([held, block], axis=1)
        ready = held.shape[1] - model.ratio  # where the sound ends is known only after its last block
        if ready > 0:
            yield held[:, :ready]
            given_on, held = given_on + ready, held[:, ready:]
    if held is not None and encoding.samples > given_on:
        yield held[:, : encoding.samples - given_on]


class _Counted:
    """Blocks, and how many samples they had."""

    def __init__(self, first: np.ndarray, rest: Iterator[np.ndarray]) -> None:
        self._first, self._rest, self.samples = first, rest, 0

    def __iter__(self) -> Iterator[np.ndarray]:
        self.samples = self._first.shape[1]
        yield self._first
        for block in self._rest:
            self.samples += block.shape[1]
            yield block


def _first(path: Path) -> Audio:
    """The beginning of a recording."""
    import numpy as np

    from orchestrion.media.audio import Audio
    from orchestrion.verbs.coding import sound_blocks

    blocks, seconds = [], 0.0
    for block in sound_blocks(path):
        blocks.append(block)
        seconds += block.seconds
        if seconds >= STYLE_SECONDS:
            break
    return Audio(np.concatenate([block.samples for block in blocks], axis=1), blocks[0].rate)
