"""The filter bank, and spectra, block by block."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from orchestrion.analysis.pqmf import Pqmf, from_frames, to_frames, turned_bands
from orchestrion.analysis.spectra import MelSpectrogram
from orchestrion.errors import OptionError
from orchestrion.nn.convolution import Conv1d, delayed_frames
from orchestrion.nn.streaming import Place, Plan, StreamedConv1d


def _convolution(weight: Tensor, pads: tuple[int, int], channels: int, plan: Plan, place: Place):
    wide, _, taps = weight.shape
    conv = Conv1d(wide * channels, wide * channels, taps, groups=channels, bias=False, padding=pads)
    conv.weight.data = weight.repeat(channels, 1, 1)
    return StreamedConv1d.of(conv, plan, place)


def _even(place: Place) -> None:
    if place.rate % 2:
        raise OptionError("A network with an odd number of sub-band frames a step cannot work block by block.")


class StreamedAnalysis(nn.Module):
    """`Pqmf.analyse` of waveforms [batch, channels, samples]."""

    def __init__(self, pqmf: Pqmf, plan: Plan, place: Place, *, channels: int) -> None:
        super().__init__()
        _even(place)
        self.bands = pqmf.bands
        self.conv, self.place = _convolution(pqmf.analysis_weight, pqmf.analysis_pads, channels, plan, place)
        turned = turned_bands(torch.zeros(1, channels * pqmf.bands, 2), pqmf.bands, first=self.place.late)
        self.register_buffer("turned", turned, persistent=False)

    def forward(self, x: Tensor, state: list[Tensor], present: Tensor) -> Tensor:
        return _turn(self.conv(to_frames(x, self.bands), state, present), self.get_buffer("turned"))


class StreamedSynthesis(nn.Module):
    """`Pqmf.synthesise`."""

    def __init__(self, pqmf: Pqmf, plan: Plan, place: Place, *, channels: int) -> None:
        super().__init__()
        _even(place)
        self.bands = pqmf.bands
        turned = turned_bands(
            torch.zeros(1, channels * pqmf.bands, 2), pqmf.bands, first=place.late if plan.exact else 0
        )
        self.register_buffer("turned", turned, persistent=False)
        self.conv, self.place = _convolution(pqmf.synthesis_weight, pqmf.synthesis_pads, channels, plan, place)

    def forward(self, x: Tensor, state: list[Tensor], present: Tensor) -> Tensor:
        return from_frames(self.conv(_turn(x, self.get_buffer("turned")), state, present), self.bands)


def _turn(bands: Tensor, turned: Tensor) -> Tensor:
    """Signs of odd bands changed in every second frame, of which a block has an even number."""
    batch, wide, frames = bands.shape
    return (bands.reshape(batch, wide, frames // 2, 2) * turned[:, None]).reshape(batch, wide, frames)


class StreamedMel(nn.Module):
    """A mel spectrogram whose frames are centred on multiples of the hop, with zeros beyond the ends and without the
    last frame, as `front` computes it from one that is not centred.

    Args:
        front: with ``center=False``.
        place: of the samples.
    """

    def __init__(self, front: nn.Module, mel: MelSpectrogram, plan: Plan, place: Place, *, channels: int) -> None:
        super().__init__()
        self.front = front
        size, hop = mel.stft.n_fft, mel.stft.hop_length
        late, self.held = delayed_frames(size, hop, place.late, size // 2)
        self.spare = self.held + hop - size
        self.slot = plan.slot(channels, self.held)
        self.place = Place(place.rate // hop, late)

    def forward(self, x: Tensor, state: list[Tensor], present: Tensor) -> Tensor:
        line = torch.cat([state[self.slot], x], -1)
        state[self.slot] = line[..., x.shape[-1] :].clone()
        return self.front(line[..., : line.shape[-1] - self.spare])
