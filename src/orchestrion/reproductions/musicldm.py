"""MusicLDM in small: does mixing clips on their downbeats keep a model from copying what it was trained on, and does it
keep to the text as well? (Chen et al. 2024, arXiv 2308.01546, tables 2 and 3)

Two U-Nets are trained on few clips, without mixup and with it, on the autoencoder and the towers of the bundled
miniature. A control measures what the alignment is for: mixes at random have less of a beat.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from orchestrion.analysis.onsets import onset_envelope
from orchestrion.data.audio_factory import choose_pieces
from orchestrion.data.augment import beat_mixup
from orchestrion.data.corpus import load_corpus
from orchestrion.evaluation.audio_memorisation import nearest, share_above, threshold_at
from orchestrion.media.audio import Audio
from orchestrion.reproductions.report import Claim, Plot, Reproduction
from orchestrion.systems.musicldm import MusicLDM
from orchestrion.systems.musicldm_training import TrainingSound, diffusion_stage
from orchestrion.systems.registry import load
from orchestrion.training.stage import Share

ARMS = ("none", "blm")
SHARE = 0.4  # of generated clips of the model without mixup that count as copies; fixes the threshold
FRAME_RATE = 22050 / 512  # of the onset envelope, frames a second


def run(
    seeds: Sequence[int] = (0, 1, 2),
    folder: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    *,
    clips: int = 96,
    training_steps: int = 360,
    batch_size: int = 8,
    generated: int = 48,
    sampling_steps: int = 20,
    mixes: int = 60,
) -> Reproduction:
    """Measures the claims and writes the report into `folder`.

    Args:
        clips: to train on; few, so that copying can be seen.
        training_steps, batch_size: of each U-Net.
        generated: clips made from captions of training clips, with `sampling_steps` each.
        mixes: pairs of clips of the control.
    """
    began = time.monotonic()
    bundled = load("musicldm")
    assert isinstance(bundled, MusicLDM)
    total, done = len(seeds) * (len(ARMS) + 1), 0

    def told() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    figures: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        figures.setdefault(name, []).append(value)

    for seed in seeds:
        pieces = choose_pieces(load_corpus("compact", split="train"), count=clips, seed=seed, metres=[(4, 4)])
        sound = TrainingSound(bundled, pieces, count=clips, seed=seed)
        known = window_vectors(bundled, sound)
        captions = [
            sound.clips.clips[number % len(sound.clips)].worded(f"{seed}/{number}") for number in range(generated)
        ]
        likeness = {}
        for arm in ARMS:
            model = trained(bundled, sound, arm, seed, training_steps, batch_size)
            made, fit = sample(model, captions, seed, sampling_steps)
            likeness[arm] = nearest(made, known).similarity
            note(f"text and sound, {arm}", fit)
            note(f"similarity to the nearest training clip, {arm}", float(likeness[arm].mean()))
            told()
        threshold = threshold_at(likeness["none"], SHARE)
        note("threshold", threshold)
        for arm in ARMS:
            note(f"SIM_AA, {arm}", share_above(likeness[arm], threshold))
        for name, value in beat_coherence(sound, mixes, seed).items():
            note(f"beat of mixes, {name}", value)
        told()
    fewer = [1 - b / a for a, b in zip(figures["SIM_AA, none"], figures["SIM_AA, blm"], strict=True)]
    fits = [b / a for a, b in zip(figures["text and sound, none"], figures["text and sound, blm"], strict=True)]
    pairs = zip(figures["beat of mixes, on downbeats"], figures["beat of mixes, at random"], strict=True)
    weaker = [1 - plain / aligned for aligned, plain in pairs]
    result = Reproduction(
        name="musicldm",
        title="MusicLDM: beat-synchronous mixup against copying, in small",
        claims=(
            Claim.at_least("Share by which copies become fewer with latent beat-synchronous mixup", 0.1, fewer),
            Claim.at_least("Likeness of text and sound with mixup over that without", 0.9, fits),
            Claim.at_least(
                "Share by which the beat of mixes at random is weaker than of those on downbeats", 0.1, weaker
            ),
        ),
        figures=figures,
        plots=(
            Plot(
                "copies",
                "Clips that come close to a training clip",
                {arm: [100 * value for value in figures[f"SIM_AA, {arm}"]] for arm in ARMS},
                [f"seed {seed}" for seed in seeds],
                y_label="per cent",
            ),
        ),
        method=(
            f"{clips} clips of {bundled.options['clip_seconds']:g} s are rendered from training pieces of the compact "
            "corpus. Autoencoder, towers and vocoder are those of the bundled miniature; a U-Net is trained anew in "
            f"each arm, {training_steps} steps of {batch_size} clips, from the same weights on the same items, told "
            f"the vector of the sound, half of the items mixed with 'blm'. {generated} clips are then made from "
            f"captions of training clips with DDIM in {sampling_steps} steps.",
            "Copies: cosine of a generated clip to the nearest of all training windows (one a second) in the "
            f"miniature's own space of sound and text, with the threshold at which {SHARE:.0%} of the clips of the "
            "model without mixup count as copies; the paper takes LAION's CLAP, 0.90 and 0.95. Text and sound: mean "
            "cosine of caption and generated clip in the same space.",
            f"Control: {mixes} pairs of clips of one tempo are mixed on downbeats, and with a clip drawn from all, cut "
            "anywhere; the height of the autocorrelation of the onset envelope at the beat period of the first clip, "
            "over its value at 0, tells how much of a beat is left.",
        ),
        seeds=tuple(seeds),
        seconds=time.monotonic() - began,
    )
    if folder is not None:
        result.write(folder)
    return result


@torch.no_grad()
def window_vectors(model: MusicLDM, sound: TrainingSound) -> np.ndarray:
    """Vectors of windows of all training clips, one begun each second."""
    rows = []
    samples, rate = model.frames * model.codec.hop_length, sound.clips.rate
    for number in range(len(sound.clips)):
        wave = sound.clips.wave(number)
        starts = range(0, max(len(wave) - samples, 0) + 1, rate)
        cut = torch.stack([beat_mixup.segment(wave, start, samples) for start in starts])
        cut = 0.5 * cut / cut.abs().amax(1, keepdim=True).clamp(min=1e-8)
        rows.append(model.vectors_of_pictures(model.codec.pictures(cut)))
    return torch.cat(rows).numpy()


def trained(bundled: MusicLDM, sound: TrainingSound, mixup: str, seed: int, steps: int, batch_size: int) -> MusicLDM:
    """A model with the bundled autoencoder and towers and a U-Net of its own."""
    torch.manual_seed(seed)
    sizes = {"mixup": mixup, "mixup_share": 0.5, "text_share": 0.0, "training_steps": steps, "batch_size": batch_size}
    model = MusicLDM(**{**bundled.arguments, **sizes, "warmup": min(30, steps)})
    model.codec.load_state_dict(bundled.codec.state_dict())
    assert model.clap is not None and bundled.clap is not None
    model.clap.load_state_dict(bundled.clap.state_dict())
    own = TrainingSound(model, [], count=0, seed=seed)
    own.__dict__["clips"] = sound.clips
    stage = diffusion_stage(model, own, own)
    (objective,) = stage.objectives
    optimiser = objective.optimiser(list(objective.parameters))
    average = [parameter.detach().clone() for parameter in objective.parameters]
    model.eval()
    model.unet.train()
    for step in range(steps):
        batch = stage.data(step, Share())
        torch.manual_seed(1_000_000 * (seed + 1) + step)
        for group in optimiser.param_groups:
            group["lr"] = model.options["learning_rate"] * objective.schedule(step)
        with torch.autocast("cpu", torch.bfloat16):
            loss = objective.loss(batch)
        optimiser.zero_grad()
        loss.value.backward()
        torch.nn.utils.clip_grad_norm_(model.unet.parameters(), 1.0)
        optimiser.step()
        decay = min(0.98, (1 + step) / (10 + step))
        for mean, parameter in zip(average, objective.parameters, strict=True):
            mean.lerp_(parameter.detach(), 1 - decay)
    for parameter, value in zip(objective.parameters, average, strict=True):
        parameter.data = value
    return model.eval()


@torch.no_grad()
def sample(model: MusicLDM, captions: Sequence[str], seed: int, steps: int) -> tuple[np.ndarray, float]:
    """Vectors of one clip for each caption, and their mean cosine with the captions."""
    rows, fits = [], []
    generator = torch.Generator().manual_seed(seed)
    for start in range(0, len(captions), 16):
        told: Tensor = model.vectors_of_text(captions[start : start + 16])
        latents = model.sample(told, steps=steps, generator=generator)
        heard = model.vectors_of_pictures(model.codec.decode_pictures(latents))
        rows.append(heard)
        fits += (heard * told).sum(1).tolist()
    return torch.cat(rows).numpy(), float(np.mean(fits))


def beat_coherence(sound: TrainingSound, count: int, seed: int) -> dict[str, float]:
    """How much of the first clip's beat is in mixes on downbeats and at random, mean over pairs."""
    rng, generator = random.Random(seed), torch.Generator().manual_seed(seed)
    clips, rate = sound.clips, sound.clips.rate
    tempi = [clip.tempo or 0.0 for clip in clips.clips]
    groups = {place: group for group in beat_mixup.tempo_groups(tempi) for place in group}
    found: dict[str, list[float]] = {"on downbeats": [], "at random": []}
    while len(found["at random"]) < count:
        item = rng.randrange(len(clips))
        partner = beat_mixup.draw_partner(groups[item], item, generator)
        if partner is None:
            continue
        downs = clips.clips[item].downbeats, clips.clips[partner].downbeats
        draw = beat_mixup.draw_mix(*downs, generator)
        own, other = clips.wave(item), clips.wave(partner)
        aligned = beat_mixup.align(own, other, *downs, draw, rate=rate)
        if draw is None or aligned is None or len(aligned.first) < 3 * rate:
            continue
        length = 3 * rate
        start, stranger = rng.randrange(len(own) - length), rng.choice([n for n in range(len(clips)) if n != item])
        elsewhere = rng.randrange(len(clips.wave(stranger)) - length)
        pairs = {
            "on downbeats": (aligned.first[:length], aligned.second[:length]),
            "at random": (own[start : start + length], clips.wave(stranger)[elsewhere : elsewhere + length]),
        }
        for name, (first, second) in pairs.items():
            mixed = beat_mixup.mix_audio(first, beat_mixup.Aligned(first, second), 0.5)
            found[name].append(beat_strength(mixed.numpy(), rate, 60.0 / tempi[item]))
    return {name: float(np.mean(values)) for name, values in found.items()}


def beat_strength(wave: np.ndarray, rate: int, period: float) -> float:
    """The autocorrelation of the onset envelope within a frame of a lag of `period` seconds, over that at 0."""
    envelope = onset_envelope(Audio(wave[None].astype(np.float32), rate))
    envelope = envelope - envelope.mean()
    lag = round(period * FRAME_RATE)
    power = float((envelope**2).sum()) or 1.0
    return (
        max(float((envelope[near:] * envelope[: len(envelope) - near]).sum()) for near in (lag - 1, lag, lag + 1))
        / power
    )
