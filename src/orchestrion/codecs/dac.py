"""DAC: sound to residual codes with a small search space (Kumar et al. 2023, arXiv 2306.06546)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from jaxtyping import Float, Int, Shaped
from torch import Tensor
from torch.nn import functional

from orchestrion.codecs.snake_stream import QuantizedStream
from orchestrion.codecs.waveform_codec import WaveformCodec, check_codes, unit_reach
from orchestrion.nn.factorized_quantize import FactorizedCodes, FactorizedQuantizer
from orchestrion.nn.snake_autoencoder import SnakeDecoder, SnakeEncoder


class Dac(WaveformCodec):
    """Encoder, quantiser and decoder.

    Args:
        encoder_width: channels after the first convolution; they double with each stride.
        strides: of the encoder.
        decoder_width: channels of the decoder's first level; they halve with each rate.
        rates: of the decoder.
        latent: channels between; those of the encoder's last level by default.
        books, size, code_dim, dropout: of the quantiser.
        sample_rate: in Hz.
        window: frames that are worked on at once.
    """

    channels = 1

    def __init__(
        self,
        *,
        encoder_width: int,
        strides: Sequence[int],
        decoder_width: int,
        rates: Sequence[int],
        latent: int | None = None,
        books: int,
        size: int = 1024,
        code_dim: int | Sequence[int] = 8,
        dropout: float = 0.0,
        sample_rate: int,
        window: int = 860,
    ) -> None:
        super().__init__()
        widths = [encoder_width * 2**level for level in range(len(strides) + 1)]
        latent_dim = latent or widths[-1]
        self.encoder = SnakeEncoder(in_channels=1, widths=widths, strides=strides, latent=latent_dim)
        self.quantizer = FactorizedQuantizer(
            stages=books, size=size, dim=latent_dim, code_dim=code_dim, dropout=dropout
        )
        back = [decoder_width // 2**level for level in range(len(rates) + 1)]
        self.decoder = SnakeDecoder(latent=latent_dim, widths=back, rates=rates, out_channels=1)
        self.sample_rate, self.hop_length, self.books, self.size = sample_rate, prod(strides), books, size
        self.window, self.context = window, max(unit_reach(strides), unit_reach(rates[::-1]))

    def forward(
        self, wave: Float[Tensor, "batch 1 samples"], *, books: int | None = None
    ) -> tuple[Float[Tensor, "batch 1 made"], FactorizedCodes]:
        """The sound as it comes back (a few samples less where rates are odd), and its codes with their losses."""
        short = -wave.shape[-1] % self.hop_length
        coded = self.quantizer(self.encoder(functional.pad(wave, (0, short))), books)
        return self.decoder(coded.values)[..., : wave.shape[-1]], coded

    def frames_of(self, wave: Float[Tensor, "rows channels samples"]) -> Int[Tensor, "rows books frames"]:
        return self.quantizer(self.encoder(wave)).codes

    def wave_of(self, values: Shaped[Tensor, "rows dim frames"]) -> Float[Tensor, "rows channels samples"]:
        return self.decoder(self.quantizer.decode(values))

    def check(self, values: Shaped[Tensor, "rows dim frames"]) -> None:
        check_codes(values, books=self.books, size=self.size, name="This DAC")

    def stream(self) -> QuantizedStream:
        """A stream of one channel; with the last frames' worth of sound late, it gives what `decode` gives.

        Raises:
            OptionError: a stride is odd.
        """
        return QuantizedStream(
            self.encoder, self.decoder, hop_length=self.hop_length, channels=1,
            quantize=lambda z: self.quantizer(z).codes, restore=self.quantizer.decode,
        )  # fmt: skip


def dac_44k() -> Dac:
    """44.1 kHz, 86 frames a second, 9 books: 8 kbit/s. 76,651,890 parameters."""
    return Dac(
        encoder_width=64, strides=(2, 4, 8, 8), decoder_width=1536, rates=(8, 8, 4, 2), books=9, dropout=0.5,
        sample_rate=44100,
    )  # fmt: skip


def dac_24k() -> Dac:
    """24 kHz, 75 frames a second, 32 books: 24 kbit/s."""
    return Dac(
        encoder_width=64, strides=(2, 4, 5, 8), decoder_width=1536, rates=(8, 5, 4, 2), books=32, dropout=0.5,
        sample_rate=24000, window=750,
    )  # fmt: skip


def dac_16k() -> Dac:
    """16 kHz, 50 frames a second, 12 books: 6 kbit/s."""
    return Dac(
        encoder_width=64, strides=(2, 4, 5, 8), decoder_width=1536, rates=(8, 5, 4, 2), books=12, dropout=0.5,
        sample_rate=16000, window=500,
    )  # fmt: skip
