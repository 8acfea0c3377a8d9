"""A mel spectrogram as the input of a network, in as many frames as a convolution of its hop would give."""

from __future__ import annotations

from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from orchestrion.analysis.spectra import MelSpectrogram


class MelFront(nn.Module):
    """log(1 + mel), with power spectra divided by the power of the window and filters of HTK, as torchaudio has them.

    Args:
        sample_rate: Hz.
        bands: mel bands.
        size, hop: of the transform.
        edges: what lies beyond the ends of the sound: "constant" (zeros, which a stream can know) or "reflect".
        centred: frame k is centred on sample k · hop and the last frame is left out; otherwise it begins there.
    """

    def __init__(
        self,
        *,
        sample_rate: int,
        bands: int,
        size: int,
        hop: int,
        edges: Literal["constant", "reflect"] = "constant",
        centred: bool = True,
    ) -> None:
        super().__init__()
        self._sizes: dict[str, Any] = {"sample_rate": sample_rate, "bands": bands, "size": size, "hop": hop}
        self.centred = centred
        self.spectrum = MelSpectrogram(
            sample_rate=sample_rate, n_fft=size, hop_length=hop, n_mels=bands, mel_scale="htk", norm=None,
            center=centred, pad_mode=edges,
        )  # fmt: skip
        self.power = 0.375 * size  # of a Hann window

    def forward(self, x: Float[Tensor, "batch channels samples"]) -> Float[Tensor, "batch wide frames"]:
        mel = torch.log1p(self.spectrum(x) / self.power).flatten(1, 2)
        return mel[..., :-1] if self.centred else mel

    def inner(self) -> MelFront:
        """The same for frames that are not centred."""
        return MelFront(**self._sizes, centred=False).to(self.spectrum.filters.device)
