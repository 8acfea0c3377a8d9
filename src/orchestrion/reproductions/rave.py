"""RAVE in small: how many latent dimensions carry the sound, why the encoder must stand still, what sub-bands and
streams are worth (Caillon & Esling 2021, arXiv 2111.05011, sections 3 and 5; 2022, arXiv 2204.07064)."""

from __future__ import annotations

import copy
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from orchestrion.data.corpus import load_corpus
from orchestrion.reproductions.report import Claim, Plot, Reproduction
from orchestrion.systems.rave import RAVE
from orchestrion.systems.rave_training import Sounds, latent_means, stages_on
from orchestrion.training.trainer import Trainer

FIDELITIES = (0.99, 0.9, 0.8)
HELD_OUT = 32  # crops
TIMED_SECONDS = 16.0  # of sound that the decoders make


@dataclass(frozen=True, slots=True)
class Experiment:
    """What all seeds share: crops to learn from, and crops to measure on."""

    sounds: Sounds
    held_out: Float[Tensor, "batch channels samples"]
    first: int
    second: int


def run(
    seeds: Sequence[int] = (0, 1, 2),
    folder: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    *,
    first: int = 1000,
    second: int = 250,
    minutes: float = 8.0,
) -> Reproduction:
    """Measures the claims and writes the report into `folder`.

    Args:
        first, second: steps of the first stage, and of the second, which is run twice: with the encoder frozen and not.
        minutes: of rendered sound to learn from.
    """
    began = time.monotonic()
    model = _untrained(0, first, second)
    train, validation = (load_corpus("compact", split=part) for part in ("train", "validation"))
    held_out = Sounds(model, validation, minutes=min(minutes, 4.0), seed=1).plain(HELD_OUT)
    experiment = Experiment(Sounds(model, train, minutes=minutes, seed=0), held_out, first, second)
    figures: dict[str, list[float]] = {}
    for number, seed in enumerate(seeds):
        for name, value in measure(experiment, seed).items():
            figures.setdefault(name, []).append(value)
        if progress is not None:
            progress(number + 1, len(seeds))
    names = [f"distance at fidelity {share:g}" for share in FIDELITIES]
    distances = [figures[name] for name in names]
    rises = [min(b - a, c - b) for a, b, c in zip(*distances, strict=True)]
    before, frozen, free, longer = (
        figures[f"dims at 0.99, {when}"]
        for when in ("after stage 1", "encoder frozen", "encoder learning", "stage 1 gone on with")
    )
    claims = (
        Claim.at_least("Latent dimensions over those that carry 95 %", 2, [16 / v for v in figures["dims at 0.95"]]),
        Claim.at_least("Smaller rise of spectral distance from fidelity 0.99 to 0.9 and from 0.9 to 0.8", 0, rises),
        Claim.at_least(
            "Dims at 0.99 of an encoder that learns in stage 2, over those before it", 1.3,
            [b / a for a, b in zip(before, free, strict=True)],
        ),
        Claim.at_least(
            "Dims at 0.99 before stage 2 over those with the encoder frozen", 1,
            [a / b for a, b in zip(before, frozen, strict=True)],
        ),
        Claim.at_least("Time of decoding samples over that of decoding sub-bands", 5, figures["speed of sub-bands"]),
        Claim.at_least(
            "1e-4 over the largest error of a stream, in blocks of one and of four steps", 1,
            [1e-4 / max(value, 1e-12) for value in figures["largest error of a stream"]],
        ),
        Claim.at_least("Round trip of the filter bank, dB", 60, figures["round trip of the filter bank, noise, dB"]),
    )  # fmt: skip
    result = Reproduction(
        name="rave",
        title="RAVE: few dimensions, a frozen encoder, sub-bands and streams, in small",
        claims=claims,
        figures=figures,
        plots=(
            Plot(
                "fidelity",
                "Spectral distance of held-out sound by fidelity",
                {f"{share:g}": figures[name] for share, name in zip(FIDELITIES, names, strict=True)},
                [f"seed {seed}" for seed in seeds],
                y_label="distance",
            ),
            Plot(
                "freezing",
                "Dimensions that carry 99 % of the variance",
                {"after stage 1": before, "frozen": frozen, "learning": free, "stage 1 gone on with": longer},
                [f"seed {seed}" for seed in seeds],
                y_label="dimensions",
            ),
        ),
        method=(
            f"The miniature (16 kHz, {model.parameter_count:,} parameters, 16 latent dimensions) learns from "
            f"{minutes:g} minutes of tunes of the compact corpus, played by strings and choir: {first} steps of the "
            f"first stage, then {second} of the second, once with the encoder frozen and once with it learning through "
            "spectral distance, feature matching and the adversarial loss. This is a thousandth of the paper's "
            "training, and less than that of the weights that ship. Dimensions are counted on the variance of "
            f"posterior means of {HELD_OUT} crops of tunes that occur in no training piece.",
            "Control: an encoder that learns for longer uses more dimensions anyway. The figures show how many it "
            "would use had the first stage gone on for as many steps.",
            "Distances by fidelity: only as many principal coordinates are kept as the fidelity asks for, the others "
            "are drawn from the prior; mean over the crops of the sum of both spectral distances.",
            f"Speed: {TIMED_SECONDS:g} seconds of sound, the decoder with its filter bank against the same decoder "
            "made for samples, which takes 16 times as many steps; medians of five, interleaved, in one thread.",
            "Streams: latents and sound of a held-out crop, block by block, against the whole, from the first sample "
            "to the last, shifted by the delay that was computed; mean latents, all coordinates.",
            "Filter bank: signal-to-noise ratio of white noise, which all frequencies have the same share in, away "
            "from the ends. The figures show that of held-out sound as well, whose lowest tones come back less well.",
        ),
        seeds=tuple(seeds),
        seconds=time.monotonic() - began,
    )
    if folder is not None:
        result.write(folder)
    return result


