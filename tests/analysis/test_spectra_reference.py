"""Front ends against what the published code gave."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from orchestrion.analysis.chromagram import Chromagram
from orchestrion.analysis.spectra import MelSpectrogram, Stft, amplitude_transform, audioldm_mel, audioldm_waveform

ROOT = Path(os.environ.get("ORCHESTRION_REFERENCE", Path(__file__).parents[1] / "reference"))


def functions(entry: str) -> list[tuple[dict, dict[str, torch.Tensor]]]:
    """The description and arrays of every file of functions that has such an entry."""
    found = []
    for path in sorted(ROOT.glob("**/functions.json")):
        known = json.loads(path.read_text())
        if isinstance(known, dict) and isinstance(known.get(entry), dict) and path.with_suffix(".npz").is_file():
            with np.load(path.with_suffix(".npz")) as held:
                found.append((known[entry], {name: torch.from_numpy(held[name]) for name in held.files}))
    return found


CHROMA = [case for case in functions("chroma") if "chroma_wave" in case[1]]
MEL = [case for case in functions("mel") if "mel_wave_in" in case[1]]


@pytest.mark.parametrize(("known", "held"), CHROMA)
def test_chroma(known: dict, held: dict[str, torch.Tensor]) -> None:
    arguments = known["arguments"]
    chroma = Chromagram(
        sample_rate=arguments["sample_rate"], n_chroma=arguments["n_chroma"], n_fft=2 ** arguments["radix2_exp"]
    )
    torch.testing.assert_close(chroma.filters, held["chroma_filters"], rtol=0, atol=1e-6)
    ours = chroma(held["chroma_wave"])[:, 0].transpose(1, 2)
    torch.testing.assert_close(ours, held["chroma"], rtol=0, atol=1e-5)
    short = chroma(held["chroma_wave"][..., :500])[:, 0].transpose(1, 2)
    torch.testing.assert_close(short, held["chroma_short"], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("known", "held"), MEL)
def test_mel_of_audioldm(known: dict, held: dict[str, torch.Tensor]) -> None:
    n_mels, bins = held["mel_basis"].shape
    preset = audioldm_mel()
    mel = preset if preset.n_mels == n_mels and preset.stft.bins == bins else None
    if mel is None:  # a case of another size
        mel = MelSpectrogram(
            sample_rate=16000, n_fft=2 * (bins - 1), hop_length=160, n_mels=n_mels, f_max=8000.0, power=1,
            compression="log", floor=1e-5,
        )  # fmt: skip
    torch.testing.assert_close(mel.filters, held["mel_basis"], rtol=0, atol=1e-7)
    wave = audioldm_waveform(held["mel_wave_in"])
    torch.testing.assert_close(wave, held["mel_wave_normalised"], rtol=0, atol=1e-6)
    magnitudes = mel.magnitudes(wave)
    torch.testing.assert_close(magnitudes.norm(dim=0), held["mel_energy"], rtol=1e-4, atol=1e-4)
    published = held["mel_out"]
    loud = published > -9
    ours = mel(wave).T
    torch.testing.assert_close(ours[loud], published[loud], rtol=0, atol=1e-5)
    torch.testing.assert_close(ours, published, rtol=0, atol=5e-3)


def test_the_cases_that_ship_are_found() -> None:
    if "ORCHESTRION_REFERENCE" not in os.environ:
        assert CHROMA and MEL


@pytest.mark.parametrize("path", sorted(ROOT.glob("**/m2l/functions.npz")), ids=lambda path: path.parent.parent.name)
def test_spectrum_of_music2latent(path: Path) -> None:
    with np.load(path) as held:
        arrays = {name: torch.from_numpy(held[name]) for name in held.files if name.startswith("stft_")}
    for name in [name for name in arrays if name.endswith("_wave")]:
        hop = int(name.split("_")[1])
        stft = Stft(n_fft=4 * hop, hop_length=hop, center=False, edges="steady")
        published = torch.complex(*arrays[f"stft_{hop}"].unbind(1))
        ours = amplitude_transform(stft(arrays[name]), alpha=0.65, beta=0.34)[:, :-1]
        torch.testing.assert_close(ours, published, rtol=0, atol=1e-5)
        whole = torch.cat([published, torch.zeros_like(published[:, :1])], 1)
        back = stft.inverse(amplitude_transform(whole, alpha=0.65, beta=0.34, inverse=True)).clamp(-1, 1)
        torch.testing.assert_close(back, arrays[f"stft_{hop}_back"], rtol=0, atol=1e-5)
