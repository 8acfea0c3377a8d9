"""Views a second and core of CLMR's augmentation chain, against audiomentations and torch-audiomentations.

Same transforms, ranges, probabilities and length (59,049 samples at 22,050 Hz) where they have them; what a library
lacks is left out of its chain and of ours beside it, so that each comparison is of the same work.

    python benchmarks/augmentations.py --views 192 --rounds 5 --write docs/benchmarks/augmentations.md
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import torch
from process import peak_memory

from orchestrion.data.augment import (
    BandFilter,
    Chain,
    Gain,
    HighPass,
    LowPass,
    Noise,
    NoiseReverb,
    PitchShift,
    Polarity,
)
from orchestrion.data.augment.clmr import clmr_chain

RATE, SAMPLES, BATCH = 22050, 59049, 48
Run = Callable[[np.ndarray], None]


def ours(chain: Chain) -> Run:
    generator = torch.Generator().manual_seed(0)

    def run(views: np.ndarray) -> None:
        for start in range(0, len(views), BATCH):
            chain(torch.from_numpy(views[start : start + BATCH]), generator)

    return run


def of_audiomentations(*, reverb: bool) -> Run:
    """One view after the other, as the library works. Its filters are of 12 dB an octave; its reverb is a convolution
    with recorded rooms, here decaying noise in 20 files."""
    import audiomentations as am

    def filtered() -> am.OneOf:
        return am.OneOf(
            [
                am.HighPassFilter(min_cutoff_freq=200, max_cutoff_freq=1200, p=1.0),
                am.LowPassFilter(min_cutoff_freq=2200, max_cutoff_freq=4000, p=1.0),
            ],
            p=0.8,
        )

    steps = [
        am.PolarityInversion(p=0.8),
        am.AddGaussianSNR(min_snr_db=40, max_snr_db=80, p=0.01),
        am.Gain(min_gain_db=-20, max_gain_db=-1, p=0.3),
        filtered(),
        am.PitchShift(min_semitones=-7, max_semitones=7, p=0.6),
    ]
    if reverb:
        steps.append(am.ApplyImpulseResponse(rooms(), p=0.6))
    chain = am.Compose(steps)

    def run(views: np.ndarray) -> None:
        for view in views:
            chain(view[0], sample_rate=RATE)

    return run


@cache
def rooms() -> Path:
    """A folder of noise that dies away within 0.1 to 2 seconds."""
    folder = Path(tempfile.mkdtemp())
    rng = np.random.default_rng(0)
    for number, seconds in enumerate(np.geomspace(0.1, 2.0, 20)):
        time_of = np.arange(int(seconds * RATE)) / RATE
        noise = rng.standard_normal(len(time_of)) * 10 ** (-3 * time_of / seconds)
        soundfile.write(folder / f"{number}.wav", 0.5 * noise / np.abs(noise).max(), RATE)
    return folder


def of_torch_audiomentations() -> Run:
    import torch_audiomentations as ta

    chain = ta.Compose(
        [
            ta.PolarityInversion(p=0.8, output_type="tensor"),
            ta.AddColoredNoise(min_snr_in_db=40, max_snr_in_db=80, min_f_decay=0, max_f_decay=0, p=0.01,
                               output_type="tensor"),
            ta.Gain(min_gain_in_db=-20, max_gain_in_db=-1, p=0.3, output_type="tensor"),
            ta.OneOf(
                [
                    ta.HighPassFilter(min_cutoff_freq=200, max_cutoff_freq=1200, p=1.0, output_type="tensor"),
                    ta.LowPassFilter(min_cutoff_freq=2200, max_cutoff_freq=4000, p=1.0, output_type="tensor"),
                ],
                p=0.8, output_type="tensor",
            ),
            ta.PitchShift(min_transpose_semitones=-7, max_transpose_semitones=7, p=0.6, sample_rate=RATE,
                          output_type="tensor"),
        ],
        output_type="tensor",
    )  # fmt: skip

    def run(views: np.ndarray) -> None:
        for start in range(0, len(views), BATCH):
            chain(torch.from_numpy(views[start : start + BATCH]), sample_rate=RATE)

    return run


def single() -> dict[str, tuple[Run, Run]]:
    """Transforms alone: ours, and the library's."""
    import audiomentations as am

    def each(transform: am.core.transforms_interface.BaseWaveformTransform) -> Run:
        def run(views: np.ndarray) -> None:
            for view in views:
                transform(view[0], sample_rate=RATE)

        return run

    def always(transform) -> Run:
        return ours(Chain([(1.0, transform)]))

    return {
        "gain": (always(Gain()), each(am.Gain(min_gain_db=-20, max_gain_db=-1, p=1.0))),
        "noise": (always(Noise()), each(am.AddGaussianSNR(min_snr_db=40, max_snr_db=80, p=1.0))),
        "low-pass": (always(LowPass(RATE)), each(am.LowPassFilter(min_cutoff_freq=2200, max_cutoff_freq=4000, p=1.0))),
        "high-pass": (
            always(HighPass(RATE)),
            each(am.HighPassFilter(min_cutoff_freq=200, max_cutoff_freq=1200, p=1.0)),
        ),
        "pitch shift": (always(PitchShift(RATE)), each(am.PitchShift(min_semitones=-7, max_semitones=7, p=1.0))),
    }


