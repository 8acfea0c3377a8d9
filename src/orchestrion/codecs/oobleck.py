"""Oobleck: stereo sound to Gaussian latents, the autoencoder of Stable Audio 2 (Evans et al. 2024, arXiv 2404.10301,
section 2.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn import functional

from orchestrion.codecs.snake_stream import QuantizedStream
from orchestrion.codecs.waveform_codec import WaveformCodec, unit_reach
from orchestrion.errors import InputError
from orchestrion.nn.snake_autoencoder import SnakeDecoder, SnakeEncoder
from orchestrion.paradigms.variational import gaussian_kl, reparameterize


@dataclass(frozen=True, slots=True)
class Posterior:
    """Means and standard deviations of latents."""

    mean: Float[Tensor, "batch dim frames"]
    scale: Float[Tensor, "batch dim frames"]

    def sample(self, generator: torch.Generator | None = None) -> Float[Tensor, "batch dim frames"]:
        """One draw."""
        return reparameterize(self.mean, self.scale, generator=generator)

    def kl(self) -> Float[Tensor, ""]:
        """Divergence from the unit Gaussian: Σ over dimensions without ½, mean over items and frames."""
        return gaussian_kl(self.mean, self.scale, convention="rave")


class Oobleck(WaveformCodec):
    """Encoder, Gaussian bottleneck and decoder.

    Args:
        sound_channels: of the sound.
        width: channels next to the sound.
        multipliers: of the width after each level.
        strides: of the levels.
        latent: dimensions; the encoder gives means and raw scales of as many.
        act: "snake_beta" or "elu".
        out_channels, decoder_width, decoder_multipliers, decoder_act: of the decoder, where they differ from those of
            the encoder. With other channels the sound comes back with as many for each that are coded together.
        tanh: at the end of the decoder.
        sample_rate: in Hz.
        window: frames that are worked on at once.
    """

    def __init__(
        self,
        *,
        sound_channels: int,
        width: int,
        multipliers: Sequence[int],
        strides: Sequence[int],
        latent: int,
        act: str = "snake_beta",
        out_channels: int | None = None,
        decoder_width: int | None = None,
        decoder_multipliers: Sequence[int] | None = None,
        decoder_act: str | None = None,
        tanh: bool = False,
        sample_rate: int = 44100,
        window: int = 256,
    ) -> None:
        super().__init__()
        widths = [width, *(width * factor for factor in multipliers)]
        back = decoder_width or width
        back_widths = [*(back * factor for factor in (decoder_multipliers or multipliers)[::-1]), back]
        self.encoder = SnakeEncoder(
            in_channels=sound_channels, widths=widths, strides=strides, latent=2 * latent, act=act
        )
        self.decoder = SnakeDecoder(
            latent=latent, widths=back_widths, rates=tuple(strides)[::-1], out_channels=out_channels or sound_channels,
            act=decoder_act or act, last_bias=False, tanh=tanh,
        )  # fmt: skip
        self.sample_rate, self.channels, self.hop_length, self.latent = (
            sample_rate,
            sound_channels,
            prod(strides),
            latent,
        )
        self.window, self.context = window, unit_reach(strides)

    def posterior(self, wave: Float[Tensor, "batch channels samples"]) -> Posterior:
        """The distribution of the latents of a sound; σ = softplus(s) + 1e-4."""
        return self.bottleneck(self.encoder(wave))

    @staticmethod
    def bottleneck(raw: Float[Tensor, "batch wide frames"]) -> Posterior:
        """What the encoder's output means."""
        mean, scale = raw.chunk(2, 1)
        return Posterior(mean, functional.softplus(scale) + 1e-4)

    def frames_of(self, wave: Float[Tensor, "rows channels samples"]) -> Float[Tensor, "rows dim frames"]:
        """The means."""
        return self.posterior(wave).mean

    def wave_of(self, values: Shaped[Tensor, "rows dim frames"]) -> Float[Tensor, "rows channels samples"]:
        return self.decoder(values)

    def check(self, values: Shaped[Tensor, "rows dim frames"]) -> None:
        if not values.is_floating_point() or values.shape[1] != self.latent:
            raise InputError(f"This autoencoder decodes {self.latent} real numbers a frame, not {values.shape[1]}; "
                             "decode them with the codec that made them.")  # fmt: skip

    def stream(self) -> QuantizedStream:
        """A stream of all channels together.

        Raises:
            OptionError: a stride is odd.
        """
        return QuantizedStream(
            self.encoder, self.decoder, hop_length=self.hop_length, channels=self.channels,
            quantize=lambda raw: self.bottleneck(raw).mean, restore=lambda z: z,
        )  # fmt: skip


def stable_audio_2() -> Oobleck:
    """44.1 kHz stereo, 21.5 frames of 64 numbers a second. 156,112,514 parameters."""
    return Oobleck(sound_channels=2, width=128, multipliers=(1, 2, 4, 8, 16), strides=(2, 4, 4, 8, 8), latent=64)
