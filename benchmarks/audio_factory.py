"""How many times faster than real time the audio factory renders, on one process and on two.

python benchmarks/audio_factory.py --minutes 20
"""

from __future__ import annotations

import argparse
import time

from process import peak_memory

from orchestrion.data.audio_factory import AudioFactory, choose_pieces
from orchestrion.data.corpus import load_corpus

SETTINGS = {
    "22.05 kHz mono, 30 s, programs as written": {"rate": 22050, "seconds": 30.0},
    "22.05 kHz mono, 30 s, any of 112 programs, all drawn": {
        "rate": 22050, "seconds": 30.0, "programs": "any", "speed": (0.8, 1.25), "transpose": (-5, 6),
        "velocity": (0.6, 1.1), "velocity_noise": 4.0, "balance_db": 3.0, "room": (0.0, 0.4), "level_db": (-12.0, -1.0),
        "start": "any",
    },
    "44.1 kHz stereo, 30 s, with stems, programs of the family": {
        "rate": 44100, "seconds": 30.0, "channels": 2, "programs": "family", "stems": True, "room": (0.0, 0.4),
    },
    "16 kHz mono, 10 s, six programs, four tempos": {
        "rate": 16000, "seconds": 10.0, "programs": (0, 19, 48, 73, 11, 24), "parts": (1, 3), "drums": False,
        "tempi": (90, 100, 110, 120),
    },
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="of sound for each setting")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    pieces = choose_pieces(load_corpus(split="train"), count=400)
    print("| setting | × real time, one core (processor time) | × real time, processes (wall clock) | peak MB |")
    print("|---|---|---|---|")
    for name, setting in SETTINGS.items():
        factory = AudioFactory(pieces, **setting)  # type: ignore[arg-type]
        count = max(int(options.minutes * 60 / factory.seconds), 4 * options.workers)
        begin = time.process_time()
        for index in range(count // 2):
            factory.clip(index)
        one = (count // 2) * factory.seconds / (time.process_time() - begin)
        many = "–"
        if options.workers > 1:
            begin = time.perf_counter()
            factory.held(range(count), workers=options.workers)
            many = f"{count * factory.seconds / (time.perf_counter() - begin):.0f} ({options.workers})"
        peak = peak_memory()
        print(f"| {name} | {one:.0f} | {many} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main()
