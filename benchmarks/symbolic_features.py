"""Features of MIDI files: ours against a music21-based pipeline of the same features.

    python benchmarks/symbolic_features.py [--files 12] [--rounds 3] [--throughput 200]

Both read the same files from disk and find tempo, metre, key, instruments by sounding time, length, and one chord a
bar. Runs are interleaved and the median of the rounds counts. A second figure is files a second over two processes.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path


def ours(path: Path) -> tuple:
    """The features by `analysis.symbolic`."""
    from orchestrion.analysis.symbolic import features
    from orchestrion.media.score import read_score

    found = features(read_score(path, isolate=False), chord_frame="bar")
    return str(found.key), found.metre, round(found.tempo), found.instruments, len(found.chords)


def theirs(path: Path) -> tuple:
    """The same features by music21 (the parser's cache is switched off)."""
    import music21

    score = music21.converter.parse(path, forceSource=True)
    key = score.analyze("key")
    metre = next(iter(score.recurse().getElementsByClass(music21.meter.TimeSignature)), None)
    marks = score.metronomeMarkBoundaries()
    sounding: dict[int, float] = {}
    for part in score.parts:
        player = part.recurse().getElementsByClass(music21.instrument.Instrument).first()
        program = (
            128
            if isinstance(player, music21.instrument.UnpitchedPercussion)
            else getattr(player, "midiProgram", 0) or 0
        )
        sounding[program] = sounding.get(program, 0.0) + sum(
            float(n.quarterLength) * len(n.pitches or [1]) for n in part.flatten().notes
        )
    length = score.highestTime
    chords = []
    bars = score.chordify(addTies=False).flatten().notes
    bar = metre.barDuration.quarterLength if metre else 4.0
    for start in range(int(length / bar) + 1):
        inside = bars.getElementsByOffset(
            start * bar, (start + 1) * bar, includeEndBoundary=False, mustBeginInSpan=True
        )
        pitches = {p.pitchClass for c in inside for p in c.pitches}
        if pitches:
            chords.append(music21.chord.Chord(sorted(pitches)).pitchedCommonName)
    ranked = tuple(sorted(sounding, key=lambda p: -sounding[p]))
    return (
        f"{key.tonic.name.replace('-', 'b')} {key.mode}",
        (metre.numerator, metre.denominator) if metre else (4, 4),
        round(marks[0][2].number or 120),
        ranked,
        len(chords),
    )


def main() -> None:
    """Prints the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--files", type=int, default=12)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--throughput", type=int, default=200)
    given = options.parse_args()
    from orchestrion.data.corpus import load_corpus

    pieces = load_corpus("compact", split="test")
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for i in range(max(given.files, given.throughput)):
            paths.append(Path(folder) / f"{i}.mid")
            pieces[i * 7 % len(pieces)].score.dump_midi(paths[-1])
        ours(paths[0]), theirs(paths[0])  # imports and caches
        times: dict[str, list[float]] = {"orchestrion": [], "music21": []}
        answers = {}
        for _ in range(given.rounds):
            for name, run in (("orchestrion", ours), ("music21", theirs)):
                start = time.perf_counter()
                answers[name] = [run(path) for path in paths[: given.files]]
                times[name].append((time.perf_counter() - start) / given.files)
        with ProcessPoolExecutor(2) as pool:
            list(pool.map(ours, paths[:4]))
            start = time.perf_counter()
            list(pool.map(ours, paths[: given.throughput], chunksize=10))
            rate = given.throughput / (time.perf_counter() - start)
    mine, other = (statistics.median(times[name]) for name in ("orchestrion", "music21"))
    agree = [
        sum(a[i] == b[i] for a, b in zip(answers["orchestrion"], answers["music21"], strict=True)) for i in range(3)
    ]
    print("| pipeline | ms a file (median) | ratio |\n|---|---|---|")
    print(f"| music21 | {1000 * other:.1f} | 1 |\n| orchestrion | {1000 * mine:.2f} | {other / mine:.0f} |")
    print(f"\nTwo processes: {rate:.0f} files/s. Same key, metre, tempo: {agree} of {given.files} files.")


if __name__ == "__main__":
    sys.exit(main())
