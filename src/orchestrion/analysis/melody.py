"""The tune of a sound: its pitch over time, and its pitch classes as a control for generation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from orchestrion.errors import OptionError
from orchestrion.media.audio import Audio

RATE, HOP = 22050, 256
MIDDLE_C = 261.2  # Hz; Music ControlNet's cut-off, so that the bass does not win
BLOCK = 30 * RATE  # samples whose pitch is followed at once


@dataclass(frozen=True, slots=True)
class PitchContour:
    """Frames of 11.6 ms: times in seconds, pitch in Hz (NaN where there is none), and how sure a pitch is, 0 to 1."""

    times: Float[np.ndarray, " frames"]
    hertz: Float[np.ndarray, " frames"]
    certainty: Float[np.ndarray, " frames"]

    @property
    def voiced(self) -> Bool[np.ndarray, " frames"]:
        """Where there is a pitch."""
        return np.isfinite(self.hertz)


def pitch_contour(audio: Audio, *, f_min: float = 65.4, f_max: float = 2093.0) -> PitchContour:
    """Pitch of one voice at a time (probabilistic YIN, Mauch & Dixon 2014, librosa), in blocks of half a minute.

    Args:
        f_min, f_max: Hz.

    Raises:
        OptionError: the range of pitch is empty or too high.
    """
    import librosa

    if not 20 <= f_min < f_max <= RATE / 4:
        raise OptionError(f"Pitches from {f_min:g} to {f_max:g} Hz cannot be followed; choose within 20 to 5500 Hz.")
    wave = audio.mono().resample(RATE).samples[0]
    window = max(2048, 1 << int(np.ceil(np.log2(4 * RATE / f_min))))
    hertz, certainty = [], []
    for start in range(0, max(len(wave), 1), BLOCK // HOP * HOP):
        block = wave[start : start + BLOCK // HOP * HOP]
        block = np.pad(block, (0, max(window - len(block), 0)))
        pitch, _, sure = librosa.pyin(
            block, fmin=f_min, fmax=f_max, sr=RATE, frame_length=window, hop_length=HOP, fill_na=np.nan
        )
        kept = min(-(-len(wave[start : start + BLOCK // HOP * HOP]) // HOP), len(pitch))
        hertz.append(pitch[:kept])
        certainty.append(sure[:kept])
    pitches = np.concatenate(hertz)
    return PitchContour(np.arange(len(pitches)) * HOP / RATE, pitches, np.concatenate(certainty))


def melody_classes(
    audio: Audio, *, rate: int = RATE, n_fft: int = 2048, hop_length: int = HOP
) -> Int[np.ndarray, " frames"]:
    """The strongest pitch class above middle C at each frame, 0 for C: the melody control of Music ControlNet
    (arXiv 2311.07069, section III-B), folded from a linear spectrum. Every frame has one, also silence."""
    from scipy.signal import lfilter

    from orchestrion.analysis.chromagram import Chromagram
    from orchestrion.analysis.long_sound import in_windows

    wave = audio.mono().resample(rate).samples[0]
    high = np.asarray(lfilter(*high_pass(MIDDLE_C, rate), wave), np.float32)
    module = Chromagram(sample_rate=rate, n_fft=n_fft, hop_length=hop_length, norm="none")
    return in_windows(module, high, hop_length=hop_length, margin=n_fft).argmax(0)


def high_pass(
    hertz: float, rate: int, *, q: float = 0.5**0.5
) -> tuple[Float[np.ndarray, " 3"], Float[np.ndarray, " 3"]]:
    """Numerator and denominator of a second-order high-pass (Bristow-Johnson's cookbook)."""
    omega = 2 * np.pi * hertz / rate
    alpha, cosine = np.sin(omega) / (2 * q), np.cos(omega)
    above = np.array([(1 + cosine) / 2, -(1 + cosine), (1 + cosine) / 2])
    below = np.array([1 + alpha, -2 * cosine, 1 - alpha])
    return above / below[0], below / below[0]
