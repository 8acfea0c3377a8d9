"""Onsets folded over the beat."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrion.analysis.beat_profile import PHASES, band_flux, beat_profile


@pytest.mark.parametrize(("parts", "phases"), [(2, [0, 6]), (3, [0, 4, 8]), (4, [0, 3, 6, 9])])
def test_parts_of_a_beat_stand_out(parts: int, phases: list[int]) -> None:
    flux = np.zeros((2, 480))
    flux[0, :: 48 // parts] = 1.0
    profile = beat_profile(flux, np.arange(0, 480, 48.0))
    assert profile.shape == (2, PHASES) and not profile[1].any()
    strong = np.flatnonzero(profile[0] > 1)
    assert strong.tolist() == phases and profile[0].mean() == pytest.approx(1)


def test_a_profile_follows_a_tempo_that_changes_and_needs_some_beats() -> None:
    beats = np.cumsum([0, 30, 36, 42, 48, 54.0])
    flux = np.zeros((1, 260))
    flux[0, np.round(beats[:-1] + np.diff(beats) / 3).astype(int)] = 2.0
    assert int(beat_profile(flux, beats)[0].argmax()) == 4
    assert not beat_profile(flux, beats[:3]).any()


def test_flux_is_the_rise_of_bands() -> None:
    spectrum = np.zeros((6, 4))
    spectrum[:2, 1:3] = 3.0
    flux = band_flux(spectrum, groups=3)
    assert flux.tolist() == [[0, 1, 0, 0], [0, 3, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