def without_echo_and_reverb() -> Chain:
    """Polarity, noise, gain, filter, pitch: what both libraries have."""
    return Chain(
        [
            (0.8, Polarity()),
            (0.01, Noise()),
            (0.3, Gain()),
            (0.8, BandFilter(HighPass(RATE), LowPass(RATE))),
            (0.6, PitchShift(RATE)),
        ]
    )


def with_reverb() -> Chain:
    """The same and a convolution with decaying noise."""
    return Chain([*without_echo_and_reverb().steps, (0.6, NoiseReverb(RATE))])


def rate_of(runs: dict[str, Run], views: np.ndarray, rounds: int) -> dict[str, float]:
    """Views a second of processor time, medians of interleaved rounds, after one that warms up."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            random.seed(number)
            np.random.seed(number)  # noqa: NPY002  # the libraries draw from it
            torch.manual_seed(number)
            begin = time.process_time()
            run(views)
            if number:
                times[name].append(time.process_time() - begin)
    return {name: len(views) / statistics.median(spent) for name, spent in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--views", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    views = (rng.standard_normal((options.views, 1, SAMPLES)) * 0.1).astype(np.float32)
    lines = ["| chain | library | views/s | ratio |", "|---|---|---|---|"]

    def table(title: str, runs: dict[str, Run]) -> None:
        rates = rate_of(runs, views, options.rounds)
        slowest_other = max((rate for name, rate in rates.items() if name != "orchestrion"), default=0)
        for name, rate in rates.items():
            ratio = f"{rate / slowest_other:.1f}" if name == "orchestrion" and slowest_other else "1.0"
            lines.append(f"| {title} | {name} | {rate:.0f} | {ratio if slowest_other else '–'} |")

    table("polarity, noise, gain, filter, pitch", {
        "audiomentations": of_audiomentations(reverb=False),
        "torch-audiomentations": of_torch_audiomentations(),
        "orchestrion": ours(without_echo_and_reverb()),
    })  # fmt: skip
    table("the same and a room by convolution", {
        "audiomentations": of_audiomentations(reverb=True), "orchestrion": ours(with_reverb())
    })  # fmt: skip
    table("all of CLMR v2", {"orchestrion": ours(clmr_chain("v2"))})
    table("all of CLMR's paper", {"orchestrion": ours(clmr_chain("paper"))})
    for name, (mine, theirs) in single().items():
        table(f"{name} alone", {"audiomentations": theirs, "orchestrion": mine})
    text = "\n".join(lines)
    print(text)
    print(f"peak memory {peak_memory():.0f} MB")
    if options.write:
        options.write.write_text(PAGE.format(table=text, views=options.views, rounds=options.rounds), encoding="utf-8")


PAGE = """# Augmentations

`python benchmarks/augmentations.py --views {views} --rounds {rounds}` (needs the extra `bench`): views of 59,049
samples (2.7 s at 22,050 Hz) a second of processor time on one core, medians of interleaved rounds, against
audiomentations 0.43 (one view after the other, as it works) and torch-audiomentations 0.12 (batches of 48). Ranges
and probabilities are those of CLMR's second version. The ratio is ours to the faster of the others.

{table}

What is not the same: audiomentations filters with 12 dB an octave where ours is a windowed sinc, and shifts pitch with
the Signalsmith stretcher, in whole or broken semitones; torch-audiomentations filters with the same windowed sincs and
shifts pitch with a phase vocoder. Neither has the echo of CLMR or the reverb of SoX, so the whole chains stand without
a ratio; a room by convolution with decaying noise takes the reverb's place where both can be compared. Gain alone is a
few microseconds for each library: ours works through 48 views at a time, which no longer fit the cache.
"""


if __name__ == "__main__":
    main()
