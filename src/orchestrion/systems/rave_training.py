"""How RAVE learns: crops of sound, the losses of both stages, and the principal axes in between (section 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from orchestrion.data.audio_batches import CropBatches
from orchestrion.data.audio_factory import AudioFactory, choose_pieces
from orchestrion.data.augment.presets import rave_chain
from orchestrion.data.held_clips import to_int16
from orchestrion.data.song_crops import SongCrops, recorded
from orchestrion.errors import InputError
from orchestrion.media.audio import Audio, read_audio
from orchestrion.paradigms.adversarial import (
    feature_matching,
    hinge_discriminator,
    hinge_generator,
    least_squares_discriminator,
    least_squares_generator,
    nonsaturating_discriminator,
    nonsaturating_generator,
)
from orchestrion.paradigms.variational import log_interpolated
from orchestrion.training.schedules import ramp
from orchestrion.training.stage import Data, Loss, Objective, Share, Stage

if TYPE_CHECKING:
    from orchestrion.data.piece import Piece
    from orchestrion.systems.rave import RAVE

CLIP_SECONDS = 12.0  # of rendered sound
VALIDATION_CROPS = 24
BETAS = (0.5, 0.9)  # of Adam
ADVERSARIES = {
    "hinge": (hinge_discriminator, hinge_generator),
    "least_squares": (least_squares_discriminator, least_squares_generator),
    "nonsaturating": (nonsaturating_discriminator, nonsaturating_generator),
}


@dataclass(frozen=True, slots=True)
class Crops:
    """A batch of waveforms, and the step it is for."""

    audio: Float[Tensor, "batch channels samples"]
    step: int


class Sounds:
    """Random crops of pieces: of recordings as they are, of scores as the programs of the system play them.

    Raises:
        InputError: no piece has sound or notes.
    """

    def __init__(self, model: RAVE, pieces: Sequence[Piece], *, minutes: float, seed: int) -> None:
        self.model, self.seed = model, seed
        self.augment = rave_chain(model.rate)
        self.songs: SongCrops | None = None
        self.held: CropBatches | None = None
        with_sound = [pieces[number] for number in range(len(pieces)) if pieces[number].audio is not None]
        if with_sound and model.channels == 1:
            clips = [clip for _, clip in recorded(with_sound, model.rate)]
            self.songs = SongCrops([[clip] for clip in clips], window=model.crop)
            return
        waves = [_channels(piece, model) for piece in with_sound] or self._rendered(pieces, minutes)
        self.held = CropBatches(waves, samples=model.crop, batch=model.batch_size, seed=seed)

    def _rendered(self, pieces: Sequence[Piece], minutes: float) -> Sequence[np.ndarray]:
        written = [pieces[n] for n in range(len(pieces)) if pieces[n].score is not None]
        if not written:
            raise InputError("None of the pieces has sound or notes; give recordings or scores.")
        model = self.model
        seconds = max(CLIP_SECONDS, 1.05 * model.crop / model.rate)
        factory = AudioFactory(
            choose_pieces(written, seed=self.seed), rate=model.rate, seconds=seconds, channels=model.channels,
            seed=self.seed, programs=model.programs, drums=False, transpose=(-3, 3), speed=(0.9, 1.1),
            level_db=(-9.0, -1.0), start="any",
        )  # fmt: skip
        return list(factory.held(range(max(int(60 * minutes / seconds), 2))).samples)

    def __call__(self, step: int, share: Share) -> Crops:
        """The crops of a share of the batch of a step, each with its phases turned at random."""
        if self.held is not None:
            audio = self.held(step, share).audio
        else:
            assert self.songs is not None
            rows = []
            for place in share.of(range(self.model.batch_size)):
                rng = np.random.default_rng((self.seed, step, place))
                rows.append(self.songs.crop(int(rng.integers(len(self.songs))), rng))
            audio = torch.from_numpy(np.stack(rows))[:, None]
        entropy = np.random.SeedSequence((self.seed, step, share.part, share.parts)).generate_state(1, np.uint32)
        audio = self.augment(audio, torch.Generator().manual_seed(int(entropy[0])))
        return Crops(audio.to(self.model.device), step)

    def plain(self, count: int) -> Float[Tensor, "count channels samples"]:
        """So many crops that are always the same. They are augmented as for training, as the published code does:
        digital silence would else count more than all sound."""
        made: list[Tensor] = []
        for step in range(-(-count // self.model.batch_size)):
            if self.held is not None:
                made.append(self.held(step, Share()).audio)
                continue
            assert self.songs is not None
            rng = np.random.default_rng((self.seed, step, 7))
            crops = [self.songs.crop(int(rng.integers(len(self.songs))), rng) for _ in range(self.model.batch_size)]
            made.append(torch.from_numpy(np.stack(crops))[:, None])
        audio = self.augment(torch.cat(made)[:count], torch.Generator().manual_seed(self.seed))
        return audio.to(self.model.device)


def _channels(piece: Piece, model: RAVE) -> np.ndarray:
    """A recording in memory at the rate of a system, with as many channels as it has."""
    sound = piece.audio if isinstance(piece.audio, Audio) else read_audio(piece.audio)
    samples = sound.resample(model.rate).samples
    rows = [samples[number % len(samples)] for number in range(model.channels)]
    return to_int16(np.stack(rows))


class Training:
    """The losses of both stages.

    Args:
        model: the system.
        discriminator: of the second stage.
    """

    def __init__(self, model: RAVE, discriminator: nn.Module) -> None:
        self.model, self.discriminator = model, discriminator
        self._of_discriminator, self._of_generator = ADVERSARIES[model.adversary]
        self._valid: tuple[int, int] | None = None

    @property
    def valid(self) -> tuple[int, int]:
        """Samples at both ends of a crop whose sub-bands are not compared."""
        if self._valid is None:
            self._valid = self.model.receptive_field() if self.model.valid_crop else (0, 0)
            needed = sum(self._valid) + 4 * self.model.pqmf.bands
            if needed > self.model.crop:  # too short to leave anything out
                self._valid = (0, 0)
        return self._valid

    def beta(self, step: int) -> float:
        """Weight of the penalty."""
        start, end, steps = self.model.beta
        return log_interpolated(step + 1, start=start, end=end, steps=int(steps))

    def represent(self, batch: Crops, noise: Tensor | None = None, uniform: Tensor | None = None) -> Loss:
        """The first stage: spectral distances and the penalty of the bottleneck (eq. 4 and 5)."""
        bottled = self.model.draw(batch.audio, noise)
        found = self.model.distances(batch.audio, self.model.decoded(bottled.z, uniform), self.valid)
        value = self._distance(found) + self.beta(batch.step) * bottled.penalty
        parts = {name: float(one.detach()) for name, one in found.items()}
        return Loss(value, len(batch.audio), {**parts, "penalty": float(bottled.penalty.detach())})

    def refine(self, batch: Crops, noise: Tensor | None = None, uniform: Tensor | None = None) -> Loss:
        """The generator's turn in the second stage: distances, adversarial loss and feature matching (eq. 6 and 7)."""
        model = self.model
        bottled = self._drawn(batch, noise)
        made = model.decoded(bottled.z, uniform)
        found = model.distances(batch.audio, made, self.valid)
        real, fake = self._features(batch.audio, model.waveform(made)[..., : batch.audio.shape[-1]])
        adversarial = len(fake) * self._of_generator([one[-1] for one in fake])
        matching = feature_matching(real, fake, **model.matching)
        value = self._distance(found) + model.weights["adversarial"] * adversarial
        value = value + model.weights["matching"] * matching
        if not model.freeze:
            value = value + self.beta(batch.step + model.steps[0]) * bottled.penalty
        parts = {name: float(one.detach()) for name, one in found.items()}
        parts |= {"adversarial": float(adversarial.detach()), "matching": float(matching.detach())}
        return Loss(value, len(batch.audio), parts)

    def judge(self, batch: Crops, noise: Tensor | None = None, uniform: Tensor | None = None) -> Loss:
        """The discriminator's turn: its loss, summed over its parts."""
        with torch.no_grad():
            made = self.model.waveform(self.model.decoded(self._drawn(batch, noise).z, uniform))
        real, fake = self._features(batch.audio, made[..., : batch.audio.shape[-1]])
        scores = [one[-1] for one in real], [one[-1] for one in fake]
        value = len(fake) * self._of_discriminator(*scores)
        means = {
            name: float(sum(one.detach().mean() for one in some))
            for name, some in zip(("real", "fake"), scores, strict=True)
        }
        return Loss(value, len(batch.audio), means)

    def foresee(self, batch: Crops, noise: Tensor | None = None) -> Loss:
        """The prior's: cross-entropy of the next frame of principal coordinates of drawn latents (section 5.3)."""
        model = self.model
        assert model.prior is not None
        with torch.no_grad():
            z = model.space.rotate(model.draw(batch.audio, noise).z, model.prior.dims)
        return Loss(model.prior.loss(z), len(batch.audio))

    def _drawn(self, batch: Crops, noise: Tensor | None):
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.model.freeze):
            return self.model.draw(batch.audio, noise)

    def _features(self, real: Tensor, fake: Tensor) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
        """Features of both, computed together."""
        if self.model.distance == "frobenius":  # the first code shows what the filter bank gives back
            real = self.model.waveform(self.model.pqmf.analyse(real))
        found = self.discriminator(torch.cat([real, fake]))
        halves = [[one.chunk(2) for one in part] for part in found]
        return [[one[0] for one in part] for part in halves], [[one[1] for one in part] for part in halves]

    def _distance(self, found: Mapping[str, Tensor]) -> Tensor:
        weights = self.model.weights
        total = weights["distance"] * (found["whole"] + found["bands"] if "bands" in found else found["whole"])
        return total + weights["loudness"] * found["loudness"] if "loudness" in found else total


