"""From a mel spectrogram to sound without learning: the bands are spread over frequencies, then phases are found that
fit (Griffin & Lim 1984; the fast form of Perraudin et al. 2013)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from orchestrion.analysis.spectra import MelSpectrogram


class GriffinLim(nn.Module):
    """Log-mel frames → samples, `hop_length` of them a frame.

    Args:
        mel: the spectrogram that is undone; its magnitudes must be compressed by the natural logarithm or not at all.
        iterations: of the search for phases.
        momentum: 0 for the slow form.
        spreads: multiplicative steps that make the magnitudes fit the bands (Lee & Seung 2001).
        seed: of the phases it starts from, so that the same frames give the same samples.
    """

    def __init__(
        self, mel: MelSpectrogram, *, iterations: int = 32, momentum: float = 0.99, spreads: int = 30, seed: int = 0
    ) -> None:
        super().__init__()
        if mel.power != 1 or mel.compression not in ("log", "none"):
            raise ValueError("only mel spectrograms of magnitudes, plain or as natural logarithms, can be undone")
        self.mel = mel
        self.hop_length = mel.stft.hop_length
        self.iterations, self.momentum, self.spreads, self.seed = iterations, momentum, spreads, seed

    @torch.no_grad()
    def forward(self, mel: Float[Tensor, "batch n_mels frames"]) -> Float[Tensor, "batch samples"]:
        """Samples, hop_length · frames of them."""
        magnitudes = self.magnitudes(mel.exp() if self.mel.compression == "log" else mel)
        length = mel.shape[-1] * self.hop_length
        # The forward transform has a frame more than the picture, which is cut where the sound ends.
        magnitudes = torch.cat([magnitudes, magnitudes[..., -1:]], -1)
        generator = torch.Generator().manual_seed(self.seed)
        angles = torch.rand(magnitudes.shape[1:], generator=generator).to(magnitudes) * (2 * torch.pi)
        phases = torch.polar(torch.ones_like(angles), angles).expand(magnitudes.shape)
        stft, before = self.mel.stft, torch.zeros_like(phases)
        for _ in range(self.iterations):
            rebuilt = stft(stft.inverse(magnitudes * phases, length=length))[..., : magnitudes.shape[-1]]
            phases = rebuilt - self.momentum / (1 + self.momentum) * before
            phases = phases / phases.abs().clamp(min=1e-12)
            before = rebuilt
        return stft.inverse(magnitudes * phases, length=length)

    def magnitudes(self, bands: Float[Tensor, "batch n_mels frames"]) -> Float[Tensor, "batch bins frames"]:
        """Magnitudes ≥ 0 whose bands come close to those given."""
        filters = self.mel.filters
        wanted = filters.T @ bands
        found = (wanted / filters.sum(0).clamp(min=1e-8)[:, None]).clamp(min=1e-8)
        for _ in range(self.spreads):
            found = found * wanted / (filters.T @ (filters @ found)).clamp(min=1e-8)
        return found
