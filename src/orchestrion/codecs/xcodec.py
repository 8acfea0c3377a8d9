"""X-Codec: residual codes that carry meaning as well as sound, since features of a speech model enter the quantiser (Ye
et al. 2024, arXiv 2408.17175)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2, prod

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn
from torch.nn import functional

from orchestrion.codecs.waveform_codec import WaveformCodec, check_codes
from orchestrion.errors import OptionError
from orchestrion.nn.quantize import Quantized, ResidualQuantizer
from orchestrion.nn.semantic_convolutions import FeatureDecoder, FeatureEncoder
from orchestrion.nn.snake_autoencoder import SnakeDecoder, SnakeEncoder

EDGE = 160  # zeros on both sides of what the speech model hears


@dataclass(frozen=True, slots=True)
class XCodecOutput:
    """What training needs.

    Attributes:
        wave: the sound as it comes back.
        features, restored: of the speech model, and as they come back; their squared distance is the semantic loss.
        quantized: codes and commitment.
    """

    wave: Float[Tensor, "batch 1 samples"]
    features: Float[Tensor, "batch width frames"]
    restored: Float[Tensor, "batch width frames"]
    quantized: Quantized


class XCodec(WaveformCodec):
    """DAC's encoder and decoder, a frozen speech model, and one quantiser for both.

    Args:
        encoder_width: channels after the encoder's first convolution; they double with each stride.
        strides: of the encoder, in its order, and rates of the decoder.
        latent: channels of the acoustic latents.
        decoder_width: channels of the decoder's first level; they halve with each rate.
        semantic: the speech model, a `HubertModel` or `WavLMModel` of transformers, of which the mean of all hidden
            states is used.
        semantic_width: channels of its hidden states.
        books, size: of the quantiser.
        bandwidths: bit rates in kbit/s that it is made for; the highest is the default.
        sample_rate: in Hz.
        dead_below, quirks: of the codebooks.
        window: frames that are worked on at once.
    """

    channels = 1

    def __init__(
        self,
        *,
        encoder_width: int,
        strides: Sequence[int],
        latent: int,
        decoder_width: int,
        semantic: nn.Module,
        semantic_width: int,
        books: int,
        size: int,
        bandwidths: Sequence[float],
        sample_rate: int = 16000,
        dead_below: float = 2.0,
        quirks: str = "none",
        window: int = 500,
    ) -> None:
        super().__init__()
        widths = [encoder_width * 2**level for level in range(len(strides) + 1)]
        back = [decoder_width // 2**level for level in range(len(strides) + 1)]
        both = latent + semantic_width
        self.encoder = SnakeEncoder(in_channels=1, widths=widths, strides=strides, latent=latent)
        self.semantic = semantic.eval().requires_grad_(False)
        self.feature_encoder, self.feature_decoder = FeatureEncoder(semantic_width), FeatureDecoder(semantic_width)
        self.join, self.to_features, self.to_latent = (
            nn.Linear(both, both), nn.Linear(both, semantic_width), nn.Linear(both, latent)
        )  # fmt: skip
        self.quantizer = ResidualQuantizer(stages=books, size=size, dim=both, dead_below=dead_below, quirks=quirks)
        self.decoder = SnakeDecoder(
            latent=latent, widths=back, rates=strides, out_channels=1, full_length=True, tanh=False
        )
        self.sample_rate, self.hop_length, self.books, self.size = sample_rate, prod(strides), books, size
        self.bandwidths, self.bandwidth = tuple(bandwidths), max(bandwidths)
        self.window, self.context = window, round(self.frame_rate)  # a second

    def train(self, mode: bool = True) -> XCodec:
        """The speech model never trains."""
        super().train(mode)
        self.semantic.eval()
        return self

    def books_at(self, bandwidth: float) -> int:
        """Books that fit a bit rate in kbit/s; at least one."""
        return min(max(1, int(bandwidth / (log2(self.size) * self.frame_rate / 1000))), self.books)

    @torch.no_grad()
    def features(self, wave: Float[Tensor, "batch 1 samples"]) -> Float[Tensor, "batch width frames"]:
        """Mean of the hidden states of all layers of the speech model, the embedding among them. The sound is not
        normalised."""
        heard = self.semantic(functional.pad(wave[:, 0], (EDGE, EDGE)), output_hidden_states=True)
        return torch.stack(list(heard.hidden_states)).mean(0).mT

    def prior(
        self, wave: Float[Tensor, "batch 1 samples"], features: Float[Tensor, "batch width frames"]
    ) -> Float[Tensor, "batch both frames"]:
        """What is quantised. Where the encoder and the speech model disagree by a frame, the encoder hears the padded
        sound as well.

        Raises:
            OptionError: they still disagree.
        """
        semantic, acoustic = self.feature_encoder(features), self.encoder(wave)
        if acoustic.shape[-1] != semantic.shape[-1]:
            acoustic = self.encoder(functional.pad(wave, (EDGE, EDGE)))
        if acoustic.shape[-1] != semantic.shape[-1]:
            raise OptionError(
                f"The encoder gives {acoustic.shape[-1]} frames and the speech model {semantic.shape[-1]}; "
                f"give a sound of a multiple of {self.hop_length} samples."
            )
        return self.join(torch.cat([acoustic, semantic], 1).mT).mT

    def forward(self, wave: Float[Tensor, "batch 1 samples"], *, bandwidth: float | None = None) -> XCodecOutput:
        """Codes a sound and plays it back."""
        features = self.features(wave)
        stages = self.books_at(self.bandwidth if bandwidth is None else bandwidth)
        quantized = self.quantizer(self.prior(wave, features), stages)
        restored = self.feature_decoder(self.to_features(quantized.values.mT).mT)
        return XCodecOutput(self.play(quantized.values), features, restored, quantized)

    def codes(
        self, wave: Float[Tensor, "batch 1 samples"], *, bandwidth: float | None = None
    ) -> Int[Tensor, "batch books frames"]:
        """Codes of a sound, any number of items at once."""
        stages = self.books_at(self.bandwidth if bandwidth is None else bandwidth)
        return self.quantizer(self.prior(wave, self.features(wave)), stages).codes

    def play(self, values: Float[Tensor, "batch both frames"]) -> Float[Tensor, "batch 1 samples"]:
        """The sound of summed code vectors."""
        return self.decoder(self.to_latent(values.mT).mT)

    def frames_of(self, wave: Float[Tensor, "rows channels samples"]) -> Int[Tensor, "rows books frames"]:
        return self.codes(wave)

    def wave_of(self, values: Shaped[Tensor, "rows dim frames"]) -> Float[Tensor, "rows channels samples"]:
        return self.play(self.quantizer.decode(values))

    def check(self, values: Shaped[Tensor, "rows dim frames"]) -> None:
        check_codes(values, books=self.books, size=self.size, name="This X-Codec")


def xcodec_general() -> XCodec:
    """16 kHz, 50 frames a second, 8 books of 1024 codes, with HuBERT-base: 0.5 to 4 kbit/s. 160,715,330 parameters."""
    from transformers import HubertConfig, HubertModel

    return XCodec(
        encoder_width=64, strides=(8, 5, 4, 2), latent=256, decoder_width=1024, semantic=HubertModel(HubertConfig()),
        semantic_width=768, books=8, size=1024, bandwidths=(0.5, 1, 1.5, 2, 4),
    )  # fmt: skip