def stages(model: RAVE, train: Sequence[Piece], validation: Sequence[Piece]) -> list[Stage]:
    """Both stages; the principal axes are found at the end of the first one and kept through the second.

    In the second stage the encoder stands still: it is in evaluation mode, and no optimiser has its parameters. The
    published code since version 2 keeps its batch statistics moving.
    """
    sounds = Sounds(model, train, minutes=model.minutes, seed=0)
    held_out = Sounds(model, validation, minutes=min(model.minutes, 3.0), seed=1).plain(VALIDATION_CROPS)
    return stages_on(model, sounds, held_out)


def stages_on(model: RAVE, sounds: Data, held_out: Float[Tensor, "batch channels samples"]) -> list[Stage]:
    """The stages on crops that are there.

    Args:
        sounds: batches by step.
        held_out: crops for figures and for the principal axes.
    """
    discriminator = model.discriminator().to(model.device)
    training = Training(model, discriminator)
    encoder, decoder = list(model.encoder.parameters()), list(model.decoder.parameters())
    encoder += list(model.bottleneck.parameters())
    start, end = model.learning_rate

    def adam(rate: float):
        return lambda parameters: torch.optim.Adam(parameters, lr=rate, betas=BETAS)

    def analyse() -> None:
        if model.bottleneck.widths == 2:
            model.space.fit(latent_means(model, held_out))

    def validate() -> Mapping[str, float]:
        return {**figures(model, held_out), **fidelities(model, held_out)}

    def open_second_stage() -> None:
        model.get_buffer("second_stage").fill_(1.0)

    every = model.discriminator_every
    common = {"data": sounds, "precision": model.precision, "ema": model.average_decay, "validate": validate}
    last: list[Stage] = []
    if model.prior is not None:
        prior = Objective("prior", training.foresee, model.prior.parameters(), adam(1e-4), clip=None)
        last = [Stage(name="prior", steps=model.prior_steps, data=sounds, objectives=[prior])]
    return [
        Stage(
            name="representation",
            steps=model.steps[0],
            objectives=[
                Objective(
                    "autoencoder", training.represent, encoder + decoder, adam(start),
                    schedule=ramp(1.0, end / start, max(model.steps[0], 1)), clip=None,
                )
            ],
            end=analyse,
            **common,
        ),
        Stage(
            name="adversarial",
            steps=model.steps[1],
            objectives=[
                Objective(
                    "discriminator", training.judge, discriminator.parameters(), adam(model.discriminator_rate),
                    every=every, clip=None,
                ),
                Objective(
                    "decoder", training.refine, decoder if model.freeze else encoder + decoder, adam(end),
                    every=every, offset=range(1, every), clip=None,
                ),
            ],
            helpers={"discriminator": discriminator},
            start=open_second_stage,
            **common,
        ),
        *last,
    ]  # fmt: skip


