"""How MusicLDM trains: the autoencoder, the small towers, and the diffusion with its beat-synchronous mixup."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from orchestrion.analysis.beats import track_beats
from orchestrion.analysis.spectra import audioldm_waveform
from orchestrion.codecs.mel_vae import Posterior, vae_loss
from orchestrion.codecs.vocoders import HiFiGan
from orchestrion.data.augment import beat_mixup
from orchestrion.media.audio import Audio
from orchestrion.nn.clap import SmallClap
from orchestrion.nn.patch_discriminator import PatchDiscriminator
from orchestrion.nn.vocoder_discriminators import hifigan_discriminator
from orchestrion.paradigms.adversarial import hinge_discriminator
from orchestrion.paradigms.contrastive import clap_loss
from orchestrion.training.sound_clips import SoundClips, without_key
from orchestrion.training.stage import Loss, Objective, Share, Stage, warmup_cosine
from orchestrion.training.vocoder_stage import vocoder_stage

if TYPE_CHECKING:
    from orchestrion.data.piece import Piece
    from orchestrion.systems.musicldm import MusicLDM

VALIDATION_CLIPS = 24
MOST_KEPT = 2000  # clips whose latents are kept in memory
FACTORY: dict[str, Any] = {
    "programs": (0, 11, 24, 40, 48, 73, 19, 56),  # piano, vibraphone, guitar, violin, strings, flute, organ, trumpet
    "parts": (1, 2),
    "drums": False,
    "tempi": (80, 100, 120, 140),
    "room": (0.05, 0.15),
}
"""What the miniature hears: a tune, alone or with one other part, at four tempos, so that there are clips to mix."""


def tempo_and_downbeats(audio: Audio) -> tuple[float | None, Sequence[float]]:
    """Of a recording that comes without them, by the tracker that needs no training."""
    found = track_beats(audio)
    return found.tempo, found.downbeats.tolist()


class TrainingSound:
    """Clips that are made when they are first asked for, and their normalised waves, pictures and captions."""

    def __init__(self, model: MusicLDM, pieces: Sequence[Piece], *, count: int, seed: int) -> None:
        self.model, self._pieces, self._count, self._seed = model, pieces, count, seed

    def __len__(self) -> int:
        """Most clips that there can be."""
        return self._count

    @cached_property
    def clips(self) -> SoundClips:
        """At most eight clips a piece are rendered."""
        count = min(self._count, 8 * len(self._pieces))
        options = self.model.options
        clips = SoundClips.from_pieces(
            self._pieces,
            rate=self.model.rate,
            count=count,
            seed=self._seed,
            seconds=options["clip_seconds"],
            track=tempo_and_downbeats if options["mixup"] in ("bam", "blm") else None,
            **FACTORY,
        )
        for clip in clips.clips:
            clip.facts = without_key(clip.facts) if clip.facts is not None else None
        return clips

    def waves(self, items: Sequence[int], frames: int, rng: random.Random) -> Float[Tensor, "batch samples"]:
        """Normalised stretches of clips, from anywhere."""
        samples = frames * self.model.codec.hop_length
        return torch.stack([audioldm_waveform(self.clips.crop(item, samples, rng)) for item in items])

    def pictures(self, items: Sequence[int], frames: int, rng: random.Random) -> Float[Tensor, "batch 1 frames n_mels"]:
        """Their log-mel pictures."""
        return self.model.codec.pictures(self.waves(items, frames, rng))


class ConditionedLatents:
    """Latents of clips, some of them mixed, with the vectors that they are told.

    Args:
        sound: the clips.
        mixup: "none", "plain", "bam" or "blm".
        share: of items that are mixed.
        text_share: of unmixed items that are told their caption.
    """

    def __init__(self, sound: TrainingSound, *, mixup: str, share: float, text_share: float) -> None:
        self.sound, self.model = sound, sound.model
        self.mixup, self.share, self.text_share = mixup, share, text_share
        self._whole: dict[int, tuple[Tensor, Posterior]] = {}
        self._starts: dict[tuple[int, int], Posterior] = {}

    @cached_property
    def groups(self) -> dict[int, list[int]]:
        """Clip → clips of its tempo. Without tempos or downbeats there is nothing to align."""
        clips = self.sound.clips.clips
        known = [number for number, clip in enumerate(clips) if clip.tempo and len(self._downbeats(number)) > 1]
        groups = beat_mixup.tempo_groups([float(clips[number].tempo or 0) for number in known])
        return {known[place]: [known[other] for other in group] for group in groups for place in group}

    def _downbeats(self, item: int) -> tuple[float, ...]:
        """Downbeats after which a whole window is left; one more, which is never drawn, ends them."""
        clip, samples = self.sound.clips.clips[item], self.model.frames * self.model.codec.hop_length
        last = (len(clip.samples) - samples) / self.sound.clips.rate
        fitting = [time for time in clip.downbeats if time <= last]
        return (*fitting, last + 1.0) if fitting else ()

    @torch.no_grad()
    def batch(self, items: Sequence[int], *, seed: str) -> tuple[Tensor, Tensor, Tensor]:
        """Latents, vectors, and the vector of the empty text."""
        model, rng = self.model, random.Random(seed)
        generator = torch.Generator().manual_seed(rng.getrandbits(62))
        latents: list[Tensor] = []
        pictures: list[Tensor | None] = []
        waves: dict[int, Tensor] = {}
        mixes: dict[int, Tensor] = {}
        captions: dict[int, str] = {}
        with torch.autocast(model.device.type, torch.bfloat16, enabled=model.options["precision"] == "bfloat16"):
            for place, item in enumerate(items):
                mixed = self._mixed(item, rng, generator) if rng.random() < self.share else None
                z, mel = (None, None) if mixed is not None else self._stretch(item, rng, generator)
                if mixed is not None and mixed.ndim > 2:
                    mixes[place] = z = mixed
                elif mixed is not None:
                    waves[place] = mixed
                elif rng.random() < self.text_share:
                    captions[place] = self.sound.clips.clips[item].worded(str(rng.random()))
                latents.append(z if z is not None else torch.empty(0))
                pictures.append(mel)
            if waves:
                mel = model.codec.pictures(torch.cat(list(waves.values())))
                for row, (place, z) in enumerate(zip(waves, model.vae.encode(mel).sample(generator), strict=True)):
                    latents[place], pictures[place] = z[None], mel[row : row + 1]
            if mixes:
                for place, mel in zip(mixes, model.vae.decode(torch.cat(list(mixes.values()))), strict=True):
                    pictures[place] = mel[None]
            vectors = model.vectors_of_pictures(torch.cat([mel for mel in pictures if mel is not None]).float())
        if captions:
            vectors[list(captions)] = model.vectors_of_text(list(captions.values())).to(vectors)
        return torch.cat(latents).float(), vectors.float(), model.vectors_of_text([""])

    def _stretch(self, item: int, rng: random.Random, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Latents and picture of a stretch from anywhere; whole clips are encoded once and kept."""
        model, step = self.model, self.model.vae.time_reduction
        if item not in self._whole:
            wave = audioldm_waveform(self.sound.clips.wave(item))
            block = step * model.codec.hop_length
            samples = max(model.frames * model.codec.hop_length, len(wave) // block * block)
            mel = model.codec.pictures(beat_mixup.segment(wave, 0, samples)[None].to(model.device))
            if len(self._whole) >= MOST_KEPT:
                self._whole.clear()
            self._whole[item] = mel, model.vae.encode(mel)
        mel, posterior = self._whole[item]
        start = rng.randrange(posterior.mean.shape[2] - model.window + 1)
        part = slice(start, start + model.window)
        z = Posterior(posterior.mean[:, :, part], posterior.log_variance[:, :, part]).sample(generator)
        return z, mel[:, :, step * start : step * start + model.frames]

    def _mixed(self, item: int, rng: random.Random, generator: torch.Generator) -> Tensor | None:
        """A mix of a clip with another: a wave, or latents with "blm"; None where there is no partner."""
        if self.mixup == "none":
            return None
        clips, frames = self.sound.clips, self.model.frames
        share = beat_mixup.draw_share(1, generator)
        if self.mixup == "plain":
            partner = rng.choice([other for other in range(len(clips)) if other != item] or [item])
            pair = self.sound.waves([item, partner], frames, rng)
            return audioldm_waveform(share * pair[0] + (1 - share) * pair[1])[None]
        group = self.groups.get(item, [item])
        partner = beat_mixup.draw_partner(group, item, generator, quirks=self.model.quirks)
        draw = None
        if partner is not None:
            downs = self._downbeats(item), self._downbeats(partner)
            draw = beat_mixup.draw_mix(*downs, generator)
        if partner is None or draw is None:
            return None
        if self.mixup == "bam":
            own, other = clips.wave(item), clips.wave(partner)
            aligned = beat_mixup.align(own, other, downs[0], downs[1], draw, rate=clips.rate)
            mixed = beat_mixup.mix_audio(own, aligned, draw.share)
            return beat_mixup.segment(mixed, 0, frames * self.model.codec.hop_length)[None]
        first = self._from_downbeat(item, draw.first, downs[0][draw.first]).sample(generator)
        second = self._from_downbeat(partner, draw.second, downs[1][draw.second]).sample(generator)
        return beat_mixup.mix_latents(first, second, share)

    def _from_downbeat(self, item: int, place: int, time: float) -> Posterior:
        """The latents of a clip from a downbeat on, encoded once and kept."""
        if (item, place) not in self._starts:
            samples = self.model.frames * self.model.codec.hop_length
            wave = audioldm_waveform(self.sound.clips.wave(item)[int(time * self.sound.clips.rate) :])
            mel = self.model.codec.pictures(beat_mixup.segment(wave, 0, samples)[None].to(self.model.device))
            if len(self._starts) >= MOST_KEPT:
                self._starts.clear()
            self._starts[item, place] = self.model.vae.encode(mel)
        return self._starts[item, place]

    def scale(self, size: int) -> float:
        """1 / standard deviation of the latents of a first batch."""
        latents, _, _ = self.batch(self.sound.clips.draw(0, size), seed="scale")
        return float(1 / latents.std())


def stages(model: MusicLDM, train: Sequence[Piece], validation: Sequence[Piece]) -> list[Stage]:
    """Autoencoder, small towers, vocoder, diffusion; stages of no steps are left out."""
    sound = TrainingSound(model, train, count=model.options["clips"], seed=0)
    held_out = TrainingSound(model, validation, count=VALIDATION_CLIPS, seed=1)
    made = []
    if model.options["vae_steps"]:
        made.append(autoencoder_stage(model, sound, held_out))
    if model.options["clap_steps"] and isinstance(model.clap, SmallClap):
        made.append(towers_stage(model, model.clap, sound, held_out))
    if model.options["vocoder_steps"] and isinstance(model.codec.vocoder, HiFiGan):
        made.append(player_stage(model, model.codec.vocoder, sound, held_out))
    if model.options["training_steps"]:
        made.append(diffusion_stage(model, sound, held_out))
    return made


class _LogScale(nn.Module):
    """The learned scale of the autoencoder's likelihood."""

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(()))


