"""Turns latents into sound."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrion.errors import OptionError
from orchestrion.verbs import options
from orchestrion.verbs.result import Progress, Result

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
LATENT_SUFFIXES = (".npz", ".safetensors")
FRAMES = 256  # of latents that are given on at once


@dataclass(frozen=True, slots=True)
class CodedSound(Result):
    """Sound that was written: its file, beside which lies a record of how it was made, its channels, rate and length,
    and the seed of its noise."""

    file: Path
    system: str
    weights_hash: str
    channels: int
    rate: int
    seconds: float
    seed: int


def decode(
    source: str | Path,
    output: str | Path,
    *,
    seed: int | None = None,
    system: str = "rave",
    device: str = "cpu",
    progress: Progress | None = None,
) -> CodedSound:
    """The sound that latents stand for, written as it comes.

    Args:
        source: what `encode` wrote.
        output: .wav, .flac, .ogg or .mp3.
        seed: of the noise that stands for what the latents do not say.
        system: that made the latents, with the same weights.

    Raises:
        InputError: the file cannot be read, or was made by another system.
        OptionError: an option is unknown or out of range.
        OutputError: the result cannot be written.
    """
    target = options.check_output(Path(output), AUDIO_SUFFIXES)
    chosen = options.read_seed(seed)
    path = Path(source)
    from orchestrion.media.files import check_input

    check_input(path)
    if path.suffix.lower() not in LATENT_SUFFIXES:
        raise OptionError(f"{path.name} is no file of latents; give .npz or .safetensors, as `encode` writes them.")
    from orchestrion.codecs.latents_file import read_latents

    latents = read_latents(path)
    from orchestrion.media.audio import write_blocks
    from orchestrion.media.provenance import write_sidecar
    from orchestrion.verbs.coding import load_codec
    from orchestrion.verbs.serving import provenance_of

    model = load_codec("decode", system, device)
    model.check_latents(latents)
    values = latents.values

    def blocks():
        for start in range(0, values.shape[2], FRAMES):
            yield values[..., start : start + FRAMES]
            if progress is not None:
                progress(min(start + FRAMES, values.shape[2]), values.shape[2])

    provenance = provenance_of(model, prompt=path.name, seed=chosen, verb="decode", options={})
    sound = cut(model.decoding(blocks(), size=values.shape[1], seed=chosen), latents.samples)
    channels = values.shape[0] * model.channels
    write_blocks(sound, target, rate=model.rate, channels=channels, metadata=provenance)
    write_sidecar(target, provenance)
    seconds = latents.samples / model.rate
    return CodedSound(target, model.card.name, model.weights_hash, channels, model.rate, seconds, chosen)


def cut(blocks, samples: int):
    """Blocks of sound, no more than so many samples in all."""
    left = samples
    for block in blocks:
        if left <= 0:
            return
        yield block[:, :left]
        left -= block.shape[1]