@torch.no_grad()
def latent_means(model: RAVE, audio: Float[Tensor, "batch channels samples"]) -> Float[Tensor, "frames latent"]:
    """Means of the posteriors of crops, frame by frame."""
    means = [model.point(part) for part in audio.split(8)]
    return torch.cat(means).transpose(1, 2).flatten(0, 1).cpu()


@torch.no_grad()
def figures(model: RAVE, audio: Float[Tensor, "batch channels samples"]) -> dict[str, float]:
    """Spectral distances of crops made again from latents that are drawn: dead dimensions at rest would be new to the
    decoder."""
    sums: dict[str, float] = {}
    for part in audio.split(8):
        for name, value in model.distances(part, model.decoded(model.draw(part).z)).items():
            sums[name] = sums.get(name, 0.0) + float(value) * len(part)
    return {name: value / len(audio) for name, value in sums.items()}


def fidelities(model: RAVE, audio: Float[Tensor, "batch channels samples"]) -> dict[str, float]:
    """How many dimensions the latents of crops need for some fidelities."""
    from orchestrion.nn.latent_space import LatentSpace

    if model.bottleneck.widths != 2:
        return {}
    space = LatentSpace(model.latent, measure=model.space.measure)
    space.fit(latent_means(model, audio))
    return {f"dims at {share:g}": float(space.dims(share)) for share in (0.8, 0.9, 0.95, 0.99)}
