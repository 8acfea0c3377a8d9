"""Trains the listeners on rendered clips and writes their weights: `python -m orchestrion.systems.listeners.train`.

Beats and chords are learned from the same clips, tags from more and shorter ones. Spectra are varied in training by a
gain, a tilt and a smooth curve over the bands, as rooms, microphones and mixes do. Clips are played with several
SoundFonts in turn, as instruments differ too much for one to stand for another. The thresholds of tags are set on clips
of other tunes than those that are trained on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, interpolate

from orchestrion.data.audio_factory import ClipLabels
from orchestrion.data.audio_tags import multi_hot, tag_names
from orchestrion.data.corpus import corpus_hash, load_corpus
from orchestrion.media.soundfont import shipped_soundfont
from orchestrion.systems.listeners.beats import Activations, BeatListener, beat_targets
from orchestrion.systems.listeners.chords import ChordListener, chord_targets
from orchestrion.systems.listeners.clips import SECONDS, HeardClips, hear_in_turn
from orchestrion.systems.listeners.listener import WEIGHTS, Listener
from orchestrion.systems.listeners.tags import CLIP, KINDS, TagListener
from orchestrion.theory.metre import Metre

HELD = 200
TOLD_EVERY = 20  # steps
DIVIDED = 900  # clips that tell how beats divide; finding their beats takes a third of a second each
FEWEST = 8  # clips with a tag, and without it, that make it worth learning
Loss = Callable[[Tensor, Tensor], Tensor]
Progress = Callable[[int, float], None]


def vary(
    spectra: Float[Tensor, "batch bands frames"], *, generator: torch.Generator, strength: float = 0.25
) -> Float[Tensor, "batch bands frames"]:
    """Spectra under another smooth curve over the bands (five random points), a factor of all that is heard."""
    curve = torch.randn(len(spectra), 1, 5, generator=generator) * strength
    curve = interpolate(curve, spectra.shape[1], mode="linear", align_corners=True)[:, 0, :, None]
    return torch.log1p(torch.expm1(spectra) * torch.exp(curve))


def cut(spectra: Float[Tensor, "batch bands frames"], share: float, *, at: float) -> Float[Tensor, "batch bands kept"]:
    """A share of the frames, from `at` (0: the first, 1: the last) of those that would do."""
    frames = spectra.shape[-1]
    kept = max(round(share * frames), 1)
    start = round(at * (frames - kept))
    return spectra[..., start : start + kept]


def fit(
    listener: Listener,
    spectra: Sequence[Tensor],
    targets: Tensor,
    loss: Loss,
    *,
    steps: int,
    batch: int,
    seed: int,
    peak: float = 3e-3,
    crop: float = 1.0,
    progress: Progress | None = None,
) -> None:
    """AdamW for so many steps, its rate falling to zero along half a cosine.

    Args:
        spectra: what the listener hears, [clips, bands, frames] each.
        crop: share of each clip that is heard at a step, from anywhere; the targets must not depend on it.
    """
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(listener.parameters(), lr=peak, weight_decay=1e-2)
    listener.train()
    for step in range(steps):
        rate = peak * min(1.0, (step + 1) / 30) * 0.5 * (1 + np.cos(np.pi * step / steps))
        for group in optimiser.param_groups:
            group["lr"] = rate
        chosen = torch.randint(len(targets), (batch,), generator=generator)
        at = float(torch.rand((), generator=generator))
        heard = [vary(cut(one[chosen].float(), crop, at=at), generator=generator) for one in spectra]
        value = loss(listener(*heard), targets[chosen])
        optimiser.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(listener.parameters(), 1.0)
        optimiser.step()
        if progress is not None and step % TOLD_EVERY == 0:
            progress(step, float(value.detach()))
    listener.eval()


def train_beats(clips: HeardClips, *, steps: int, seed: int = 0, progress: Progress | None = None) -> BeatListener:
    """The listener for beats."""
    frames = clips.mel.shape[-1]
    targets = torch.stack(
        [
            torch.stack([beat_targets(x.beats, frames), beat_targets(x.downbeats, frames), division_target(x, frames)])
            for x in clips.labels
        ]
    )
    torch.manual_seed(seed)
    listener = BeatListener.from_preset("mini")
    weight = torch.tensor([1.0, 2.0, 0.1])[:, None]  # how beats divide is one answer, though asked at every frame

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        return (weight * binary_cross_entropy_with_logits(logits, target, reduction="none")).mean()

    fit(listener, [clips.mel], targets, loss, steps=steps, batch=8, seed=seed, progress=progress)
    fit_division(listener, clips)
    return listener


def fit_division(listener: BeatListener, clips: HeardClips, *, most: int = DIVIDED, penalty: float = 10.0) -> None:
    """Sets how the listener tells halves from thirds: a logistic regression on beats as it finds them.

    Args:
        most: clips that are looked at.
        penalty: of the squares of the weights, of standardised features, in clips.
    """
    known = [n for n, one in enumerate(clips.labels) if one.metre is not None][:most]
    rows = []
    for number in known:
        found = Activations.from_outputs(listener.heard(clips.mel[number][None].float())[0].numpy())
        rows.append(found.division(found.path()))
    features = torch.from_numpy(np.stack(rows))
    metres = [Metre(*metre) for n in known if (metre := clips.labels[n].metre) is not None]
    answers = torch.tensor([float(metre.compound) for metre in metres])
    mean, scale = features.mean(0), features.std(0, correction=0).clamp(min=1e-3)
    weight, bias = torch.zeros(features.shape[1], requires_grad=True), torch.zeros((), requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        logits = (features - mean) / scale @ weight + bias
        value = binary_cross_entropy_with_logits(logits, answers)
        value = value + penalty / 2 / len(answers) * weight.square().sum()
        value.backward()
        return value

    optimiser.step(closure)
    with torch.no_grad():
        listener.division.weight.copy_((weight / scale)[None])
        listener.division.bias.copy_((bias - (weight / scale * mean).sum())[None])


def division_target(labels: ClipLabels, frames: int) -> Float[Tensor, " frames"]:
    """1 at all frames of a compound metre, 0 at those of a simple one, a half where the metre is not known."""
    return torch.full((frames,), 0.5 if labels.metre is None else float(Metre(*labels.metre).compound))


def train_chords(clips: HeardClips, *, steps: int, seed: int = 0, progress: Progress | None = None) -> ChordListener:
    """The listener for chords."""
    targets = torch.stack([chord_targets(x.chords, clips.pitch.shape[-1]) for x in clips.labels])
    torch.manual_seed(seed)
    listener = ChordListener.from_preset("mini")
    fit(listener, [clips.pitch], targets, cross_entropy, steps=steps, batch=8, seed=seed, progress=progress)
    return listener


def train_tags(clips: HeardClips, *, steps: int, seed: int = 0, progress: Progress | None = None) -> TagListener:
    """The listener for kinds of music."""
    names = tag_names(clips.tags, kinds=KINDS, fewest=FEWEST)
    torch.manual_seed(seed)
    listener = TagListener.from_preset("mini", names=names)
    targets = torch.from_numpy(multi_hot(clips.tags, names)).float()
    fit(
        listener, [clips.mel, clips.pitch], targets, binary_cross_entropy_with_logits, steps=steps, batch=24,
        seed=seed, crop=0.8, progress=progress,
    )  # fmt: skip
    return listener


@torch.inference_mode()
def tag_probabilities(listener: TagListener, clips: HeardClips) -> Float[np.ndarray, "clips tags"]:
    """Of each tag that the listener knows, for clips that were heard already."""
    listener.eval()
    pairs = zip(clips.mel.split(50), clips.pitch.split(50), strict=True)
    return torch.cat([listener(mel.float(), pitch.float()).sigmoid() for mel, pitch in pairs]).numpy()


TRAIN = {"beats": train_beats, "chords": train_chords, "tags": train_tags}
LENGTHS = {"beats": SECONDS, "chords": SECONDS, "tags": CLIP}


def main(arguments: Sequence[str] | None = None) -> None:
    """Renders clips, trains, and writes the weights that ship."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=list(TRAIN), help="one listener; all by default")
    parser.add_argument("--clips", type=int, default=600, help="clips to hear")
    parser.add_argument("--held", type=int, default=HELD, help="clips of other tunes that thresholds are set on")
    parser.add_argument("--steps", type=int, default=500, help="of training, for each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--soundfonts", nargs="+", default=["shipped"], help='files that play the clips in turn, or "shipped"'
    )
    parser.add_argument("--folder", type=Path, default=WEIGHTS, help="where the weights go")
    options = parser.parse_args(arguments)
    names = [options.only] if options.only else list(TRAIN)
    train = load_corpus("compact", split="train")
    fonts = [shipped_soundfont() if name == "shipped" else name for name in options.soundfonts]
    heard = {
        seconds: hear_in_turn(train, options.clips, soundfonts=fonts, seconds=seconds)
        for seconds in {LENGTHS[name] for name in names}
    }
    for name in names:
        held = None
        if name == "tags":
            others = load_corpus("compact", split="validation")
            held = hear_in_turn(others, options.held, soundfonts=fonts, seed=1, seconds=CLIP)
        write(
            name, heard[LENGTHS[name]], held=held, steps=options.steps, seed=options.seed, folder=options.folder,
            soundfonts=options.soundfonts,
        )  # fmt: skip


