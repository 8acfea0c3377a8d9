"""Front ends against librosa, transformers, published numbers and naive versions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrion.analysis.chromagram import Chromagram
from orchestrion.analysis.mel_filters import mel_filters
from orchestrion.analysis.spectra import (
    MelSpectrogram,
    Stft,
    amplitude_transform,
    audioldm_mel,
    audioldm_waveform,
    clap_mel,
    clap_waveform,
    cqt,
    hifigan_mel,
    librosa_mel,
)
from orchestrion.errors import OptionError
from orchestrion.media.audio import Audio


def tones(seconds: float, rate: int, *, seed: int = 0) -> np.ndarray:
    """A chord with some noise."""
    time = np.arange(int(seconds * rate)) / rate
    noise = np.random.default_rng(seed).normal(size=len(time))
    chord = sum(np.sin(2 * np.pi * hertz * time) for hertz in (220.0, 277.2, 329.6, 1760.0))
    return (0.15 * chord + 0.05 * noise).astype(np.float32)


@pytest.mark.parametrize(("scale", "norm"), [("slaney", "slaney"), ("slaney", None), ("htk", "slaney"), ("htk", None)])
@pytest.mark.parametrize(
    ("rate", "n_fft", "n_mels", "low", "high"), [(16000, 1024, 64, 0, 8000), (48000, 512, 20, 50, 14000)]
)
def test_filters_equal_librosas(scale, norm, rate, n_fft, n_mels, low, high) -> None:
    import librosa

    ours = mel_filters(sample_rate=rate, n_fft=n_fft, n_mels=n_mels, f_min=low, f_max=high, mel_scale=scale, norm=norm)
    theirs = librosa.filters.mel(
        sr=rate, n_fft=n_fft, n_mels=n_mels, fmin=low, fmax=high, htk=scale == "htk", norm=norm
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-7)


@pytest.mark.parametrize("samples", [11025, 4000, 700, 1])
def test_mel_equals_librosas(samples: int) -> None:
    import librosa

    wave = tones(0.5, 22050)[:samples]
    mel = librosa.feature.melspectrogram(y=wave, sr=22050)
    ours = librosa_mel()(torch.from_numpy(wave)).numpy()
    np.testing.assert_allclose(ours, mel, rtol=1e-5, atol=1e-5 * mel.max())
    decibels = librosa_mel(decibels=True)(torch.from_numpy(wave)).numpy()
    np.testing.assert_allclose(decibels, librosa.power_to_db(mel, top_db=80.0), atol=2e-4)


def test_stft_equals_librosas_and_its_inverse_gives_the_sound_back() -> None:
    import librosa

    wave = tones(0.5, 16000)
    for n_fft, hop, window in ((1024, 160, 1024), (882, 441, 882), (512, 128, 400)):
        stft = Stft(n_fft=n_fft, hop_length=hop, win_length=window)
        spectrum = stft(torch.from_numpy(wave))
        theirs = librosa.stft(wave, n_fft=n_fft, hop_length=hop, win_length=window, pad_mode="reflect")
        assert spectrum.shape[-1] == stft.frames(len(wave))
        np.testing.assert_allclose(spectrum.numpy(), theirs, atol=1e-5 * np.abs(theirs).max())
        np.testing.assert_allclose(stft.inverse(spectrum, length=len(wave)).numpy(), wave, atol=1e-5)


def test_clap_equals_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    import transformers.utils

    # Its audio helpers import torchaudio where that is installed, and need not.
    monkeypatch.setattr(transformers.utils, "is_torchaudio_available", lambda: False)
    from transformers import ClapFeatureExtractor

    short, long = tones(1.3, 48000), tones(11.0, 48000, seed=1)
    for fusion in (False, True):
        mel = clap_mel(fusion=fusion).double()
        extractor = ClapFeatureExtractor(truncation="fusion" if fusion else "rand_trunc", frequency_min=50)
        theirs = extractor(short, sampling_rate=48000, padding="repeatpad")["input_features"][0][0]
        heard = clap_waveform(torch.from_numpy(short).double())
        np.testing.assert_allclose(mel(heard).T.numpy(), theirs, atol=1e-5)
    np.random.seed(3)  # noqa: NPY002 - the published code draws from it
    extractor = ClapFeatureExtractor(truncation="rand_trunc", frequency_min=50)  # as its checkpoints say
    cut = extractor(long, sampling_rate=48000)["input_features"][0][0]
    np.random.seed(3)  # noqa: NPY002
    start = np.random.randint(0, len(long) - 480_000 + 1)  # noqa: NPY002
    ours = clap_mel().double()(clap_waveform(torch.from_numpy(long).double(), start=start))
    np.testing.assert_allclose(ours.T.numpy(), cut, atol=1e-5)


def test_hifigan_equals_a_naive_version() -> None:
    import librosa

    wave = tones(0.4, 22050)
    padded = np.pad(wave.astype(np.float64), 384, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024)
    frames = np.stack([padded[i : i + 1024] * window for i in range(0, len(padded) - 1023, 256)])
    magnitude = np.sqrt(np.abs(np.fft.rfft(frames)) ** 2 + 1e-9)
    basis = librosa.filters.mel(sr=22050, n_fft=1024, n_mels=80, fmin=0, fmax=8000, dtype=np.float64)
    expected = np.log(np.maximum(basis @ magnitude.T, 1e-5))
    ours = hifigan_mel()(torch.from_numpy(wave)).numpy()
    assert ours.shape == (80, len(wave) // 256)
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_audioldm_waveform_has_no_mean_and_a_half_as_peak() -> None:
    wave = audioldm_waveform(torch.from_numpy(tones(0.2, 16000)) + 0.3)
    assert abs(float(wave.mean())) < 1e-6
    assert float(wave.abs().max()) == pytest.approx(0.5, abs=1e-6)
    silent = audioldm_mel()(audioldm_waveform(torch.zeros(1600)))
    assert torch.allclose(silent, torch.full_like(silent, float(np.log(1e-5))))


def test_cqt_finds_a_tone_in_its_bin() -> None:
    import librosa

    wave = np.sin(2 * np.pi * 440 * np.arange(22050) / 22050).astype(np.float32)
    audio = Audio(np.stack([wave, wave]), 22050)
    found = np.abs(cqt(audio))
    assert found[:, 20].argmax() == 45  # A4, 45 semitones above C1
    np.testing.assert_allclose(found, np.abs(librosa.cqt(wave, sr=22050, tuning=0.0)), atol=1e-5)
    with pytest.raises(OptionError, match="take fewer"):
        cqt(Audio(wave[None], 4000))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(["modulus", "components"]), st.floats(0.3, 1.0), st.floats(0.1, 2.0))
def test_amplitude_transform_is_undone(seed: int, of, alpha: float, beta: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    spectrum = torch.randn(3, 5, dtype=torch.complex128, generator=generator)
    spectrum[0, 0] = 0
    changed = amplitude_transform(spectrum, alpha=alpha, beta=beta, of=of)
    assert torch.allclose(amplitude_transform(changed, alpha=alpha, beta=beta, of=of, inverse=True), spectrum)
    if of == "modulus":
        assert torch.allclose(changed.abs(), beta * spectrum.abs() ** alpha)
        assert torch.allclose(changed.angle(), spectrum.angle())


@settings(max_examples=10, deadline=None)
@given(
    st.integers(1, 3000), st.sampled_from([(256, 64), (250, 100), (128, 128)]), st.sampled_from(["reflect", "constant"])
)
def test_the_inverse_is_exact_at_any_length(samples: int, sizes: tuple[int, int], mode) -> None:
    stft = Stft(n_fft=sizes[0], hop_length=sizes[1], pad_mode=mode, normalized=True)
    wave = torch.randn(2, samples, dtype=torch.float64, generator=torch.Generator().manual_seed(samples))
    back = stft.inverse(stft(wave), length=samples)
    assert back.shape == wave.shape
    if sizes[1] < sizes[0]:  # windows side by side lose the samples where they are zero
        covered = sizes[1] * (stft.frames(samples) - 1) + 1
        assert torch.allclose(back[:, :covered], wave[:, :covered], atol=1e-6)


def test_silence_and_gradients_are_finite() -> None:
    for module in (audioldm_mel(), hifigan_mel(), clap_mel(), librosa_mel(decibels=True)):
        wave = torch.zeros(1, 2048, requires_grad=True)
        value = module(wave)
        value.sum().backward()
        assert torch.isfinite(value).all() and wave.grad is not None and torch.isfinite(wave.grad).all()
        assert not module.state_dict()
    spectrum = torch.zeros(4, dtype=torch.complex64, requires_grad=True)
    amplitude_transform(spectrum, alpha=0.65, beta=0.34).abs().sum().backward()
    assert spectrum.grad is not None and torch.isfinite(torch.view_as_real(spectrum.grad)).all()


def test_chroma_of_a_tone_is_its_class() -> None:
    time = torch.arange(32000) / 16000
    chroma = Chromagram(sample_rate=16000, n_fft=4096)(torch.sin(2 * torch.pi * 440 * time))
    assert (chroma[:, 4:-4].argmax(0) == 9).all()
    assert float(chroma.max()) == 1.0
    assert not Chromagram(sample_rate=16000, n_fft=2048)(torch.zeros(5000)).any()


def test_wrong_options_are_named() -> None:
    with pytest.raises(OptionError, match="do not lie between"):
        MelSpectrogram(sample_rate=8000, n_fft=256, hop_length=64, n_mels=10, f_max=5000.0)
    with pytest.raises(OptionError, match="compression"):
        MelSpectrogram(sample_rate=8000, n_fft=256, hop_length=64, n_mels=10, compression="loud")
    with pytest.raises(OptionError, match="fit"):
        Stft(n_fft=256, hop_length=64, win_length=300)
    with pytest.raises(ValueError, match="no samples"):
        Stft(n_fft=256, hop_length=64)(torch.zeros(0))
    with pytest.raises(OptionError, match="modulus"):
        amplitude_transform(torch.ones(1, dtype=torch.complex64), alpha=1.0, beta=1.0, of="phase")
