"""The bar pointer against rows of beats that are known, and against a search through all paths."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from orchestrion.analysis.bar_tracking import LEAST, RARITY, best_beats

FRAMES = 50.0


def curves(bpm: float, bar: int, seconds: float, *, noise: float = 0.1, seed: int = 0, change: float = 0.0):
    rng = np.random.default_rng(seed)
    beat = 0.02 + noise * rng.random(int(seconds * FRAMES))
    downbeat = 0.01 + noise / 2 * rng.random(len(beat))
    times, time = [], 0.3
    while time < seconds - 0.05:
        frame = round(time * FRAMES)
        beat[frame] = 0.8
        if len(times) % bar == 0:
            downbeat[frame] = 0.7
        times.append(frame / FRAMES)
        time += 60 / (bpm * (1 + change * time / seconds))
    return beat, downbeat, np.array(times)


@pytest.mark.parametrize(("bpm", "bar", "change"), [(100, 4, 0.0), (140, 3, 0.0), (72, 2, 0.0), (90, 4, 0.3)])
def test_beats_and_metre_are_found(bpm: float, bar: int, change: float) -> None:
    beat, downbeat, times = curves(bpm, bar, 16, change=change)
    found = best_beats(beat, downbeat, frame_rate=FRAMES)
    assert found.beats_per_bar == bar
    assert np.abs(found.times[:, None] - times).min(1).max() < 0.021 and abs(len(found.times) - len(times)) <= 1
    assert np.abs(found.downbeats[:, None] - times[::bar]).min(1).max() < 0.021


def test_a_missing_beat_is_filled_in() -> None:
    beat, downbeat, times = curves(100, 4, 12)
    beat[round(times[9] * FRAMES)] = 0.02
    found = best_beats(beat, downbeat, frame_rate=FRAMES)
    assert np.abs(found.times - times[9]).min() < 0.041


def test_it_is_the_best_of_all_paths() -> None:
    rng = np.random.default_rng(3)
    beat = np.clip(rng.random(24) ** 3, LEAST, 1 - LEAST)
    downbeat = np.minimum(rng.random(24) ** 4, beat)
    found = best_beats(beat, downbeat, frame_rate=10.0, beats_per_bar=(2,), slowest=100, fastest=200, steadiness=5.0)
    periods = range(3, 7)
    other = np.clip(beat - np.clip(downbeat, LEAST, 1), LEAST, 1 - LEAST)
    idle = np.log(1 - beat) - np.log(1 - RARITY)
    gain = [np.log(np.clip(downbeat, LEAST, 1)) - np.log(RARITY / 2) - idle, np.log(other) - np.log(RARITY / 2) - idle]
    best = -np.inf
    for start, count in itertools.product(range(6), (0, 1)):
        stack = [(start, count, None, 0.0)]
        while stack:
            frame, which, last, score = stack.pop()
            for period in periods:
                if last is None and frame >= 6:
                    continue
                value = score + gain[which][frame]
                value += (
                    -0.5 * (np.log(period / 10 / 0.55) / 0.45) ** 2 if last is None else -5 * abs(period / last - 1)
                )
                if frame + period >= 24:
                    best = max(best, value)
                else:
                    stack.append((frame + period, 1 - which, period, value))
    assert found.score - idle.sum() == pytest.approx(best)


def test_nothing_comes_of_too_little() -> None:
    assert len(best_beats(np.zeros(3), np.zeros(3), frame_rate=FRAMES).times) == 0
    found = best_beats(np.zeros(500), np.zeros(500), frame_rate=FRAMES)
    assert np.isfinite(found.score)
