"""Writes models that work block by block, for other programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrion.verbs import options
from orchestrion.verbs.result import Result

SUFFIXES = (".ts", ".onnx")


@dataclass(frozen=True, slots=True)
class Exported(Result):
    """What was written.

    Attributes:
        files: the model; for ONNX the encoder and the decoder.
        delay: samples by which the decoded sound is late.
        block: samples of the shortest block.
        latent_size: dimensions.
    """

    system: str
    weights_hash: str
    files: tuple[Path, ...]
    rate: int
    channels: int
    latent_size: int
    block: int
    delay: int


def export(
    system: str,
    output: str | Path,
    *,
    latent_size: int | None = None,
    steps: int = 1,
) -> Exported:
    """A streaming model as TorchScript (.ts), for hosts such as nn~, or as ONNX (.onnx): name-encoder.onnx and
    name-decoder.onnx, whose state goes in and comes out with each block.

    Args:
        latent_size: dimensions; as many as the system's fidelity asks for by default.
        steps: latent frames in a block of an ONNX model; TorchScript takes any number.

    Raises:
        OptionError: an option is unknown or out of range, or the system cannot work block by block.
        WeightsError: the weights cannot be read.
        MissingDependencyError: packages for ONNX are missing.
        OutputError: the result cannot be written.
    """
    target = options.check_output(Path(output), SUFFIXES)
    options.within("--steps", steps, 1, 4096)
    options.within("--latent-size", latent_size, 1, 1 << 16)
    from orchestrion.verbs.coding import load_codec

    model = load_codec("encode", system, "cpu")
    size = model.exported(latent_size)
    encoder = model.streaming_encoder(latent_size=size)
    decoder = model.streaming_decoder(latent_size=size, late=encoder.after.late)

    from orchestrion.codecs.export import to_onnx, to_torchscript
    from orchestrion.media.provenance import write_sidecar
    from orchestrion.verbs.serving import provenance_of

    if target.suffix.lower() == ".ts":
        files = (to_torchscript(encoder, decoder, target, channels=model.channels),)
    else:
        names = [target.with_name(f"{target.stem}-{part}.onnx") for part in ("encoder", "decoder")]
        pairs = ((encoder, model.channels), (decoder, size))
        files = tuple(
            to_onnx(network, name, channels=channels, steps=steps)
            for name, (network, channels) in zip(names, pairs, strict=True)
        )
    write_sidecar(target, provenance_of(model, prompt="", seed=0, verb="export", options={"latent_size": size}))
    return Exported(
        system=model.card.name,
        weights_hash=model.weights_hash,
        files=files,
        rate=model.rate,
        channels=model.channels,
        latent_size=size,
        block=model.ratio,
        delay=decoder.after.late,
    )
