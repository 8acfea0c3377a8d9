"""Sound ↔ latents of mel pictures: front end, autoencoder and vocoder as one codec, for sound of any length."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from orchestrion.analysis.spectra import MelSpectrogram, audioldm_waveform
from orchestrion.codecs.codec import Latents, Stream
from orchestrion.codecs.mel_vae import MelVae
from orchestrion.errors import InputError, OptionError
from orchestrion.media.audio import Audio
from orchestrion.media.loudness import at_safe_peak

Progress = Callable[[int, int], None]
CONTEXT = 8  # latent frames around a stretch that is decoded, as far as a decoder looks with some strength
FADE = 32  # mel frames on both sides of a stretch that the vocoder sees and that are cut off


class MelCodec(nn.Module):
    """Long sound is worked on in windows of `frames` mel frames, so that memory stays the same.

    Args:
        mel: the front end.
        vae: the autoencoder.
        vocoder: mel frames [batch, bands, frames] → samples.
        frames: of a window; a multiple of the autoencoder's reduction.
    """

    def __init__(self, mel: MelSpectrogram, vae: MelVae, vocoder: nn.Module, *, frames: int) -> None:
        super().__init__()
        self.mel, self.vae, self.vocoder, self.frames = mel, vae, vocoder, frames

    @property
    def hop_length(self) -> int:
        """Samples a mel frame."""
        return self.mel.stft.hop_length

    def pictures(self, waves: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch 1 frames n_mels"]:
        """Log-mel pictures of normalised sounds, a frame for each whole hop."""
        frames = waves.shape[1] // self.hop_length
        return self.mel(waves).mT[:, None, :frames]

    def sound(self, mel: Float[Tensor, "batch 1 frames n_mels"]) -> Float[Tensor, "batch samples"]:
        """What pictures sound like, hop_length samples a frame."""
        return self.vocoder(mel[:, 0].mT)[:, : mel.shape[2] * self.hop_length]

    @torch.no_grad()
    def encode(self, audio: Audio, *, codec: str = "", progress: Progress | None = None) -> Latents:
        """Means of the latents of each channel on its own, the bands after one another: dim = latent channels · bands.

        Each channel is brought to a peak of one half first, as the autoencoder was trained.

        Raises:
            InputError: there is no sound.
        """
        if audio.samples.shape[1] == 0:
            raise InputError("The sound has no samples; give one that has.")
        waves = audioldm_waveform(torch.from_numpy(audio.resample(self.mel.sample_rate).samples))
        window = self.frames * self.hop_length
        total = -(-waves.shape[1] // window)
        device = next(self.vae.parameters()).device
        parts = []
        for number in range(total):
            stretch = waves[:, number * window : (number + 1) * window]
            stretch = nn.functional.pad(stretch, (0, self._rounded(stretch.shape[1]) - stretch.shape[1]))
            parts.append(self.vae.encode(self.pictures(stretch.to(device))).mean.cpu())
            if progress is not None:
                progress(number + 1, total)
        latents = torch.cat(parts, 2).transpose(2, 3).flatten(1, 2)
        rate = self.mel.frame_rate / self.vae.time_reduction
        return Latents(latents.numpy(), rate, audio.rate, audio.samples.shape[1], codec)

    def _rounded(self, samples: int) -> int:
        block = self.hop_length * self.vae.time_reduction
        return max(-(-samples // block), 1) * block

    @torch.no_grad()
    def decode(self, latents: Latents, *, progress: Progress | None = None) -> Audio:
        """The sound at its former rate and length; its level is the one that the autoencoder was trained on, or softer
        where a true peak would lie above -1 dB.

        Raises:
            InputError: the latents do not fit the autoencoder.
        """
        dim = latents.values.shape[1]
        if dim % self.vae.latent_channels or not np.issubdtype(latents.values.dtype, np.floating):
            raise InputError(f"Latents of {dim} numbers a frame are not of this codec; decode them with their own.")
        z = torch.from_numpy(np.ascontiguousarray(latents.values)).float()
        z = z.unflatten(1, (self.vae.latent_channels, -1)).transpose(2, 3)
        wave = self.decode_latents(z, progress=progress)
        audio = Audio(at_safe_peak(wave.float().numpy()), self.mel.sample_rate).resample(latents.sample_rate)
        short = max(latents.samples - audio.samples.shape[1], 0)
        samples = np.pad(audio.samples, ((0, 0), (0, short)))[:, : latents.samples]
        return Audio(np.ascontiguousarray(samples), audio.rate)

    @torch.no_grad()
    def decode_latents(
        self, z: Float[Tensor, "batch channels time bands"], *, progress: Progress | None = None
    ) -> Float[Tensor, "batch samples"]:
        """Sound of latents of any length."""
        return self.vocode(self.decode_pictures(z), progress=progress)

    @torch.no_grad()
    def decode_pictures(self, z: Float[Tensor, "batch channels time bands"]) -> Float[Tensor, "batch 1 frames n_mels"]:
        """Pictures of latents of any length: stretch by stretch, each with a little of its neighbours."""
        device, step = next(self.vae.parameters()).device, self.frames // self.vae.time_reduction
        if z.shape[2] <= step:
            return self.vae.decode(z.to(device)).cpu()
        parts = []
        for start in range(0, z.shape[2], step):
            end = min(start + step, z.shape[2])
            first, last = max(start - CONTEXT, 0), min(end + CONTEXT, z.shape[2])
            made = self.vae.decode(z[:, :, first:last].to(device)).cpu()
            cut = (start - first) * self.vae.time_reduction
            parts.append(made[:, :, cut : cut + (end - start) * self.vae.time_reduction])
        return torch.cat(parts, 2)

    @torch.no_grad()
    def vocode(
        self, mel: Float[Tensor, "batch 1 frames n_mels"], *, progress: Progress | None = None
    ) -> Float[Tensor, "batch samples"]:
        """Sound of pictures of any length."""
        device, total = next(self.vae.parameters()).device, mel.shape[2]
        parts = []
        for start in range(0, total, self.frames):
            end = min(start + self.frames, total)
            first, last = max(start - FADE, 0), min(end + FADE, total)
            made = self.sound(mel[:, :, first:last].to(device)).cpu()
            cut = (start - first) * self.hop_length
            parts.append(made[:, cut : cut + (end - start) * self.hop_length])
            if progress is not None:
                progress(end, total)
        return torch.cat(parts, 1)

    def stream(self) -> Stream:
        """There is none: attention and group norms look over a whole window.

        Raises:
            OptionError: always.
        """
        raise OptionError("The mel codec cannot work block by block; encode whole files, in constant memory as well.")
