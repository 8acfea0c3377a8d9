"""Parity with the published augmentations of CLMR and RAVE: every array of their reference functions that is there."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from orchestrion.data.augment import (
    AllPass,
    Delay,
    Freeverb,
    Gain,
    HighPass,
    LowPass,
    Noise,
    PitchShift,
    Polarity,
    Resample,
)

ROOT = Path(os.environ.get("ORCHESTRION_REFERENCE", Path(__file__).parents[1] / "reference"))
FOLDERS = [path.parent for path in sorted(ROOT.glob("clmr*/**/functions.npz"))]
RAVE = sorted(ROOT.glob("rave*/**/functions.json"))
RATE = 22050


def arrays(prefix):
    """(folder, array) pairs of that prefix, with what follows it."""
    found = []
    for folder in FOLDERS:
        with np.load(folder / "functions.npz") as data:
            found += [pytest.param(folder, name, id=name) for name in data.files if name.startswith(prefix)]
    return found


def load(folder, name):
    with np.load(folder / "functions.npz") as data:
        audio = torch.from_numpy(data["aug_in"])[None] if "aug_in" in data else torch.empty(0)
        return audio, data[name]


def excerpt(sound):
    """What is stored of a longer result: its beginning, middle and end."""
    return np.concatenate([sound[0, 0, :1500], sound[0, 0, 15000:16500], sound[0, 0, -1500:]])


def number(name):
    return torch.tensor([float(name.rpartition("_")[2])], dtype=torch.float64)


@pytest.mark.parametrize(("folder", "name"), arrays("highpass_") + arrays("lowpass_"))
def test_filters(folder, name):
    audio, wanted = load(folder, name)
    kind = HighPass if name.startswith("high") else LowPass
    np.testing.assert_allclose(excerpt(kind(RATE).apply(audio, number(name))), wanted, atol=1e-5)


@pytest.mark.parametrize(("folder", "name"), arrays("delay_"))
def test_delay(folder, name):
    audio, wanted = load(folder, name)
    delay = Delay(RATE, factor=0.2 if "v1" in name else 0.5)
    np.testing.assert_allclose(excerpt(delay.apply(audio, number(name))), wanted, atol=1e-6)


@pytest.mark.parametrize(("folder", "name"), arrays("gain_"))
def test_gain(folder, name):
    audio, wanted = load(folder, name)
    np.testing.assert_allclose(excerpt(Gain().apply((4 * audio).clamp(-2, 2), number(name))), wanted, atol=1e-6)


@pytest.mark.parametrize(("folder", "name"), arrays("noise_out") + arrays("noise_v1_out"))
def test_noise(folder, name):
    audio, wanted = load(folder, name)
    normal = torch.from_numpy(load(folder, "noise_normal")[1])[None]
    if "v1" in name:
        out = Noise((0.01, 0.01), reference="rms", clamp=True).apply(audio, torch.tensor([0.01]), normal)
    else:
        out = Noise().apply(audio, torch.tensor([1e-4 + 0.25 * (1e-2 - 1e-4)]), normal)
    np.testing.assert_allclose(excerpt(out), wanted, atol=1e-6)


@pytest.mark.parametrize(("folder", "name"), arrays("polarity"))
def test_polarity(folder, name):
    audio, wanted = load(folder, name)
    out = Polarity()(audio, torch.Generator())
    np.testing.assert_array_equal(out[0, :, : wanted.shape[-1]].numpy(), wanted)


@pytest.mark.parametrize(("folder", "name"), arrays("sox_reverb"))
def test_reverb_of_sox(folder, name):
    wanted = load(folder, name)[1]
    if "impulse" in name:
        audio = torch.zeros(1, 1, len(wanted))
        audio[..., 100] = 0.5
    else:
        audio = torch.from_numpy(load(folder, "sox_in")[1])[None, None]
    numbers = torch.tensor([[int(word) for word in name.split("_")[-3:]]])
    np.testing.assert_allclose(Freeverb(RATE).apply(audio, numbers)[0, 0], wanted, atol=1e-5)


@pytest.mark.parametrize(("folder", "name"), arrays("sox_pitch"))
def test_pitch_of_sox(folder, name):
    """Spectra, since where segments join is a matter of taste."""
    sound, wanted = load(folder, "sox_in")[1], load(folder, name)[1]
    ours = PitchShift(RATE).apply(torch.from_numpy(sound)[None, None], number(name).long())[0, 0].numpy()

    def spectrum(signal):
        power = np.abs(np.fft.rfft(signal * np.hanning(len(signal)))) ** 2
        return np.log(np.add.reduceat(power, np.arange(0, 3000, 15)) + 1e-3)

    def likeness(a, b):
        return np.corrcoef(spectrum(a), spectrum(b))[0, 1]

    assert likeness(ours, wanted) > 0.7 > 0.5 > likeness(sound, wanted)
    assert np.std(ours) == pytest.approx(np.std(wanted), rel=0.05)


@pytest.mark.parametrize("path", RAVE, ids=lambda path: path.parent.name)
def test_phases_and_fractions_of_rave(path):
    values = json.loads(path.read_text())["values"]
    rows = next(rows for name, rows in values.items() if name.startswith("random_phase_mangle"))
    for row in rows:
        mangle = AllPass(row["sr"])
        angle = float(mangle.angles(torch.tensor([row["u"]], dtype=torch.float64))[0])
        assert angle == pytest.approx(row["angle"], rel=1e-9)
        forward, back = mangle.coefficients(angle)
        np.testing.assert_allclose(forward, row["b"], atol=1e-9)
        np.testing.assert_allclose(back, row["a"], atol=1e-9)
    pitch, ours = values["RandomPitch"], Resample()
    assert len(ours.fractions) == pitch["number of ratios"]
    assert [ours.fractions[0][0], ours.fractions[-1][0]] == pitch["first and last factor"]
    for wanted, fraction in pitch["up/down for pitch"].items():
        assert list(ours.nearest(float(wanted))) == fraction


def test_there_are_cases():
    assert FOLDERS or RAVE or os.environ.get("ORCHESTRION_REFERENCE")
