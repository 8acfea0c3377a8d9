"""Chroma as a torch module: how strong each pitch class is, folded from a linear spectrum."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad

from orchestrion.analysis.spectra import Stft
from orchestrion.errors import OptionError

NORMS = ("max", "none")


class Chromagram(nn.Module):
    """Waveform → pitch classes over time, C first.

    The defaults are those of MusicGen's melody condition (arXiv 2306.05284): windows of 2^14 samples, a quarter of it
    as hop; power spectrum, folded by the filters of `librosa.filters.chroma`.

    Args:
        sample_rate: Hz.
        n_fft: samples of a window.
        hop_length: samples; a quarter of n_fft by default.
        n_chroma: classes of an octave.
        tuning: of A4 = 440 Hz, in fractions of a class.
        norm: "max" divides each frame by its greatest value (not less than `epsilon`); "none".
    """

    filters: Tensor

    def __init__(
        self,
        *,
        sample_rate: int,
        n_fft: int = 16384,
        hop_length: int | None = None,
        n_chroma: int = 12,
        tuning: float = 0.0,
        norm: str = "max",
        epsilon: float = 1e-6,
    ) -> None:
        super().__init__()
        if norm not in NORMS:
            raise OptionError(f"The norm of chroma {norm!r} is unknown; choose one of {', '.join(NORMS)}.")
        import librosa

        self.norm, self.epsilon = norm, epsilon
        hop_length = n_fft // 4 if hop_length is None else hop_length
        self.stft = Stft(n_fft=n_fft, hop_length=hop_length, normalized=True)
        weights = librosa.filters.chroma(sr=sample_rate, n_fft=n_fft, n_chroma=n_chroma, tuning=tuning)
        self.register_buffer("filters", torch.from_numpy(weights).float(), persistent=False)

    def forward(self, waveform: Float[Tensor, "*batch samples"]) -> Float[Tensor, "*batch n_chroma frames"]:
        """The chromagram. Sound shorter than a window is set in the middle of one.

        Raises:
            ValueError: there are no samples.
        """
        missing = max(self.stft.n_fft - waveform.shape[-1], 0)
        if missing and waveform.shape[-1]:
            waveform = pad(waveform, (missing // 2, missing - missing // 2))
        power = torch.view_as_real(self.stft(waveform)).square().sum(-1)
        chroma = self.filters.to(waveform.dtype) @ power
        return chroma / chroma.amax(-2, keepdim=True).clamp(min=self.epsilon) if self.norm == "max" else chroma
