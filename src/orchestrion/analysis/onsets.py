"""Where notes begin in a sound: peaks of how much its spectrum rises (librosa's spectral flux)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from orchestrion.media.audio import Audio

RATE, HOP = 22050, 512
FRAME_RATE = RATE / HOP


@dataclass(frozen=True, slots=True)
class Onsets:
    """Times in seconds and how strong each is, 1 for the strongest."""

    times: Float[np.ndarray, " onsets"]
    strengths: Float[np.ndarray, " onsets"]


def onset_envelope(audio: Audio) -> Float[np.ndarray, " frames"]:
    """How much the mel spectrum in dB rises at each frame of 23 ms, for sound of any length."""
    import librosa

    from orchestrion.analysis.long_sound import in_windows
    from orchestrion.analysis.spectra import librosa_mel

    mel = librosa_mel(sample_rate=RATE, hop_length=HOP)
    power = in_windows(mel, audio.mono().resample(RATE).samples[0], hop_length=HOP, margin=2048)
    decibels = librosa.power_to_db(power, ref=np.max) if power.any() else np.zeros_like(power)
    return librosa.onset.onset_strength(S=decibels, sr=RATE, hop_length=HOP)


def find_onsets(audio: Audio) -> Onsets:
    """Onsets of a sound; none in silence or a steady tone's middle."""
    import librosa

    envelope = onset_envelope(audio)
    if envelope.max(initial=0.0) <= 1e-6:
        return Onsets(np.zeros(0), np.zeros(0))
    frames = librosa.onset.onset_detect(onset_envelope=envelope, sr=RATE, hop_length=HOP, units="frames")
    return Onsets(frames / FRAME_RATE, envelope[frames] / envelope.max())
