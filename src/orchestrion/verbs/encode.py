"""Turns sound into latents."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrion.verbs import options
from orchestrion.verbs.result import Progress, Result

SUFFIXES = (".npz", ".safetensors")


@dataclass(frozen=True, slots=True)
class Encoded(Result):
    """What was written.

    Attributes:
        file: of the latents; a record of how they were made lies beside it.
        channels, dimensions, frames: of the latents, a row for each channel or group of channels that was coded on its
            own.
        rate: frames a second.
        seconds: length of the sound.
        compression: numbers of the sound for one of the latents.
    """

    file: Path
    system: str
    weights_hash: str
    channels: int
    dimensions: int
    frames: int
    rate: float
    seconds: float
    compression: float


def encode(
    source: str | Path,
    output: str | Path,
    *,
    latent_size: int | None = None,
    fidelity: float | None = None,
    system: str = "rave",
    device: str = "cpu",
    progress: Progress | None = None,
) -> Encoded:
    """Latents of a recording of any length, rate and number of channels (or of a score as it is rendered). Memory grows
    with the latents only, not with the sound.

    Args:
        output: .npz or .safetensors.
        latent_size: dimensions to keep; as many as the system's fidelity asks for by default.
        fidelity: share of the variance of latents that the kept ones must exceed.

    Raises:
        InputError: the file cannot be read.
        OptionError: an option is unknown or out of range, or the system cannot encode.
        OutputError: the result cannot be written.
    """
    target = options.check_output(Path(output), SUFFIXES)
    options.within("--latent-size", latent_size, 1, 1 << 16)
    options.within("--fidelity", fidelity, 0.0, 1.0)
    from orchestrion.verbs.coding import check_source, load_codec, sound_blocks

    path = Path(source)
    check_source(path)
    model = load_codec("encode", system, device)

    import numpy as np

    from orchestrion.codecs.codec import Latents
    from orchestrion.codecs.latents_file import write_latents
    from orchestrion.media.provenance import write_sidecar
    from orchestrion.verbs.serving import given, provenance_of

    encoding = model.encoding(sound_blocks(path, progress), latent_size=latent_size, fidelity=fidelity)
    values = np.concatenate(list(encoding), axis=-1)
    latents = Latents(values, model.rate / model.ratio, model.rate, encoding.samples, model.identity)
    chosen = given(latent_size=latent_size, fidelity=fidelity)
    provenance = provenance_of(model, prompt=path.name, seed=0, verb="encode", options=chosen)
    write_latents(latents, target, provenance)
    write_sidecar(target, provenance)
    return Encoded(
        file=target,
        system=model.card.name,
        weights_hash=model.weights_hash,
        channels=values.shape[0],
        dimensions=values.shape[1],
        frames=values.shape[2],
        rate=latents.rate,
        seconds=encoding.samples / model.rate,
        compression=encoding.samples * encoding.channels / values.size,
    )