def autoencoder_stage(model: MusicLDM, sound: TrainingSound, held_out: TrainingSound) -> Stage:
    """Pictures of a quarter of a clip; a discriminator of patches joins in where that is asked for."""
    options, log_scale, judge = model.options, _LogScale(), PatchDiscriminator()
    late = options["adversarial_from"]
    frames = max(model.frames // 4, model.vae.time_reduction)

    def data(step: int, share: Share) -> tuple[int, Tensor]:
        items = share.of(sound.clips.draw(step, options["vae_batch"]))
        return step, sound.pictures(items, frames, random.Random(f"vae/{step}/{share.part}"))

    def loss(batch: tuple[int, Tensor]) -> Loss:
        step, mel = batch
        posterior = model.vae.encode(mel)
        made = model.vae.decode(posterior.sample()).float()
        adversarial = late is not None and step >= late
        found = vae_loss(
            mel,
            made,
            Posterior(posterior.mean.float(), posterior.log_variance.float()),
            log_scale=log_scale.value,
            kl_weight=options["kl_weight"],
            scores=judge(made) if adversarial else None,
            last_layer=model.vae.decoder.last.weight if adversarial else None,
        )
        size = mel[0].numel()
        return Loss(
            found.total / size, len(mel), {"l1": float(found.reconstruction.detach()), "kl": float(found.kl.detach())}
        )

    def judged(batch: tuple[int, Tensor]) -> Loss:
        _, mel = batch
        with torch.no_grad():
            made = model.vae.decode(model.vae.encode(mel).sample()).float()
        return Loss(0.5 * hinge_discriminator(judge(mel), judge(made)), len(mel))

    def validate() -> dict[str, float]:
        mel = held_out.pictures(range(len(held_out.clips)), model.frames, random.Random(0))
        return {"l1": float((model.vae.decode(model.vae.encode(mel).mean) - mel).abs().mean())}

    steps, rate = options["vae_steps"], options["vae_rate"]
    parameters = [*model.vae.parameters(), *log_scale.parameters()]
    generator = Objective(
        name="autoencoder",
        loss=loss,
        parameters=parameters,
        optimiser=lambda p: torch.optim.AdamW(p, lr=rate, betas=(0.5, 0.9), weight_decay=0.0),
        schedule=warmup_cosine(min(50, steps // 4 + 1), steps, floor=0.05),
    )
    discriminator = Objective(
        name="discriminator",
        loss=judged,
        parameters=judge.parameters(),
        optimiser=lambda p: torch.optim.AdamW(p, lr=rate, betas=(0.5, 0.9), weight_decay=0.0),
    )
    return Stage(
        name="autoencoder",
        steps=steps,
        data=data,
        objectives=[generator] if late is None else [generator, discriminator],
        validate=validate,
        precision=options["precision"],
        helpers={"log_scale": log_scale} if late is None else {"log_scale": log_scale, "judge": judge},
    )


def towers_stage(model: MusicLDM, towers: SmallClap, sound: TrainingSound, held_out: TrainingSound) -> Stage:
    """Each clip finds its caption among those of the batch, and the other way round."""
    options, size = model.options, 4 * model.options["vae_batch"]

    def batch(clips: TrainingSound, items: Sequence[int], seed: str) -> tuple[Tensor, list[str]]:
        mel = clips.pictures(items, model.frames, random.Random(seed))
        return mel, [clips.clips.clips[item].worded(f"{seed}/{item}") for item in items]

    def loss(batch: tuple[Tensor, list[str]]) -> Loss:
        mel, captions = batch
        heard, read = towers.embed_mel(mel).float(), towers.embed_text(captions).float()
        return Loss(clap_loss(heard, read, scale=towers.scale), len(mel))

    def validate() -> dict[str, float]:
        mel, captions = batch(held_out, range(len(held_out.clips)), "validation")
        heard, read = towers.embed_mel(mel).float(), towers.embed_text(captions).float()
        own = torch.arange(len(mel))
        found = (heard @ read.mT).argsort(dim=1, descending=True)[:, :5] == own[:, None]
        return {"recall_at_5": float(found.any(1).float().mean())}

    steps = options["clap_steps"]
    objective = Objective(
        name="contrast",
        loss=loss,
        parameters=towers.parameters(),
        optimiser=lambda p: torch.optim.AdamW(p, lr=options["clap_rate"], weight_decay=0.05),
        schedule=warmup_cosine(min(30, steps // 4 + 1), steps, floor=0.05),
    )
    return Stage(
        name="towers",
        steps=steps,
        data=lambda step, share: batch(sound, share.of(sound.clips.draw(step, size)), f"towers/{step}/{share.part}"),
        objectives=[objective],
        validate=validate,
        precision=options["precision"],
    )


def player_stage(model: MusicLDM, player: HiFiGan, sound: TrainingSound, held_out: TrainingSound) -> Stage:
    """The vocoder, on short segments of the clips."""
    options, size = model.options, model.options["vocoder_batch"]
    frames, share_of = max(options["vocoder_segment"] // model.codec.hop_length, 1), options["vocoder_judges"]

    def data(step: int, share: Share) -> Tensor:
        items = share.of(sound.clips.draw(step, size))
        return sound.waves(items, frames, random.Random(f"vocoder/{step}/{share.part}")).to(model.device)

    return vocoder_stage(
        player,
        hifigan_discriminator(
            widths=[width // share_of for width in (32, 128, 512, 1024, 1024)], scale_width=128 // share_of
        ).to(model.device),
        pictures=lambda waves: model.codec.pictures(waves)[:, 0].mT,
        data=data,
        held_out=lambda: held_out.waves(range(len(held_out.clips)), frames, random.Random(0)).to(model.device),
        steps=options["vocoder_steps"],
        learning_rate=options["vocoder_rate"],
        epoch=max(len(sound) // size, 1),
        precision=options["precision"],
    )


def diffusion_stage(model: MusicLDM, sound: TrainingSound, held_out: TrainingSound) -> Stage:
    """The U-Net; the scale of the latents is measured once, before the first step."""
    options, size = model.options, model.options["batch_size"]
    mixed = ConditionedLatents(
        sound, mixup=options["mixup"], share=options["mixup_share"], text_share=options["text_share"]
    )
    plain = ConditionedLatents(held_out, mixup="none", share=0.0, text_share=0.0)

    def data(step: int, share: Share) -> tuple[Tensor, Tensor, Tensor]:
        if step == 0 or float(model.scale_factor) == 1.0:
            model.scale_factor.fill_(mixed.scale(size))
        items = share.of(sound.clips.draw(step, size))
        return mixed.batch(items, seed=f"diffusion/{step}/{share.part}")

    def validate() -> dict[str, float]:
        latents, vectors, empty = plain.batch(range(len(held_out.clips)), seed="validation")
        return {"loss": float(model.loss(latents, vectors, empty).value)}

    objective = Objective(
        name="diffusion",
        loss=lambda batch: model.loss(*batch),
        parameters=model.unet.parameters(),
        optimiser=lambda p: torch.optim.AdamW(p, lr=options["learning_rate"], weight_decay=0.01),
        schedule=warmup_cosine(options["warmup"], options["training_steps"], floor=options["final_rate"]),
    )
    return Stage(
        name="diffusion",
        steps=options["training_steps"],
        data=data,
        objectives=[objective],
        validate=validate,
        validate_every=400,
        ema=options["ema"],
        precision=options["precision"],
    )