def _untrained(seed: int, first: int, second: int, *, freeze: bool = True) -> RAVE:
    torch.manual_seed(seed)
    rates = (6e-3, 5e-4)
    return RAVE.from_preset(
        "mini", steps=(first, second), beta=(1e-6, 0.01, max(first // 2, 1)), learning_rate=rates, freeze=freeze
    )


def measure(experiment: Experiment, seed: int) -> dict[str, float]:
    """All figures of one seed."""
    model = _untrained(seed, experiment.first, experiment.second)
    _train(model, experiment, stage=0, seed=seed)
    held_out = experiment.held_out
    figures: dict[str, float] = {f"dims at {share:g}": float(model.space.dims(share)) for share in (0.95, 0.8)}
    figures["dims at 0.99, after stage 1"] = float(model.space.dims(0.99))
    for share in FIDELITIES:
        figures[f"distance at fidelity {share:g}"] = distance_at(model, held_out, share, seed)
    for name, freeze, stage in (
        ("encoder frozen", True, 1),
        ("encoder learning", False, 1),
        ("stage 1 gone on with", True, 0),
    ):
        other = _untrained(
            seed, experiment.second if stage == 0 else experiment.first, experiment.second, freeze=freeze
        )
        other.load_state_dict(model.state_dict())
        if stage == 0:
            other.learning_rate = (other.learning_rate[1], other.learning_rate[1])
            other.beta = (other.beta[1], other.beta[1], 1)
        _train(other, experiment, stage=stage, seed=seed)
        figures[f"dims at 0.99, {name}"] = float(counted_dims(other, held_out, 0.99))
        if stage == 1:
            figures[f"distance after stage 2, {name}"] = distance_at(other, held_out, 0.99, seed)
    figures["speed of sub-bands"] = sub_band_speed(model)
    figures["largest error of a stream"] = stream_error(model, held_out[:1])
    noise = torch.randn(1, 1, 1 << 18, generator=torch.Generator().manual_seed(seed))
    figures["round trip of the filter bank, noise, dB"] = round_trip(model, noise)
    figures["round trip of the filter bank, held-out sound, dB"] = round_trip(model, held_out)
    return figures


def _train(model: RAVE, experiment: Experiment, *, stage: int, seed: int) -> None:
    chosen = stages_on(model, experiment.sounds, experiment.held_out)[stage]
    chosen.validate = None
    with tempfile.TemporaryDirectory() as folder:
        Trainer(model, [chosen], folder=folder, seed=seed, tensorboard=False, progress=lambda done, total: None).run()
    model.eval()


@torch.inference_mode()
def counted_dims(model: RAVE, audio: Float[Tensor, "batch channels samples"], share: float) -> int:
    """How many dimensions the latents of crops need, by axes of their own."""
    space = copy.deepcopy(model.space)
    space.fit(latent_means(model, audio))
    return space.dims(share)


@torch.inference_mode()
def distance_at(model: RAVE, audio: Float[Tensor, "batch channels samples"], share: float, seed: int) -> float:
    """Spectral distance of crops made again from as many coordinates as a fidelity asks for."""
    size = model.space.dims(share)
    generator = torch.Generator().manual_seed(seed)
    total = 0.0
    for part in audio.split(8):
        z = model.space.restore(model.space.rotate(model.point(part), size), generator=generator)
        found = model.distances(part, model.decoded(z))
        total += float(found["bands"] + found["whole"]) * len(part)
    return total / len(audio)


@torch.inference_mode()
def sub_band_speed(model: RAVE) -> float:
    """How many times as long the same decoder takes without the filter bank."""
    plain = RAVE.from_preset("mini", input="waveform", output="waveform").eval()
    frames = int(TIMED_SECONDS * model.rate / model.ratio)
    few, many = torch.randn(1, 16, frames), torch.randn(1, 16, frames * model.ratio // plain.ratio)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    times: dict[str, list[float]] = {"bands": [], "samples": []}
    try:
        for number in range(6):
            for name, system, z in (("bands", model, few), ("samples", plain, many)):
                start = time.perf_counter()
                made = system.waveform(system.decoded(z))
                seconds = time.perf_counter() - start
                assert made.shape[-1] == frames * model.ratio
                if number:  # the first round warms up
                    times[name].append(seconds)
    finally:
        torch.set_num_threads(threads)
    return statistics.median(times["samples"]) / statistics.median(times["bands"])


@torch.inference_mode()
def stream_error(model: RAVE, audio: Float[Tensor, "batch channels samples"]) -> float:
    """Largest difference between a stream and the whole, for blocks of one and of four steps."""
    whole = model.point(audio)
    sound = model.waveform(model.decoded(whole))
    encoder, decoder = (model.streaming_encoder(latent_size=16), model.streaming_decoder(latent_size=16))
    worst = 0.0
    for steps in (1, 4):
        z = torch.cat(list(encoder.run(1).whole(audio.split(steps * model.ratio, -1))), -1)
        y = torch.cat(list(decoder.run(1).whole(z.split(steps, -1))), -1)
        turned = model.space.rotate(whole, 16)
        worst = max(worst, float((z - turned).abs().max()), float((y - sound).abs().max()))
    return worst


@torch.inference_mode()
def round_trip(model: RAVE, audio: Float[Tensor, "batch channels samples"], *, edge: int = 1024) -> float:
    """Signal-to-noise ratio of the filter bank, away from the edges."""
    again = model.pqmf.synthesise(model.pqmf.analyse(audio))[..., edge:-edge]
    audio = audio[..., edge:-edge]
    return float(10 * torch.log10(audio.square().mean() / (audio - again).square().mean()))
