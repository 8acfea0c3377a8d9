"""Spectrogram front ends as torch modules: complex STFT and mel, with the settings of the published systems by name.

All are differentiable, hold no learned numbers, and put nothing into a state dict.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn
from torch.nn.functional import fold, pad

from orchestrion.analysis.mel_filters import mel_filters
from orchestrion.errors import OptionError
from orchestrion.media.audio import Audio

PAD_MODES = ("reflect", "constant")
COMPRESSIONS = ("none", "log", "log10", "db")
EDGES = ("exact", "steady")


class Stft(nn.Module):
    """Waveform ↔ complex short-time spectrum, with a periodic Hann window.

    Args:
        n_fft: samples of the transform.
        hop_length: samples from frame to frame.
        win_length: samples of the window, in the middle of the transform; n_fft by default.
        center: frame k is centred on sample k · hop_length; otherwise it begins there.
        pad_mode: what lies beyond the ends: "reflect" or "constant" (zeros).
        padding: samples added at each end; n_fft // 2 with `center`, else none, unless given.
        normalized: divides by √Σ window².
        edges: how the inverse treats the ends, where fewer frames overlap: "exact" divides by what overlaps, "steady"
            by what overlaps in the middle, so that the ends fade.
    """

    window: Tensor

    def __init__(
        self,
        *,
        n_fft: int,
        hop_length: int,
        win_length: int | None = None,
        center: bool = True,
        pad_mode: str = "reflect",
        padding: int | None = None,
        normalized: bool = False,
        edges: str = "exact",
    ) -> None:
        super().__init__()
        win_length = n_fft if win_length is None else win_length
        if hop_length < 1 or not 0 < win_length <= n_fft:
            raise OptionError(f"A window of {win_length} and hop of {hop_length} samples do not fit n_fft {n_fft}.")
        if pad_mode not in PAD_MODES or edges not in EDGES:
            raise OptionError(f"pad_mode must be one of {', '.join(PAD_MODES)} and edges one of {', '.join(EDGES)}.")
        self.n_fft, self.hop_length, self.pad_mode, self.edges = n_fft, hop_length, pad_mode, edges
        self.padding = (n_fft // 2 if center else 0) if padding is None else padding
        window = torch.hann_window(win_length, dtype=torch.float64)
        left = (n_fft - win_length) // 2
        window = pad(window, (left, n_fft - win_length - left))
        self.scale = float(window.square().sum().sqrt()) if normalized else 1.0
        self.register_buffer("window", window.float(), persistent=False)

    @property
    def bins(self) -> int:
        """Frequencies from 0 to half the rate."""
        return self.n_fft // 2 + 1

    def frames(self, samples: int) -> int:
        """How many frames a waveform of so many samples has."""
        return max(samples + 2 * self.padding - self.n_fft, 0) // self.hop_length + 1

    def forward(self, waveform: Float[Tensor, "*batch samples"]) -> Complex[Tensor, "*batch bins frames"]:
        """The spectrum. A waveform shorter than one transform is filled up with zeros.

        Raises:
            ValueError: there are no samples.
        """
        if not waveform.numel():
            raise ValueError("a waveform of no samples has no spectrum; give at least one")
        flat = waveform.reshape(-1, waveform.shape[-1])
        padded = pad_ends(flat, self.padding, mode=self.pad_mode)
        padded = pad(padded, (0, max(self.n_fft - padded.shape[-1], 0)))
        window = self.window.to(flat.dtype)
        spectrum = torch.stft(
            padded, self.n_fft, self.hop_length, window=window, center=False, return_complex=True, onesided=True
        )
        return spectrum.reshape(*waveform.shape[:-1], *spectrum.shape[-2:]) / self.scale

    def inverse(
        self, spectrum: Complex[Tensor, "*batch bins frames"], *, length: int | None = None
    ) -> Float[Tensor, "*batch samples"]:
        """The waveform of least squared distance to a spectrum (Griffin & Lim 1984, eq. 6).

        Args:
            length: samples to return; all that the frames cover, without the padding, by default.
        """
        flat = spectrum.reshape(-1, *spectrum.shape[-2:]) * self.scale
        frames = torch.fft.irfft(flat, self.n_fft, dim=1)
        window = self.window.to(frames.dtype)
        total = self.n_fft + self.hop_length * (frames.shape[-1] - 1)
        added = self._overlap(frames * window[:, None], total)
        overlap = self._overlapping_power(window, frames.shape[-1], total)
        waveform = added / torch.where(overlap > 1e-11, overlap, 1.0)
        end = total - self.padding if length is None else self.padding + length
        waveform = pad(waveform[:, self.padding : end], (0, max(end - total, 0)))
        return waveform.reshape(*spectrum.shape[:-2], -1)

    def _overlap(self, frames: Tensor, total: int) -> Tensor:
        """[batch, n_fft, frames] → [batch, total] by overlap and addition."""
        return fold(frames, (1, total), (1, self.n_fft), stride=(1, self.hop_length))[:, 0, 0]

    def _overlapping_power(self, window: Tensor, frames: int, total: int) -> Tensor:
        power = window.square()
        if self.edges == "exact":
            return self._overlap(power[None, :, None].expand(1, -1, frames), total)
        cycles = -(-self.n_fft // self.hop_length)
        steady = pad(power, (0, cycles * self.hop_length - self.n_fft)).reshape(cycles, self.hop_length).sum(0)
        return steady.repeat(-(-total // self.hop_length))[None, :total]


class MelSpectrogram(nn.Module):
    """Waveform → power (or magnitude) in mel bands, compressed.

    Args:
        sample_rate: Hz.
        n_fft, hop_length, win_length, center, pad_mode, padding: as of `Stft`.
        n_mels, f_min, f_max, mel_scale, norm: as of `mel_filters`; f_max is half the rate by default.
        power: 1 magnitudes, 2 their squares.
        compression: "none"; "log" natural and "log10" decimal logarithm; "db", 10 log10 of powers and 20 log10 of
            magnitudes, which are the same.
        floor: smaller values are raised to it before the logarithm.
        top_db: values further below the greatest of an item are raised to that distance ("db" only).
        magnitude_epsilon: added to the squared magnitude before its root.
    """

    filters: Tensor

    def __init__(
        self,
        *,
        sample_rate: int,
        n_fft: int,
        hop_length: int,
        n_mels: int,
        win_length: int | None = None,
        f_min: float = 0.0,
        f_max: float | None = None,
        mel_scale: str = "slaney",
        norm: str | None = "slaney",
        power: int = 2,
        center: bool = True,
        pad_mode: str = "reflect",
        padding: int | None = None,
        compression: str = "none",
        floor: float = 1e-10,
        top_db: float | None = None,
        magnitude_epsilon: float = 0.0,
    ) -> None:
        super().__init__()
        if compression not in COMPRESSIONS or power not in (1, 2):
            raise OptionError(f"compression must be one of {', '.join(COMPRESSIONS)}, and power 1 or 2.")
        self.sample_rate, self.n_mels, self.power = sample_rate, n_mels, power
        self.compression, self.floor, self.top_db = compression, floor, top_db
        self.magnitude_epsilon = magnitude_epsilon
        self.stft = Stft(
            n_fft=n_fft,
            hop_length=hop_length,
            win_length=win_length,
            center=center,
            pad_mode=pad_mode,
            padding=padding,
        )
        weights = mel_filters(
            sample_rate=sample_rate,
            n_fft=n_fft,
            n_mels=n_mels,
            f_min=f_min,
            f_max=sample_rate / 2 if f_max is None else f_max,
            mel_scale=mel_scale,
            norm=norm,
        )
        self.register_buffer("filters", torch.from_numpy(weights).float(), persistent=False)

    @property
    def frame_rate(self) -> float:
        """Frames a second."""
        return self.sample_rate / self.stft.hop_length

    def frames(self, samples: int) -> int:
        """How many frames a waveform of so many samples has."""
        return self.stft.frames(samples)

    def forward(self, waveform: Float[Tensor, "*batch samples"]) -> Float[Tensor, "*batch n_mels frames"]:
        """The mel spectrogram.

        Raises:
            ValueError: there are no samples.
        """
        return self.compress(self.filters.to(waveform.dtype) @ self.magnitudes(waveform))

    def magnitudes(self, waveform: Float[Tensor, "*batch samples"]) -> Float[Tensor, "*batch bins frames"]:
        """Magnitudes to the `power`, before the filters."""
        squares = torch.view_as_real(self.stft(waveform)).square().sum(-1)
        return squares if self.power == 2 else _root(squares + self.magnitude_epsilon)

    def compress(self, mel: Float[Tensor, "*batch n_mels frames"]) -> Float[Tensor, "*batch n_mels frames"]:
        """The logarithm that `compression` names."""
        if self.compression == "none":
            return mel
        raised = mel.clamp(min=self.floor)
        if self.compression == "log":
            return raised.log()
        if self.compression == "log10":
            return raised.log10()
        decibels = (10 if self.power == 2 else 20) * raised.log10()
        if self.top_db is None:
            return decibels
        return torch.maximum(decibels, decibels.amax((-2, -1), keepdim=True) - self.top_db)


def _root(squares: Tensor) -> Tensor:
    """√ with the gradient 0 at 0."""
    positive = squares > 0
    return torch.where(positive, torch.where(positive, squares, 1.0).sqrt(), 0.0)


def pad_ends(waveform: Float[Tensor, "batch samples"], amount: int, *, mode: str) -> Float[Tensor, "batch padded"]:
    """A waveform with `amount` samples more at each end; a reflection goes back and forth in a shorter sound."""
    samples = waveform.shape[-1]
    if mode == "constant" or amount < samples:
        return pad(waveform, (amount, amount), mode=mode)
    place = torch.arange(-amount, samples + amount, device=waveform.device) % max(2 * samples - 2, 1)
    return waveform[:, torch.minimum(place, 2 * samples - 2 - place)]


def audioldm_mel() -> MelSpectrogram:
    """The mel spectrogram of AudioLDM and MusicLDM (arXiv 2301.12503, 2308.01546): 16 kHz, 64 bands, natural log."""
    return MelSpectrogram(
        sample_rate=16000, n_fft=1024, hop_length=160, n_mels=64, f_max=8000.0, power=1, compression="log", floor=1e-5
    )


def audioldm_waveform(waveform: Float[Tensor, "*batch samples"]) -> Float[Tensor, "*batch samples"]:
    """The waveform as AudioLDM and MusicLDM take it: without its mean, the largest absolute value a half."""
    centred = waveform - waveform.mean(-1, keepdim=True)
    return 0.5 * centred / (centred.abs().amax(-1, keepdim=True) + 1e-8)


def hifigan_mel() -> MelSpectrogram:
    """The mel spectrogram of HiFi-GAN's configurations V1 to V3 (arXiv 2010.05646): 22.05 kHz, 80 bands, natural log.
    Frames are centred between hops: n / 256 of them."""
    return MelSpectrogram(
        sample_rate=22050,
        n_fft=1024,
        hop_length=256,
        n_mels=80,
        f_max=8000.0,
        power=1,
        padding=(1024 - 256) // 2,
        compression="log",
        floor=1e-5,
        magnitude_epsilon=1e-9,
    )


def clap_mel(*, fusion: bool = False) -> MelSpectrogram:
    """The mel spectrogram of LAION's CLAP (arXiv 2211.06687): 48 kHz, 64 bands from 50 to 14000 Hz, dB.

    Args:
        fusion: the filters of the checkpoints with feature fusion (mel scale of HTK, height 1) instead of those that
            cut long sound at random (Slaney's scale and area).
    """
    return MelSpectrogram(
        sample_rate=48000,
        n_fft=1024,
        hop_length=480,
        n_mels=64,
        f_min=50.0,
        f_max=14000.0,
        mel_scale="htk" if fusion else "slaney",
        norm=None if fusion else "slaney",
        compression="db",
    )


def clap_waveform(
    waveform: Float[Tensor, "*batch samples"], *, length: int = 480_000, start: int = 0
) -> Float[Tensor, "*batch length"]:
    """The `length` samples that CLAP hears: shorter sound is repeated as often as it fits and filled up with zeros,
    longer sound is cut from `start` (the published code draws it)."""
    samples = waveform.shape[-1]
    if samples >= length:
        return waveform[..., start : start + length]
    repeated = waveform.repeat(*(1,) * (waveform.dim() - 1), length // samples)
    return pad(repeated, (0, length - repeated.shape[-1]))


def librosa_mel(
    *, sample_rate: int = 22050, n_fft: int = 2048, hop_length: int = 512, n_mels: int = 128, decibels: bool = False
) -> MelSpectrogram:
    """What `librosa.feature.melspectrogram` gives by default, and with `decibels` `power_to_db` of it (80 dB deep,
    measured from the greatest value of each item)."""
    return MelSpectrogram(
        sample_rate=sample_rate,
        n_fft=n_fft,
        hop_length=hop_length,
        n_mels=n_mels,
        pad_mode="constant",
        compression="db" if decibels else "none",
        top_db=80.0 if decibels else None,
    )


def amplitude_transform(
    spectrum: Complex[Tensor, "*shape"],
    *,
    alpha: float,
    beta: float,
    of: str = "modulus",
    inverse: bool = False,
) -> Complex[Tensor, "*shape"]:
    """Brings loud and soft parts of a complex spectrum closer together: β |X|^α e^{i∠X}, and back.

    Args:
        alpha, beta: 0.65 and 0.34 in Music2Latent (arXiv 2408.06500).
        of: "modulus" keeps the phase (Music2Latent); "components" changes real and imaginary part each for itself
            (CoDiCodec), sign(x) β |x|^α.
        inverse: undoes it.
    """
    if of not in ("modulus", "components"):
        raise OptionError(f"The amplitude of {of!r} is unknown; choose 'modulus' or 'components'.")
    if of == "components":
        parts = torch.view_as_real(spectrum)
        return torch.view_as_complex(parts.sign() * _power(parts.abs(), alpha, beta, inverse))
    modulus = spectrum.abs()
    heard = modulus > 0
    return spectrum * torch.where(heard, _power(modulus, alpha, beta, inverse) / torch.where(heard, modulus, 1.0), 0.0)


def _power(amount: Tensor, alpha: float, beta: float, inverse: bool) -> Tensor:
    """β a^α, or its inverse, with the gradient 0 at 0."""
    positive = amount > 0
    safe = torch.where(positive, amount, 1.0)
    changed = (safe / beta) ** (1 / alpha) if inverse else beta * safe**alpha
    return torch.where(positive, changed, 0.0)


def cqt(
    audio: Audio,
    *,
    hop_length: int = 512,
    f_min: float = 440 * 2 ** (-45 / 12),
    n_bins: int = 84,
    bins_per_octave: int = 12,
) -> Complex[np.ndarray, "n_bins frames"]:
    """Constant-Q transform of the mean of all channels, by librosa.

    Args:
        hop_length: samples; a power of two times 2^(octaves − 1) keeps it exact.
        f_min: Hz of the lowest bin, by default C1.

    Raises:
        OptionError: the highest bin lies above half the rate.
    """
    import warnings

    import librosa

    highest = f_min * 2 ** ((n_bins - 1) / bins_per_octave)
    if highest * 2 ** (1 / bins_per_octave / 2) > audio.rate / 2:
        raise OptionError(
            f"{n_bins} bins from {f_min:.1f} Hz reach {highest:.0f} Hz, beyond half the rate of {audio.rate} Hz; "
            "take fewer."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of sound shorter than the longest window
        return librosa.cqt(
            audio.mono().samples[0],
            sr=audio.rate,
            hop_length=hop_length,
            fmin=f_min,
            n_bins=n_bins,
            bins_per_octave=bins_per_octave,
            tuning=0.0,
        )
