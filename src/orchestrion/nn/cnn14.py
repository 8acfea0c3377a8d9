"""CNN14 of PANNs: sounds to 2048 numbers and the tags of AudioSet (Kong et al. 2020, arXiv 1912.10211)."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, dropout

from orchestrion.analysis.spectra import MelSpectrogram

CHANNELS = (64, 128, 256, 512, 1024, 2048)
CLASSES = 527  # of AudioSet


@dataclass(frozen=True, slots=True)
class Tagged:
    """What CNN14 hears in a batch of sounds: [batch, width] embedding after the ReLU, and [batch, classes] logits."""

    embedding: Tensor
    logits: Tensor


class ConvBlock(nn.Module):
    """Two convolutions of 3 × 3 with batch normalisation and ReLU, then the mean of 2 × 2 or nothing."""

    def __init__(self, before: int, after: int, *, pool: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(after)
        self.norm2 = nn.BatchNorm2d(after)
        self.pool = pool

    def forward(self, x: Float[Tensor, "batch before time bands"]) -> Float[Tensor, "batch after shorter fewer"]:
        x = self.norm2(self.conv2(self.norm1(self.conv1(x)).relu())).relu()
        return avg_pool2d(x, self.pool) if self.pool > 1 else x


class Cnn14(nn.Module):
    """Log-mel spectrogram, six blocks, maximum plus mean over time, a hidden layer, tags.

    Args:
        sample_rate: Hz.
        n_fft, hop_length: samples.
        n_mels, f_min, f_max: of the mel bands.
        channels: of the blocks.
        classes: number of tags.
    """

    def __init__(
        self,
        *,
        sample_rate: int,
        n_fft: int,
        hop_length: int,
        n_mels: int,
        f_min: float,
        f_max: float,
        channels: tuple[int, ...] = CHANNELS,
        classes: int = CLASSES,
    ) -> None:
        super().__init__()
        self.mel = MelSpectrogram(
            sample_rate=sample_rate,
            n_fft=n_fft,
            hop_length=hop_length,
            n_mels=n_mels,
            f_min=f_min,
            f_max=f_max,
            compression="db",
        )
        self.sample_rate = sample_rate
        self.norm = nn.BatchNorm2d(n_mels)
        last = len(channels) - 1
        self.blocks = nn.ModuleList(
            ConvBlock(before, after, pool=1 if place == last else 2)
            for place, (before, after) in enumerate(zip((1, *channels[:-1]), channels, strict=True))
        )
        self.hidden = nn.Linear(channels[-1], channels[-1])
        self.tags = nn.Linear(channels[-1], classes)

    @property
    def samples(self) -> int:
        """The fewest samples that leave one frame after the pooling."""
        return (2 ** (len(self.blocks) - 1) - 1) * self.mel.stft.hop_length

    def forward(self, waveform: Float[Tensor, "batch samples"]) -> Tagged:
        """Of waveforms of one length.

        Raises:
            ValueError: they are shorter than `samples`.
        """
        if waveform.shape[-1] < self.samples:
            raise ValueError(f"CNN14 needs {self.samples} samples, not {waveform.shape[-1]}")
        x = self.norm(self.mel(waveform)[..., None]).permute(0, 3, 2, 1)
        for block in self.blocks:
            x = dropout(block(x), 0.2, self.training)
        x = x.mean(3)
        x = dropout(x.amax(2) + x.mean(2), 0.5, self.training)
        embedding = self.hidden(x).relu()
        return Tagged(embedding, self.tags(dropout(embedding, 0.5, self.training)))


def cnn14() -> Cnn14:
    """The published network at 32 kHz."""
    return Cnn14(sample_rate=32000, n_fft=1024, hop_length=320, n_mels=64, f_min=50.0, f_max=14000.0)


def cnn14_16k() -> Cnn14:
    """The published network at 16 kHz, which MusicLDM, AudioLDM and Tango are measured with."""
    return Cnn14(sample_rate=16000, n_fft=512, hop_length=160, n_mels=64, f_min=50.0, f_max=8000.0)