def write(
    name: str,
    clips: HeardClips,
    *,
    steps: int,
    seed: int,
    folder: Path,
    held: HeardClips | None = None,
    soundfonts: Sequence[str] = ("shipped",),
) -> Path:
    """Trains one listener and writes its weights with all that is needed to make them again.

    Args:
        held: clips of other tunes, for the thresholds of tags.
        soundfonts: that played the clips, as `main` takes them.
    """

    def progress(step: int, value: float) -> None:
        print(f"{name} step {step} loss {value:.4f}", flush=True)

    listener = TRAIN[name](clips, steps=steps, seed=seed, progress=progress)
    if held is not None and isinstance(listener, TagListener):
        listener.calibrate(tag_probabilities(listener, held), multi_hot(held.tags, listener.names))
    path = folder / f"{listener.card.name}.safetensors"
    command = f"python -m orchestrion.systems.listeners.train --only {name} --clips {len(clips)} --steps {steps}"
    metadata = {
        "command": f"{command} --seed {seed}"
        + (f" --held {len(held)}" if held is not None else "")
        + f" --soundfonts {' '.join(soundfonts)}",
        "steps": steps,
        "corpus": corpus_hash("compact"),
    }
    listener.save(path, metadata)
    print(json.dumps({"file": path.name, **metadata}), flush=True)
    return path


if __name__ == "__main__":
    main()
