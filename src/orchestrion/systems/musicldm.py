"""MusicLDM (Chen et al. 2024, arXiv 2308.01546): text to sound by diffusion in the latents of mel pictures.

Sound is a log-mel picture; an autoencoder makes it small; a U-Net takes noise away from its latents, told a vector of
the space that sound and text share; a vocoder plays the picture. In training the vector is that of the *sound*, so no
captions are needed, and clips of one tempo are mixed on their downbeats, so that a small collection is not copied.
`paper` is the published network; `mini` ships with its weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from orchestrion.analysis.spectra import MelSpectrogram
from orchestrion.codecs.codec import Latents
from orchestrion.codecs.griffin_lim import GriffinLim
from orchestrion.codecs.mel_codec import MelCodec
from orchestrion.codecs.mel_vae import MelVae
from orchestrion.codecs.vocoders import HiFiGan
from orchestrion.data.caption_vocabulary import caption_words
from orchestrion.errors import OptionError, PromptError, check_choice
from orchestrion.media.audio import Audio
from orchestrion.media.loudness import at_safe_peak
from orchestrion.nn.clap import Clap, SmallClap
from orchestrion.nn.unet import UNet
from orchestrion.paradigms.diffusion import Diffusion
from orchestrion.paradigms.schedules import NoiseSchedule
from orchestrion.representations.latent_masks import Masked, next_window
from orchestrion.systems import musicldm_filling as filling
from orchestrion.systems.card import Card
from orchestrion.systems.registry import register
from orchestrion.systems.system import System
from orchestrion.systems.tasks import Embeddings, Progress, Sound
from orchestrion.training.stage import Loss

if TYPE_CHECKING:
    from orchestrion.data.piece import Piece
    from orchestrion.training.stage import Stage

NOTE = "This was made by a miniature that shows the method, not the quality of the published model."


@register("musicldm")
class MusicLDM(System):
    """Autoencoder, U-Net, vocoder and the space of sound and text, and what is done with them.

    Args:
        sample_rate: Hz.
        n_fft, hop_length, n_mels: of the mel picture, which reaches up to half the rate.
        frames: of a clip.
        vae_width, vae_channels, vae_blocks, vae_groups, z_channels: of the autoencoder, see `MelVae`.
        unet_width, unet_channels, unet_blocks, unet_groups, attention_levels: of the U-Net, see `UNet`.
        head_width: channels of a head of its attention; the number of heads follows, level by level.
        clap: the space of sound and text: "laion" (published, frozen), "small" (trained with the rest), "none" (vectors
            are given from outside).
        condition_width: of its vectors.
        words: known words of "small", or "captions" for those of our captions.
        vocoder: "hifigan", or "griffin_lim", which has no weights.
        vocoder_channels, vocoder_rates, vocoder_kernels: of HiFi-GAN.
        diffusion_steps, beta_start, beta_end: of the noise schedule, the root of whose β grows linearly.
        dropout: share of items that are told the vector of the empty text instead of their own.
        sampling_steps, guidance, eta, candidates: what `generate` takes by default.
        mixup: "none", "plain" (any two clips), "bam" (sounds, on downbeats), "blm" (latents, on downbeats).
        mixup_share: share of items that are mixed.
        text_share: share of items that are told the vector of their caption instead of that of their sound; the paper's
            second stage tells all.
        clips, clip_seconds: how many clips are rendered to train on, where there are only scores, and their length.
        vae_steps, clap_steps, training_steps, vocoder_steps: of the stages; of the vocoder only with "hifigan".
        vae_batch, batch_size: clips a step.
        vae_rate, clap_rate, learning_rate: of the three optimisers.
        vocoder_batch, vocoder_segment, vocoder_rate: of the vocoder's stage: clips a step, samples of each, learning
            rate.
        vocoder_judges: what the widths of its discriminators are divided by.
        kl_weight: of the mean KL.
        adversarial_from: step of the first stage at which the discriminator joins in.
        warmup, final_rate, ema: of the diffusion stage: steps in which the learning rate grows, the share of it that is
            left at the end (1 keeps it), the decay of the average of weights.
        precision: of training, "float32" or "bfloat16".
        quirks: "none"; "official" for the published sampler (steps, known parts not pasted back); "diffusers" for the
            hub folder's eight heads at every level.
    """

    card: ClassVar[Card] = Card(
        name="musicldm",
        title=("MusicLDM: Enhancing Novelty in Text-to-Music Generation Using Beat-Synchronous Mixup Strategies"),
        arxiv="2308.01546",
        tasks=("generate", "continue_sound", "infill_sound", "encode", "decode", "embed", "embed_text"),
        modalities=("text", "audio"),
        licence="Apache-2.0",
        code="https://github.com/RetroCirce/MusicLDM",
        code_licence="CC BY-NC-SA 4.0",
        weights="ucsd-reach/musicldm",
        weights_licence="CC BY-NC-SA 4.0",
        claims=(
            "Trained with beat-synchronous mixup, fewer generated clips come close to a training clip than without, "
            "by a tenth or more.",
            "They fit their text as well, to nine tenths or more.",
            "Mixes that are aligned to downbeats keep the beat better than mixes that are not.",
        ),
    )
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "mini": {
            "frames": 256,
            "vae_width": 32,
            "vae_channels": (32, 64, 96),
            "vae_blocks": 1,
            "vae_groups": 8,
            "z_channels": 4,
            "unet_width": 32,
            "unet_channels": (32, 64, 96),
            "unet_blocks": 1,
            "unet_groups": 16,
            "attention_levels": (1, 2),
            "clap": "small",
            "condition_width": 64,
            "words": "captions",
            "vocoder": "griffin_lim",
            "sampling_steps": 40,
            "guidance": 2.5,
            "eta": 0.0,
            "candidates": 4,
            "mixup": "blm",
            "mixup_share": 0.3,
            "text_share": 0.5,
            "clips": 400,
            "clip_seconds": 8.0,
            "vae_steps": 500,
            "clap_steps": 250,
            "training_steps": 1000,
            "vae_batch": 8,
            "batch_size": 16,
            "vae_rate": 1.5e-3,
            "clap_rate": 2e-3,
            "learning_rate": 1e-3,
            "kl_weight": 30.0,
            "warmup": 50,
            "final_rate": 0.1,
            "ema": 0.99,
            "precision": "bfloat16",
        },
        "paper": {},
        "wide": {"n_mels": 128, "vae_channels": (128, 256, 512, 1024), "z_channels": 16},
    }

    scale_factor: Tensor

    def __init__(
        self,
        *,
        sample_rate: int = 16000,
        n_fft: int = 1024,
        hop_length: int = 160,
        n_mels: int = 64,
        frames: int = 1024,
        vae_width: int = 128,
        vae_channels: Sequence[int] = (128, 256, 512),
        vae_blocks: int = 2,
        vae_groups: int = 32,
        z_channels: int = 8,
        unet_width: int = 128,
        unet_channels: Sequence[int] = (128, 256, 384, 640),
        unet_blocks: int = 2,
        unet_groups: int = 32,
        attention_levels: Sequence[int] = (1, 2, 3),
        head_width: int = 32,
        clap: str = "laion",
        condition_width: int = 512,
        words: Sequence[str] | str = (),
        vocoder: str = "hifigan",
        vocoder_channels: int = 1024,
        vocoder_rates: Sequence[int] = (5, 4, 2, 2, 2),
        vocoder_kernels: Sequence[int] = (16, 16, 8, 4, 4),
        diffusion_steps: int = 1000,
        beta_start: float = 0.0015,
        beta_end: float = 0.0195,
        dropout: float = 0.1,
        sampling_steps: int = 200,
        guidance: float = 2.0,
        eta: float = 1.0,
        candidates: int = 5,
        mixup: str = "blm",
        mixup_share: float = 0.5,
        text_share: float = 0.0,
        clips: int = 9000,
        clip_seconds: float = 20.48,
        vae_steps: int = 70_000,
        clap_steps: int = 0,
        training_steps: int = 450_000,
        vae_batch: int = 4,
        batch_size: int = 24,
        vae_rate: float = 4.5e-6,
        clap_rate: float = 1e-4,
        learning_rate: float = 3e-5,
        vocoder_steps: int = 1_000_000,
        vocoder_batch: int = 16,
        vocoder_segment: int = 8192,
        vocoder_rate: float = 2e-4,
        vocoder_judges: int = 1,
        kl_weight: float = 1.0,
        adversarial_from: int | None = None,
        warmup: int = 1000,
        final_rate: float = 1.0,
        ema: float = 0.9999,
        precision: str = "float32",
        quirks: str = "none",
    ) -> None:
        super().__init__()
        check_choice("quirks", quirks, "none", "official", "diffusers")
        check_choice("clap", clap, "laion", "small", "none")
        check_choice("vocoder", vocoder, "hifigan", "griffin_lim")
        check_choice("mixup", mixup, "none", "plain", "bam", "blm")
        self.quirks, self.rate, self.frames, self.dropout = quirks, sample_rate, frames, dropout
        self.sampling_steps, self.guidance, self.eta, self.candidates = sampling_steps, guidance, eta, candidates
        mel = MelSpectrogram(
            sample_rate=sample_rate, n_fft=n_fft, hop_length=hop_length, n_mels=n_mels, power=1, compression="log",
            floor=1e-5,
        )  # fmt: skip
        vae = MelVae(
            width=vae_width, channels=vae_channels, blocks=vae_blocks, groups=vae_groups, z_channels=z_channels
        )
        player = GriffinLim(mel)
        if vocoder == "hifigan":
            player = HiFiGan(n_mels=n_mels, channels=vocoder_channels, rates=vocoder_rates, kernels=vocoder_kernels)
        self.codec = MelCodec(mel, vae, player, frames=frames)
        self.unet = UNet(
            in_channels=z_channels,
            out_channels=z_channels,
            width=unet_width,
            channels=unet_channels,
            blocks=unet_blocks,
            groups=unet_groups,
            attention_levels=attention_levels,
            num_heads=[8 if quirks == "diffusers" else count // head_width for count in unet_channels],
            condition_width=condition_width,
        )
        self.clap: Clap | SmallClap | None = None
        if clap == "laion":
            self.clap = Clap(dim=condition_width)
        elif clap == "small":
            self.clap = SmallClap(caption_words() if words == "captions" else words, dim=condition_width, n_mels=n_mels)
        self.register_buffer("scale_factor", torch.ones(()))
        with torch.device("cpu"):  # a table that is read while building, also where no memory is given to weights
            schedule = NoiseSchedule.scaled_linear(steps=diffusion_steps, start=beta_start, end=beta_end)
        self.diffusion = Diffusion(schedule=schedule)
        self.options = {
            "mixup": mixup, "mixup_share": mixup_share, "text_share": text_share, "clips": clips,
            "clip_seconds": clip_seconds, "vae_steps": vae_steps, "clap_steps": clap_steps,
            "training_steps": training_steps, "vae_batch": vae_batch, "batch_size": batch_size, "vae_rate": vae_rate,
            "clap_rate": clap_rate, "learning_rate": learning_rate, "kl_weight": kl_weight,
            "vocoder_steps": vocoder_steps, "vocoder_batch": vocoder_batch, "vocoder_segment": vocoder_segment,
            "vocoder_rate": vocoder_rate, "vocoder_judges": vocoder_judges,
            "adversarial_from": adversarial_from, "warmup": warmup, "final_rate": final_rate, "ema": ema,
            "precision": precision,
        }  # fmt: skip

    def spelled_out(self) -> dict[str, Any]:
        """The words themselves."""
        return {"words": self.clap.vocabulary.words[2:]} if isinstance(self.clap, SmallClap) else {}

    @property
    def vae(self) -> MelVae:
        """The autoencoder of mel pictures."""
        return self.codec.vae

    @property
    def shortest_seconds(self) -> float:
        """Seconds that a recording must last to be trained on: half a clip; silence follows."""
        return 0.5 * self.frames / self.codec.mel.frame_rate

    @property
    def window(self) -> int:
        """Latent frames of a clip."""
        return self.frames // self.vae.time_reduction

    # Condition: the space of sound and text (section 2.1) -------------------------------------------------------------

    def vectors_of_text(self, texts: Sequence[str]) -> Float[Tensor, "batch dim"]:
        """Unit vectors of sentences; that of "" stands for no condition.

        Raises:
            OptionError: the system was made without towers.
        """
        return self._towers().embed_text(texts)

    def vectors_of_pictures(self, mel: Float[Tensor, "batch 1 frames n_mels"]) -> Float[Tensor, "batch dim"]:
        """Unit vectors of mel pictures; LAION's towers hear what the vocoder makes of them."""
        towers = self._towers()
        if isinstance(towers, SmallClap):
            return towers.embed_mel(mel)
        return towers.embed_audio(self.codec.sound(mel), self.rate)

    def _towers(self) -> Clap | SmallClap:
        if self.clap is None:
            raise OptionError("This system has no towers for sound and text; make it with clap='laion' or 'small'.")
        return self.clap

    # Objective (section 2.2) ------------------------------------------------------------------------------------------

    def loss(
        self,
        latents: Float[Tensor, "batch channels time bands"],
        vectors: Float[Tensor, "batch dim"],
        empty: Float[Tensor, "1 dim"],
    ) -> Loss:
        """Squared error of the predicted noise at a uniform step, some items told the empty text instead.

        Args:
            latents: as the autoencoder gives them; they are multiplied by `scale_factor` here.
            vectors: of their sound or captions.
            empty: the vector of the empty text.
        """
        kept = torch.rand(len(vectors), 1, device=vectors.device) >= self.dropout
        value = self.diffusion.loss(self.unet, latents * self.scale_factor, torch.where(kept, vectors, empty))
        return Loss(value, len(latents))

    # Training ---------------------------------------------------------------------------------------------------------

    def stages(self, train: Sequence[Piece], validation: Sequence[Piece]) -> list[Stage]:
        """Autoencoder, small towers, a vocoder that learns, diffusion; see `systems.musicldm_training`.

        Raises:
            InputError: the pieces have neither sound nor scores.
        """
        from orchestrion.systems.musicldm_training import stages

        return stages(self, train, validation)

    # Sampling (section 2.3) -------------------------------------------------------------------------------------------

    @torch.no_grad()
    def sample(
        self,
        vectors: Float[Tensor, "batch dim"],
        *,
        time: int | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        eta: float | None = None,
        unconditional: Float[Tensor, "1 dim"] | None = None,
        masked: Masked | None = None,
        generator: torch.Generator | None = None,
        progress: Progress | None = None,
    ) -> Float[Tensor, "batch channels time bands"]:
        """Latents by DDIM with guidance.

        Args:
            time: latent frames, those of a clip by default.
            unconditional: what guidance leads away from: the vector of the empty text by default, or of a negative
                prompt.
            masked: latents that are known in part, one for all or one an item.
        """
        if unconditional is None:
            unconditional = self.vectors_of_text([""])
        official = self.quirks == "official"
        step = 2 ** len(self.unet.shrink)
        time = (time or self.window) if masked is None else masked.known.shape[2]
        padding = -time % step
        known = mask = None
        if masked is not None:
            known = torch.nn.functional.pad(masked.known * self.scale_factor, (0, 0, 0, padding))
            mask = torch.nn.functional.pad(masked.mask, (0, 0, 0, padding))
            known = known.expand(len(vectors), *known.shape[1:])
        bands = self.codec.mel.n_mels // self.vae.reduction
        made = self.diffusion.sample(
            self.unet,
            (len(vectors), self.vae.latent_channels, time + padding, bands),
            vectors,
            steps=steps or self.sampling_steps,
            guidance=self.guidance if guidance is None else guidance,
            unconditional=unconditional,
            eta=self.eta if eta is None else eta,
            generator=generator,
            known=known,
            mask=mask,
            paste=not official,
            spacing="strided" if official else "leading",
            offset=1,
            end_at_first=True,
            progress=progress,
            device=self.device,
        )
        return made[:, :, :time] / self.scale_factor

    def choose(
        self, latents: Float[Tensor, "batch channels time bands"], vector: Float[Tensor, "1 dim"]
    ) -> tuple[int, list[float]]:
        """Which candidate sounds most like the text, and the cosine of each."""
        with torch.no_grad():
            heard = self.vectors_of_pictures(self.codec.decode_pictures(latents).to(self.device))
        scores = (heard @ vector.mT)[:, 0].tolist()
        return max(range(len(scores)), key=scores.__getitem__), scores

    # Tasks ------------------------------------------------------------------------------------------------------------

    def generate(
        self,
        prompt: str,
        *,
        n: int = 1,
        seed: int = 0,
        seconds: float | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        eta: float | None = None,
        negative: str = "",
        candidates: int | None = None,
        progress: Progress | None = None,
    ) -> list[Sound]:
        """Sounds of a sentence. What is longer than a clip is made window by window, each told the half before it.

        Args:
            steps, guidance, eta: of the sampler; the system's own by default.
            negative: what it shall not be.
            candidates: how many are made of each, of which the one closest to the text is kept.

        Raises:
            PromptError: a text is empty or too long.
            OptionError: a number is out of range.
        """
        if not prompt.strip():
            raise PromptError('The text is empty; say what the music should be, like "a slow tune on a flute".')
        filling.check_texts(prompt, negative)
        seconds = self.frames / self.codec.mel.frame_rate if seconds is None else seconds
        candidates = self.candidates if candidates is None else candidates
        self._check(seconds=seconds, steps=steps, guidance=guidance, eta=eta, candidates=candidates, n=n)
        vector, away = self.vectors_of_text([prompt]), self.vectors_of_text([negative])
        time = max(math.ceil(seconds * self.codec.mel.frame_rate / self.vae.time_reduction - 1e-6), 1)
        half = self.window // 2
        windows = 1 + max(-(-(time - self.window) // (self.window - half)), 0)
        total, done = n * windows, 0

        def told(step: int, of: int) -> None:
            if progress is not None:
                progress(done * of + step, total * of)

        settings: dict[str, Any] = {
            "steps": steps, "guidance": guidance, "eta": eta, "unconditional": away, "progress": told,
        }  # fmt: skip
        made = []
        for number in range(n):
            generator = torch.Generator().manual_seed(seed * 1_000_003 + number)
            tried = self.sample(vector.expand(candidates, -1), generator=generator, **settings)
            best, scores = self.choose(tried, vector)
            latents, done = tried[best : best + 1], done + 1
            while latents.shape[2] < time:
                masked = next_window(latents[:, :, -self.window :], kept=half)
                more = self.sample(vector, masked=masked, generator=generator, **settings)
                latents, done = torch.cat([latents, more[:, :, half:]], 2), done + 1
            wave = self.codec.decode_latents(latents[:, :, :time])[:, : round(seconds * self.rate)].float().numpy()
            report = {"candidates": [round(score, 4) for score in scores], "chosen": best, "negative": negative}
            made.append(Sound(Audio(self.finished(wave), self.rate), self.told(report)))
        return made

    def finished(self, wave: Float[np.ndarray, "channels samples"]) -> Float[np.ndarray, "channels samples"]:
        """Sound as it is given out: softer as a whole where its true peak lies above -1 dB; the published sampler cuts
        samples off at full scale."""
        return np.clip(wave, -1, 1) if self.quirks == "official" else at_safe_peak(wave)

    def told(self, report: dict[str, Any]) -> dict[str, Any]:
        """A report, with a note where a miniature made the sound."""
        return {**report, "unserved": [NOTE]} if isinstance(self.clap, SmallClap) else report

    def infill_sound(
        self,
        audio: Audio,
        prompt: str = "",
        *,
        start: float,
        end: float,
        above: float | None = None,
        negative: str = "",
        steps: int | None = None,
        guidance: float | None = None,
        eta: float | None = None,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Sound:
        """A recording whose span is made anew; see `systems.musicldm_filling.infill_sound`."""
        settings: dict[str, Any] = {"steps": steps, "guidance": guidance, "eta": eta}
        self._check(**settings)
        return filling.infill_sound(
            self, audio, prompt, start=start, end=end, above=above, negative=negative, seed=seed, progress=progress,
            **settings,
        )  # fmt: skip

    def continue_sound(
        self,
        audio: Audio,
        prompt: str = "",
        *,
        seconds: float,
        negative: str = "",
        steps: int | None = None,
        guidance: float | None = None,
        eta: float | None = None,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Sound:
        """A recording that goes on; see `systems.musicldm_filling.continue_sound`."""
        settings: dict[str, Any] = {"steps": steps, "guidance": guidance, "eta": eta}
        self._check(**settings)
        return filling.continue_sound(
            self, audio, prompt, seconds=seconds, negative=negative, seed=seed, progress=progress, **settings
        )

    def _check(self, **numbers: float | None) -> None:
        """Refuses settings out of range."""
        most = {
            "seconds": (0.1, filling.MOST_SECONDS), "steps": (1, len(self.diffusion.schedule.alphas_cumprod)),
            "guidance": (0.0, 100.0), "eta": (0.0, 1.0), "candidates": (1, 64), "n": (1, 64),
        }  # fmt: skip
        for name, value in numbers.items():
            low, high = most[name]
            if value is not None and not low <= value <= high:
                raise OptionError(f"{name} is {value:g}; give a number from {low:g} to {high:g}.")

    def encode(self, audio: Audio, *, seed: int = 0, progress: Progress | None = None) -> Latents:
        """Means of the latents of each channel; the seed changes nothing."""
        return self.codec.encode(audio, codec=self.identity, progress=progress)

    def decode(self, latents: Latents, *, seed: int = 0, progress: Progress | None = None) -> Audio:
        """The sound of latents; the seed changes nothing."""
        return self.codec.decode(latents, progress=progress)

    @torch.no_grad()
    def embed(
        self, audio: Audio, *, hop: float | None = None, pooling: str = "mean", progress: Progress | None = None
    ) -> Embeddings:
        """Unit vectors of windows of a clip's length, or their mean.

        Raises:
            OptionError: the pooling is unknown or the hop not above 0.
        """
        return filling.embed_windows(self, audio, hop=hop, pooling=pooling, space=self._space, progress=progress)

    @torch.no_grad()
    def embed_text(self, text: str) -> Embeddings:
        """The unit vector of a sentence."""
        return Embeddings(self.vectors_of_text([text]).cpu().numpy(), (0.0,), 0.0, self._space)

    @property
    def _space(self) -> str:
        return self.identity


MusicLDM.presets["mini_hifigan"] = {
    **MusicLDM.presets["mini"],
    "vocoder": "hifigan",
    "vocoder_channels": 128,
    "vocoder_steps": 2000,
    "vocoder_batch": 8,
    "vocoder_judges": 8,
}
